"""A new field key while people work: new at once, old ones read, everything sealed anew by a
job in small steps; an old key goes when nothing needs it (reliability.md B42).

Key files: DATA_DIR/keys/field_key is id 1, field_key_2 is id 2, …; with FIELD_KEYS in the
environment the operator adds the key there instead, first to all processes, and runs the job.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction

from campaigns import files as print_files
from crm import fields, keyfiles
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import EncryptedText
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from customers import exporting

CHUNK = 500
# Folders of sealed files, and what their cipher is bound to.
FILES: tuple[tuple[str, str], ...] = (
    ("exports", exporting.BOUND),
    ("print", print_files.BOUND),
)


def columns() -> list[EncryptedText]:
    """Every encrypted column, in a fixed order."""
    found = [
        field
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_fields
        if isinstance(field, EncryptedText)
    ]
    return sorted(found, key=lambda field: field.bound_to)


def counts() -> dict[int, int]:
    """Key id → values and files under it. Cost: reads every encrypted table once."""
    found: dict[int, int] = {}
    with connection.cursor() as cursor:
        for field in columns():
            cursor.execute(
                f'SELECT get_byte("{field.column}", 0), count(*) '
                f'FROM "{field.model._meta.db_table}" '
                f'WHERE length("{field.column}") > 0 GROUP BY 1'
            )
            for key_id, number in cursor.fetchall():
                found[key_id] = found.get(key_id, 0) + number
    for path, _bound in sealed_files():
        with path.open("rb") as source:
            key_id = source.read(1)[0]
        found[key_id] = found.get(key_id, 0) + 1
    return found


def sealed_files() -> Iterator[tuple[Path, str]]:
    for folder, bound in FILES:
        for path in (Path(settings.FILES_ROOT) / folder).rglob("*"):
            is_draft = path.name.startswith(".")
            if path.is_file() and path.stat().st_size and not is_draft:
                yield path, bound


def begin() -> int:
    """Make the next key, which seals from now on, and start the job; its id.
    Refused("keys.environment") where the environment holds the keys."""
    if settings.FIELD_KEYS_ROOT is None:
        message = "FIELD_KEYS is set in the environment: add the new key there."
        raise Refused("keys.environment", message)
    key_id = max(fields.keys()) + 1
    if key_id > 255:
        raise Refused("keys.many", "There is no number left for another key.")
    keyfiles.secret(
        settings.FIELD_KEYS_ROOT,
        keyfiles.field_key_file(settings.FIELD_KEYS_ROOT, key_id).name,
    )
    audit.record(None, "keys.begun", details={"key": key_id})
    enqueue("keys.rekey", {"key": key_id}, key=f"keys.rekey:{key_id}")
    return key_id


@transaction.atomic
def rekey_step(job: Job) -> bool:
    """Job: seal the next rows of a column under the newest key; then the files. A row that
    somebody changes meanwhile is left: it is under the new key by then. Any number of
    kills, and twice, come to the same."""
    newest = max(fields.keys())
    number, after = job.cursor.get("column", 0), job.cursor.get("after")
    every = columns()
    if number == len(every):
        job.done_units += _rekey_files(newest)
        if set(counts()) <= {newest}:
            return True
        job.cursor = {}  # somebody committed what they had sealed before: once more round
        return False
    field = every[number]
    rows = _old_rows(field, newest, after)
    for pk, old in rows:
        text = fields.decrypt(old, field.bound_to)
        _replace(field, pk, old, fields.encrypt(text, field.bound_to))
    if len(rows) < CHUNK:
        job.cursor = {"column": number + 1}
    else:
        job.cursor = {"column": number, "after": _plain(rows[-1][0])}
    job.done_units += len(rows)
    return False


def _plain(pk: Any) -> Any:
    return pk if isinstance(pk, int) else str(pk)


def _names(field: EncryptedText) -> tuple[str, str, str]:
    meta: Any = field.model._meta
    return meta.db_table, meta.pk.column, str(field.column)


def _old_rows(field: EncryptedText, newest: int, after: Any) -> list[tuple[Any, bytes]]:
    table, key, column = _names(field)
    where = f'length("{column}") > 0 AND get_byte("{column}", 0) <> %s'
    values: list[Any] = [newest]
    if after is not None:
        where += f' AND "{key}" > %s'
        values.append(after)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "{key}", "{column}" FROM "{table}" WHERE {where} '
            f'ORDER BY "{key}" LIMIT {CHUNK}',
            values,
        )
        return [(pk, bytes(old)) for pk, old in cursor.fetchall()]


def _replace(field: EncryptedText, pk: Any, old: bytes, new: bytes) -> None:
    """RACE: only what still stands as it was read; who has written since wrote under the
    new key."""
    table, key, column = _names(field)
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table}" SET "{column}" = %s WHERE "{key}" = %s AND "{column}" = %s',
            [new, pk, old],
        )


def _rekey_files(newest: int) -> int:
    done = 0
    for path, bound in sealed_files():
        data = path.read_bytes()
        if data[0] == newest:
            continue
        draft = path.with_name(f".{path.name}.rekey")
        draft.touch(mode=0o600)
        draft.write_bytes(
            fields.encrypt_bytes(fields.decrypt_bytes(data, bound), bound)
        )
        if not path.exists():  # it has expired meanwhile
            draft.unlink()
            continue
        draft.replace(path)
        done += 1
    return done


def forget(key_id: int) -> None:
    """Take an old key out of use; backups may need it: it lies in keys/retired.
    Refused("keys.used") while a value or file is under it,
    ("keys.newest") for the one that seals."""
    if key_id == max(fields.keys()):
        raise Refused("keys.newest", "This key seals what is written now.")
    left = counts().get(key_id, 0)
    if left:
        raise Refused("keys.used", f"{left} values are under this key still.")
    if settings.FIELD_KEYS_ROOT is not None:
        keyfiles.retire_field_key(settings.FIELD_KEYS_ROOT, key_id)
    audit.record(None, "keys.forgotten", details={"key": key_id})
