"""Who is hit by a leak: whatever somebody, or one file, has disclosed in a time.

Source: reliability.md B46; Personal Information Protection Law, art. 57 (what a notice says);
domain.md 2.5. Read from the trail, which writes every disclosure down before it is made.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import PrintFile
from complaints.models import Complaint
from crm.access.models import User
from crm.audit.models import AuditEvent
from crm.text import mask_name
from customers.models import Customer, Export, RecipientList

CHUNK = 2_000
# action → what it shows; the trail's targets lead to the customers.
SHOWS: dict[str, Any] = {
    "customer.revealed": gettext_lazy("phone, address or ID number"),
    "customer.looked_up": gettext_lazy("name and card by phone number"),
    "customer.likely_looked_up": gettext_lazy("name and card by name or number"),
    "win.phone_list": gettext_lazy("names and phones of winners"),
    "customer.data_exported": gettext_lazy("everything that is kept"),
    "contract.file_read": gettext_lazy("contract"),
    "complaint.revealed": gettext_lazy("phone of the caller"),
    "complaint.file_read": gettext_lazy("files of a work order"),
    "recipients.read": gettext_lazy("recipients entrusted to us"),
    "print.fetched": gettext_lazy("names and addresses of printed cards"),
    "export.fetched": gettext_lazy("list of customers, phones masked"),
}
# These name who was found in their details, not by their target.
NAMED = ("customer.looked_up", "customer.likely_looked_up", "win.phone_list")
HAND_BACK = gettext_lazy("whole list of recipients, clear")


@dataclass
class Hit:
    """One customer, and what of theirs was shown how often, from when to when."""

    customer: int
    code: str = ""
    name: str = ""
    office: str = ""
    what: set[str] = field(default_factory=set)
    times: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(
        self, what: str, times: int, first: datetime | None, last: datetime | None
    ) -> None:
        self.what.add(what)
        self.times += times
        if first and last:
            self.first = min(filter(None, (self.first, first)))
            self.last = max(filter(None, (self.last, last)))


@dataclass
class Report:
    """The customers hit; of recipients entrusted by customers how many; what of the trail
    could not be led to a customer any more."""

    hits: list[Hit]
    recipients: int
    unknown: int


def report(
    *,
    actor: User | None = None,
    export: Export | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Report:
    """Everybody hit, the most often shown first. Without an actor or a file, everything
    that anybody saw in the time: ValueError without a time then.

    Cost: one GROUP BY of the trail on its index, and one query for each 2,000 customers.
    """
    if actor is None and export is None and not (since and until):
        raise ValueError("a breach is of somebody, of a file, or of a time")
    events = AuditEvent.objects.filter(action__in=SHOWS, result="ok")
    if actor:
        events = events.filter(actor=actor)
    if export:
        events = events.filter(
            action="export.fetched", target=f"{Export._meta.label_lower}:{export.pk}"
        )
    if since:
        events = events.filter(at__gte=since)
    if until:
        events = events.filter(at__lt=until)
    hits: dict[int, Hit] = {}
    found = _Found(hits)
    grouped = events.order_by().values("action", "target")
    for line in grouped.annotate(n=Count("pk"), first=Min("at"), last=Max("at")):
        found.add(line)
    found.add_looks(events)
    found.resolve()
    if export and not found.files:  # made but never fetched: the file itself may leak
        found.add_file(export, 0, export.ready_at, export.ready_at)
    _name(hits)
    ranked = sorted(hits.values(), key=lambda hit: (-hit.times, hit.code))
    return Report(ranked, len(found.recipients), found.unknown)


class _Found:
    """Collects lines of the trail until their customers can be asked for together."""

    def __init__(self, hits: dict[int, Hit]) -> None:
        self.hits = hits
        self.later: dict[str, dict[str, list]] = defaultdict(dict)
        self.recipients: set[int] = set()
        self.files: set[str] = set()
        self.unknown = 0

    def hit(self, customer: int, *facts: Any) -> None:
        self.hits.setdefault(customer, Hit(customer)).add(*facts)

    def add(self, line: Any) -> None:
        if line["action"] in NAMED:
            return
        label, _sep, pk = line["target"].partition(":")
        facts = (
            str(SHOWS[line["action"]]),
            line["n"],
            line["first"],
            line["last"],
        )
        if label == Customer._meta.label_lower:
            self.hit(int(pk), *facts)
        else:
            self.later[label].setdefault(pk, []).append(facts)

    def add_looks(self, events: Any) -> None:
        """Looks at several at once: the trail names who was found. Older rows of the trail
        do not, and are counted as unknown."""
        looks = events.filter(action__in=NAMED)
        lines = looks.values_list("action", "at", "details")
        for name, at, details in lines.iterator():
            self.unknown += "found" not in details
            self.recipients |= set(details.get("recipients", []))
            for pk in details.get("found", []):
                self.hit(pk, str(SHOWS[name]), 1, at, at)

    def resolve(self) -> None:
        """Targets that are no customers: their customers."""
        contexts = (
            (Complaint, "customer_id"),
            (RecipientList, "customer_id"),
            (PrintFile, "run__order__customer_id"),
        )
        for model, column in contexts:
            waiting = self.later.pop(model._meta.label_lower, {})
            rows: Any = model._default_manager.filter(pk__in=waiting)
            known = {str(pk): found for pk, found in rows.values_list("pk", column)}
            for pk, lines in waiting.items():
                customer = known.get(pk)
                for facts in lines:
                    if customer is not None:
                        self.hit(customer, *facts)
                    elif (
                        model is not PrintFile or pk not in known
                    ):  # reports name nobody
                        self.unknown += facts[1]
        files = self.later.pop(Export._meta.label_lower, {})
        for row in Export.objects.filter(pk__in=files).select_related("recipients"):
            for _words, n, first, last in files[str(row.pk)]:
                self.add_file(row, n, first, last)
        self.unknown += sum(
            facts[1]
            for waiting in self.later.values()
            for lines in waiting.values()
            for facts in lines
        )

    def add_file(self, row: Export, n: int, first: Any, last: Any) -> None:
        """Everybody in a file that was fetched `n` times."""
        self.files.add(str(row.pk))
        subjects = row.subjects or []
        if row.recipients_id is None:
            for pk in subjects:
                self.hit(pk, str(SHOWS["export.fetched"]), n, first, last)
        else:
            self.recipients |= set(subjects)
            self.hit(row.recipients.customer_id, str(HAND_BACK), n, first, last)  # type: ignore[union-attr]
        if row.subjects is None:
            self.unknown += row.rows


def _name(hits: dict[int, Hit]) -> None:
    """Code, masked name and office of the customers; those erased keep their number."""
    keys = sorted(hits)
    for start in range(0, len(keys), CHUNK):
        rows = Customer.objects.filter(pk__in=keys[start : start + CHUNK])
        for row in rows.select_related("office"):
            hit = hits[row.pk]
            hit.code, hit.office = row.code, row.office.name
            is_person = row.kind == Customer.Kind.INDIVIDUAL
            hit.name = mask_name(row.name) if is_person else row.name
    for hit in hits.values():
        hit.code = hit.code or f"#{hit.customer}"


def notices(found: Report, cause: str, measures: str) -> dict[str, str]:
    """The notices to the persons and to the authorities, drafted (PIPL, art. 57: kinds of
    data, cause, possible harm, what was done, what one may do, whom to ask)."""
    what = "、".join(sorted({str(one) for hit in found.hits for one in hit.what}))
    days = [hit.first for hit in found.hits if hit.first]
    lasts = [hit.last for hit in found.hits if hit.last]
    facts = {
        "what": what or "—",
        "first": f"{localtime(min(days)):%Y-%m-%d %H:%M}" if days else "—",
        "last": f"{localtime(max(lasts)):%Y-%m-%d %H:%M}" if lasts else "—",
        "n": len(found.hits),
        "recipients": found.recipients,
        "cause": cause or "…",
        "measures": measures or "…",
    }
    person = _(
        "Dear customer,\n\nbetween %(first)s and %(last)s data of yours that we keep may "
        "have been disclosed: %(what)s.\nCause: %(cause)s\nWhat may follow: unwanted or "
        "fraudulent calls and messages. Nobody of ours asks you for passwords or codes.\n"
        "What we have done: %(measures)s\nWhat you can do: hang up on such calls, report "
        "them to the police, and ask us under 11183."
    )
    authority = _(
        "Report of a leak of personal information\n\nNoticed and read from our records: "
        "between %(first)s and %(last)s, %(n)s customers and %(recipients)s recipients.\n"
        "Kinds of data: %(what)s\nCause: %(cause)s\nMeasures: %(measures)s\n"
        "Persons concerned are being told. Contact: 11183."
    )
    return {"persons": person % facts, "authority": authority % facts}


def lines(found: Report) -> list[list]:
    """As a file: one customer a row."""
    head = [_("Customer code"), _("Name"), _("Office"), _("What was shown")]
    rows: list[list] = [[*head, _("Times"), _("First"), _("Last")]]
    for hit in found.hits:
        first, last = (
            f"{localtime(at):%Y-%m-%d %H:%M}" if at else ""
            for at in (hit.first, hit.last)
        )
        what = "; ".join(sorted(hit.what))
        rows.append([hit.code, hit.name, hit.office, what, hit.times, first, last])
    return rows
