"""Keys under DATA_DIR: made once, readable by their owner alone. Knows nothing of Django."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def secret(root: Path, name: str) -> str:
    """A key made once and readable by the owner alone."""
    path = root / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        with draft.open("w") as out:  # on the disk before anything is sealed with it
            out.write(secrets.token_hex(32))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):  # RACE: the first of two processes wins
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


FIRST_FIELD_KEY = "field_key"  # id 1; the next ones are field_key_2, field_key_3, …


def field_keys(root: Path) -> dict[int, str]:
    """Key id → key of the fields; the first is made where there is none."""
    found = {}
    for path in (root / "keys").glob(f"{FIRST_FIELD_KEY}*"):
        number = path.name.removeprefix(FIRST_FIELD_KEY).removeprefix("_") or "1"
        if number.isdecimal():
            found[int(number)] = path.read_text().strip()
    return found or {1: secret(root, FIRST_FIELD_KEY)}


def field_key_file(root: Path, key_id: int) -> Path:
    """The file of a field key."""
    name = FIRST_FIELD_KEY if key_id == 1 else f"{FIRST_FIELD_KEY}_{key_id}"
    return root / "keys" / name


def retire_field_key(root: Path, key_id: int) -> None:
    """Take a key out of use. Older backups are under it: a restore brings it back."""
    path = field_key_file(root, key_id)
    retired = path.parent / "retired"
    retired.mkdir(mode=0o700, exist_ok=True)
    path.rename(retired / path.name)


def bring_back_retired(root: Path) -> None:
    """All keys that an older copy may be sealed under, for a restored folder."""
    for path in (root / "keys" / "retired").glob(f"{FIRST_FIELD_KEY}*"):
        path.rename(path.parent.parent / path.name)


def old_secret_keys(root: Path) -> list[str]:
    """What SECRET_KEY was before: it still opens sessions."""
    path = root / "keys" / "secret_key_old"
    return path.read_text().split() if path.exists() else []


def renew_secret_key(root: Path) -> None:
    """A new SECRET_KEY, from the next start on; the one before goes on opening sessions."""
    before = secret(root, "secret_key")
    old = root / "keys" / "secret_key_old"
    old.touch(mode=0o600)
    old.write_text("\n".join([before, *old_secret_keys(root)][:3]) + "\n")
    (root / "keys" / "secret_key").unlink()
    secret(root, "secret_key")
