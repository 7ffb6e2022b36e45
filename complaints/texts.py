"""Text blocks with variables, and the phrases that no answer may contain.

Source: anchors.md 5.1 (5, 11).
"""

import re
from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _

from complaints.models import BannedPhrase, Complaint, Macro, TextBlock
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.org.models import Office
from crm.org.queries import ancestry

# What may stand in braces. A form that is not saved yet knows no number and no due time.
VARIABLES = {
    "ref": _("number of the work order"),
    "customer": _("customer"),
    "item": _("item number"),
    "due": _("due time"),
    "agent": _("your name"),
    "office": _("your office"),
}
UNKNOWN = "＿＿"  # a gap that is seen, not a brace that is sent
_BRACES = re.compile(r"\{(\w*)\}")
HOUSE_PHRASES = (
    ("不归我管", "我帮您转给负责的同事，并告诉您处理时限。"),
    ("我不知道", "我马上为您核实，稍后给您答复。"),
    ("没办法", "我们为您提供以下处理方式。"),
    ("你去投诉", "我如实记录您的意见，由专人处理。"),
    ("说了你也不懂", "我换一种方式为您说明。"),
    ("刚才不是说了", "我再为您说明一次。"),
    ("规定就是这样", "按照规定，我们可以为您这样办理。"),
    ("你急什么", "我理解您着急，马上为您查询。"),
    ("不可能", "目前查到的情况是……"),
)


def phrases() -> list[BannedPhrase]:
    return [BannedPhrase(phrase=one, instead=other) for one, other in HOUSE_PHRASES]


def unknown_variables(body: str) -> list[str]:
    return [name for name in _BRACES.findall(body) if name not in VARIABLES]


def _paths_over(offices: Iterable[Office]) -> set[str]:
    return {path for office in offices for path in ancestry(office)} | {
        office.path for office in offices
    }


def _theirs(user: User) -> Q:
    """One's own, and those of one's offices and of all above them."""
    over = _paths_over([p.office for p in user.postings_now])
    return Q(owner=user) | Q(office__path__in=over)


def blocks_of(user: User) -> QuerySet[TextBlock]:
    """The text blocks that a person may use. One query."""
    return TextBlock.objects.filter(_theirs(user)).select_related("office", "owner")


def macros_of(user: User) -> QuerySet[Macro]:
    """The macros that a person may use. One query."""
    related = ("office", "owner", "target", "subcategory")
    return Macro.objects.filter(_theirs(user)).select_related(*related)


def offered(
    user: User, use: str, complaint: Complaint | None = None
) -> list[TextBlock]:
    """The blocks for one place with their variables filled in (`said`), those with a key
    first, one's own before the office's where two claim a digit. One query."""
    rows = list(blocks_of(user).filter(use=use))
    if complaint is not None:
        rows = [row for row in rows if row.group in ("", complaint.category)]
    rows.sort(key=lambda row: (row.digit or 99, row.owner_id is None, row.title))
    values = _values(user, complaint, any("{due}" in row.body for row in rows))
    taken: set[int] = set()
    for row in rows:
        row.said = fill(row.body, values)  # type: ignore[attr-defined]
        row.digit = None if row.digit in taken else row.digit
        taken |= {row.digit} if row.digit else set()
    return rows


def _values(user: User, complaint: Complaint | None, wants_due: bool) -> dict[str, str]:
    office = user.postings_now[0].office.name if user.postings_now else ""
    values = {"agent": user.full_name, "office": office}
    if complaint is not None:
        customer = complaint.customer.name_for(user) if complaint.customer else ""
        due = _promise(complaint) if wants_due else None
        values |= {
            "ref": complaint.ref,
            "item": complaint.item_no,
            "customer": customer or complaint.caller_name,
            "due": localtime(due).strftime("%Y-%m-%d %H:%M") if due else "",
        }
    return values


def _promise(complaint: Complaint) -> datetime | None:
    """What may be promised: the next limit to come; none when all have passed."""
    waiting = complaint.milestones.filter(met_at=None, due_at__gt=now())
    return waiting.order_by("due_at").values_list("due_at", flat=True).first()


def filled(body: str, user: User, complaint: Complaint) -> str:
    """`body` with its variables, for a work order and who writes."""
    return fill(body, _values(user, complaint, "{due}" in body))


def fill(body: str, values: dict[str, str]) -> str:
    """`body` with its {variables}; what is not known leaves a gap."""
    return _BRACES.sub(lambda found: values.get(found[1]) or UNKNOWN, body)


def banned_in(said: str, office: Office | None) -> list[BannedPhrase]:
    """Which phrases of the house, of `office` and of all above stand in `said`."""
    over = _paths_over([office] if office else [])
    rows = BannedPhrase.objects.filter(Q(office=None) | Q(office__path__in=over))
    plain = "".join(said.split())
    return [row for row in rows if row.phrase in plain]


@transaction.atomic
def save_block(block: TextBlock | Macro, *, by: User) -> None:
    """Keep one's own block or macro, or one of an office that `by` supervises."""
    require(by, "text.keep")
    if block.office is not None:
        require(by, "text.share", block.office)
    elif block.owner_id != by.pk:
        raise PermissionDenied("text.keep")
    block.save()
    audit.record(by, "text.kept", block, office=block.office)


@transaction.atomic
def remove_block(block: TextBlock | Macro, *, by: User) -> None:
    if block.office is not None:
        require(by, "text.share", block.office)
    elif block.owner_id != by.pk:
        raise PermissionDenied("text.keep")
    audit.record(by, "text.removed", block, office=block.office)
    block.delete()


@transaction.atomic
def ban(phrase: BannedPhrase, *, by: User) -> None:
    """A phrase that no answer of the office and below may contain."""
    require(by, "text.share", phrase.office)
    phrase.save()
    audit.record(by, "text.banned", phrase, office=phrase.office)


@transaction.atomic
def allow(phrase: BannedPhrase, *, by: User) -> None:
    """Lift an office's own ban; the house's stand."""
    if phrase.office is None:
        raise PermissionDenied("text.share")
    require(by, "text.share", phrase.office)
    audit.record(by, "text.allowed", phrase, office=phrase.office)
    phrase.delete()
