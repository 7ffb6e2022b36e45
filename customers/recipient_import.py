"""Loading a customer's recipients into a version of its list, and taking them out again."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.copying import copy_in
from crm.errors import Refused
from crm.org.models import Office
from crm.transfer.targets import Bad, Column, Loaded, Run, Target, clean_text
from customers import recipients
from customers.models import Recipient, RecipientList, RecipientVersion

PLACES = ("province", "city", "county")
DITTO = frozenset(("同上", "同前", "〃", '"', "″", "ditto"))
NOBODY = frozenset(
    ("无", "不详", "未知", "暂无", "null", "none", "n/a", "-", "--", "/")
)


def _written_out(
    limit: int, *, never: frozenset[str] = frozenset()
) -> Callable[[str], str]:
    """A cell that a card can be addressed with: neither a ditto mark nor one of `never`."""
    clean = clean_text(limit, required=True)

    def check(cell: str) -> str:
        found = clean(cell)
        if found.casefold() in DITTO:
            raise Bad("ditto")
        if found.casefold() in never:
            raise Bad("no_name")
        return found

    return check


def _postcode(cell: str) -> str:
    """Kept as it is; a wrong one is a flaw of the address, not of the row."""
    found = clean_text(40)(cell).replace(" ", "")
    if len(found) > 6:
        raise Bad("postcode")
    return found


COLUMNS = (
    Column(
        "name",
        _("Recipient"),
        _written_out(60, never=NOBODY),
        True,
        ("收件人", "收件人姓名", "姓名", "名称", "recipient"),
        is_personal=True,
    ),
    Column(
        "address",
        _("Address"),
        _written_out(200, never=NOBODY),
        True,
        ("地址", "收件地址", "详细地址", "收件人地址", "通讯地址"),
        is_personal=True,
    ),
    Column("province", _("Province"), clean_text(20), False, ("省", "省份")),
    Column("city", _("City"), clean_text(20), False, ("市", "城市", "地市")),
    Column("county", _("County or district"), clean_text(20), False, ("区县", "县")),
    Column(
        "organisation",
        _("Organisation"),
        clean_text(80),
        False,
        ("单位", "公司", "单位名称", "收件单位"),
    ),
    Column(
        "phone",
        _("Phone"),
        clean_text(30),
        False,
        ("电话", "手机", "手机号", "手机号码", "联系电话", "收件人电话"),
        is_personal=True,
    ),
    Column("postcode", _("Postcode"), _postcode, False, ("邮编", "邮政编码")),
    Column(
        "ref",
        _("Number in the customer's list"),
        clean_text(40),
        False,
        ("编号", "序号", "客户编号", "no"),
    ),
)


def _list_of(run: Run) -> RecipientList:
    """The list that the import is for, locked; it must be one of the import's office."""
    found = RecipientList.objects.filter(
        pk=run.options.get("list") or 0, customer__office=run.office
    ).first()
    if found is None:
        raise Refused("recipients.closed", "no list")
    return recipients.locked(found)


def _made(row: dict[str, Any], line: int, version: RecipientVersion) -> Recipient:
    """A recipient of a checked row; what stands in columns of its own leads the address."""
    address = row["address"]
    for name in reversed(PLACES):
        place = row.get(name, "")
        if place and place not in address:
            address = place + address
    n = version.number
    made = Recipient(
        recipient_list=version.recipient_list,
        line=line,
        since=n,
        seen=n,
        address=address,
    )
    for name in ("name", "organisation", "phone", "postcode", "ref"):
        setattr(made, name, row.get(name, ""))
    return made


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Take a chunk into the import's version: new rows begin, changed ones replace theirs,
    equal ones are seen again. A person twice at one place counts once."""
    listed = _list_of(run)
    whole = bool(run.options.get("whole"))
    version = recipients.version_of(
        listed, run.batch_id, made_by=run.by, is_whole=whole
    )
    fresh: dict[bytes, Recipient] = {}
    for line in lines:
        row = dict(zip(columns, line[1:], strict=True))
        made = _made(row, line[0], version)
        recipients.judge(made)
        fresh.setdefault(bytes(made.key), made)
    rows = Recipient.objects.filter(recipient_list=listed, key__in=fresh).order_by("pk")
    stored = {bytes(row.key): row for row in rows}  # the newest of each
    added, ended, seen, imported = [], [], [], []
    for key, made in fresh.items():
        known = stored.get(key)
        if known is not None and known.seen == version.number and known.until is None:
            continue  # an earlier line of this file
        if known is not None and known.until is None and known.since > version.number:
            continue  # somebody has corrected it by hand meanwhile: that is newer
        imported.append(made.line or 0)
        if known is not None and known.until is None and _is_same(known, made):
            seen.append(known.pk)
            continue
        if known is not None:
            _inherit(made, known)
            if known.until is None:
                ended.append(known.pk)
        added.append(made)
    Recipient.objects.filter(pk__in=seen).update(seen=version.number)
    Recipient.objects.filter(pk__in=ended).update(until=version.number)
    copy_in(added)
    return Loaded(imported, len(added))


def _is_same(known: Recipient, made: Recipient) -> bool:
    return all(getattr(known, name) == getattr(made, name) for name in recipients.FACTS)


def _inherit(made: Recipient, known: Recipient) -> None:
    """What delivery found at this place holds on: returned mail is not mended by sending
    the same address again (domain.md 4.5)."""
    made.verified_on = known.verified_on
    if Recipient.Flaw.RETURNED in known.flaws:
        made.flaws = [Recipient.Flaw.RETURNED]
    recipients.judge(made)


def finish(run: Run) -> None:
    """After the last chunk: who is missing in a whole list leaves it; the figures."""
    listed = _list_of(run)
    version = listed.versions.filter(batch=run.batch_id).first()
    if version and version.is_whole:
        missing = recipients.current(listed).filter(seen__lt=version.number)
        missing.update(until=version.number)
    recipients.count(listed)


def revert(run: Run, place: int) -> int | None:
    version = RecipientVersion.objects.filter(batch=run.batch_id).first()
    if version and not version.is_undone:
        version.recipient_list = _list_of(run)
        recipients.undo_version(version)
    return None


def note(options: dict) -> str:
    """Which list the file is for, and what a whole one does to it."""
    found = RecipientList.objects.get(pk=options["list"])
    if not options.get("whole"):
        text = gettext("The rows are added to the list “%(list)s”.")
        return text % {"list": found.name}
    text = gettext(
        "The file is the whole list “%(list)s”: of the %(n)s recipients there now, those "
        "that are not in the file leave it."
    )
    number = recipients.current(found).count()
    return text % {"list": found.name, "n": number}


def check_revert(options: dict) -> None:
    """Refused("recipients.hold") while nothing of the customer may go."""
    found = RecipientList.objects.select_related("customer").get(pk=options["list"])
    recipients.refuse_hold(found)


def likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    """A list sent again is as it should be: never a reason to warn."""
    return 0.0


TARGET = Target(
    "recipients",
    _("Recipients of a customer"),
    COLUMNS,
    load,
    likeness,
    revert,
    chunk=5_000,
    finish=finish,
    note=note,
    check_revert=check_revert,
    capability="recipients.keep",
    home=lambda options: reverse("customers:recipient_list", args=[options["list"]]),
)
