"""The tables that KPIs count rows of: which rows are of some days, and how one is shown."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.timezone import localdate, make_aware, now

from complaints.models import Call, CoHandler, Complaint, Milestone, QualityCheck
from complaints.workflow import State
from crm.dashboards.models import ServiceCost
from crm.dashboards.registry import Line, Rows
from crm.library.models import Document, Reading
from crm.programmes.models import TakingPart, UnitRequest
from customers.models import Customer, Opportunity, Receivable
from customers.queries import add_months
from delivery.models import Invitation, Visit


def moments_of(first: date, last: date) -> tuple[datetime, datetime]:
    """From the first moment of the first day to the first one after the last."""
    begins, ends = (
        make_aware(datetime.combine(day, time()))
        for day in (first, last + timedelta(1))
    )
    return begins, ends


def _within(name: str, first: date, last: date) -> dict[str, datetime]:
    begins, ends = moments_of(first, last)
    return {f"{name}__gte": begins, f"{name}__lt": ends}


def _order_line(row: Complaint) -> Line:
    url = reverse("complaints:detail", args=[row.ref])
    return Line(row.ref, url, row.opened_at, row.get_category_display())


def _opened(first: date, last: date) -> QuerySet:
    return Complaint.objects.filter(
        merged_into=None, **_within("opened_at", first, last)
    )


def _closed(first: date, last: date) -> QuerySet:
    return Complaint.objects.filter(
        merged_into=None, **_within("closed_at", first, last)
    )


def _clocks(first: date, last: date) -> QuerySet:
    """Clocks whose time has come: those that run, or stand still while the work order waits
    for its customer, cannot be judged yet."""
    rows = Milestone.objects.filter(complaint__merged_into=None)
    rows = rows.exclude(
        met_at=None, minutes__isnull=False, complaint__state=State.SUSPENDED
    )
    rows = rows.annotate(until=Coalesce("extended_to", "due_at"))
    return rows.filter(until__lte=now(), **_within("until", first, last))


def _clock_line(row: Milestone) -> Line:
    url = reverse("complaints:detail", args=[row.complaint.ref])
    until: Any = row
    return Line(row.complaint.ref, url, until.until, row.get_kind_display())


def _calls(first: date, last: date) -> QuerySet:
    return Call.objects.exclude(call_id=None).filter(**_within("rang_at", first, last))


def _call_line(row: Call) -> Line:
    order = row.complaint
    url = reverse("complaints:detail", args=[order.ref]) if order else ""
    return Line(
        order.ref if order else "—", url, row.rang_at, row.get_wrap_up_display()
    )


def _answered(first: date, last: date) -> QuerySet:
    rows = Invitation.objects.filter(rating__isnull=False)
    return rows.filter(**_within("answered_at", first, last))


def _asked(first: date, last: date) -> QuerySet:
    return Invitation.objects.filter(**_within("sent_at", first, last))


def _invitation_line(row: Invitation) -> Line:
    of_order = row.source == "complaints"
    url = reverse("complaints:detail", args=[row.subject]) if of_order else ""
    rating = "" if row.rating is None else f"{row.rating} / 5"
    return Line(row.subject, url, row.answered_at or row.sent_at, rating)


def _visits(first: date, last: date) -> QuerySet:
    """Visits whose last day has come, without those that were dropped."""
    rows = Visit.objects.exclude(state=Visit.State.DROPPED)
    return rows.filter(due_on__range=(first, min(last, localdate())))


def _visit_line(row: Visit) -> Line:
    url = row.get_absolute_url()
    return Line(row.customer.code, url, row.due_on, row.get_state_display())


def _bills(first: date, last: date) -> QuerySet:
    return Receivable.objects.filter(
        due_on__range=(first, min(last, localdate()))
    ).annotate(unpaid=F("amount") - F("paid"))


def _bill_line(row: Receivable) -> Line:
    unpaid: Any = row
    url = row.customer.get_absolute_url()
    return Line(
        f"{row.customer.code} {row.number}", url, row.due_on, f"{unpaid.unpaid}"
    )


def _customers(_first: date, last: date) -> QuerySet:
    """Customers that an office had at the end of the days."""
    _begins, ends = moments_of(last, last)
    return Customer.objects.filter(merged_into=None, created_at__lt=ends)


def _customer_line(row: Customer) -> Line:
    return Line(row.code, row.get_absolute_url(), row.created_at)


def _projects(first: date, last: date) -> QuerySet:
    return Opportunity.objects.filter(
        customer__merged_into=None, **_within("created_at", first, last)
    )


def _project_line(row: Opportunity) -> Line:
    url = row.customer.get_absolute_url()
    return Line(row.title, url, row.created_at, row.get_stage_display())


def _help(first: date, last: date) -> QuerySet:
    return CoHandler.objects.filter(
        rating__isnull=False, **_within("replied_at", first, last)
    )


def _help_line(row: CoHandler) -> Line:
    url = reverse("complaints:detail", args=[row.complaint.ref])
    return Line(row.complaint.ref, url, row.replied_at, f"{row.rating} / 5")


def _checks(first: date, last: date) -> QuerySet:
    return QualityCheck.objects.filter(
        score__isnull=False, **_within("checked_at", first, last)
    )


def _check_line(row: QualityCheck) -> Line:
    url = reverse("complaints:detail", args=[row.complaint.ref])
    return Line(row.complaint.ref, url, row.checked_at, f"{row.score}")


def _readings(first: date, last: date) -> QuerySet:
    """Who had to read promises that held at the end of the days; read by then or not."""
    _begins, ends = moments_of(first, last)
    rows = Reading.objects.filter(
        Q(edition__replaced_on=None) | Q(edition__replaced_on__gt=last),
        edition__document__kind=Document.Kind.PROMISE,
        edition__effective_on__lte=last,
        asked_at__lt=ends,
    )
    return rows.annotate(was_read=Q(read_at__isnull=False, read_at__lt=ends))


def _reading_line(row: Reading) -> Line:
    document = row.edition.document
    return Line(f"{row.user}", document.get_absolute_url(), row.read_at, f"{document}")


def _parts(first: date, last: date) -> QuerySet:
    """Who was to take part in contests and training of the days that have come."""
    return TakingPart.objects.filter(
        event__held_on__range=(first, min(last, localdate()))
    )


def _part_line(row: TakingPart) -> Line:
    url = row.event.get_absolute_url()
    return Line(f"{row.user}", url, row.event.held_on, f"{row.event}")


def _asked_of_units(first: date, last: date) -> QuerySet:
    """Requests of units whose time has come."""
    rows = UnitRequest.objects.filter(due_at__lte=now())
    rows = rows.exclude(state=UnitRequest.State.WITHDRAWN)
    return rows.filter(**_within("due_at", first, last))


def _unit_request_line(row: UnitRequest) -> Line:
    return Line(
        row.subject, row.get_absolute_url(), row.due_at, row.get_state_display()
    )


ORDER = ("complaint",)
OF_CUSTOMER = ("customer",)


def _costs(first: date, last: date) -> QuerySet:
    """Of the whole months in the days: a part of a month has no cost of its own."""
    following = last + timedelta(1)
    return ServiceCost.objects.filter(
        month__gte=first, month__lte=add_months(following.replace(day=1), -1)
    )


def _cost_line(row: ServiceCost) -> Line:
    url = (
        f"{reverse('dashboards:costs')}?office={row.office.code}&year={row.month.year}"
    )
    return Line(
        f"{row.office}", url, row.month, f"{row.get_kind_display()} {row.amount}"
    )


PARTS = Rows("parts", _parts, "office", _part_line, ("user", "event"), "user")
UNIT_REQUESTS = Rows("unit_requests", _asked_of_units, "asked", _unit_request_line)
READINGS = Rows(
    "readings",
    _readings,
    "office",
    _reading_line,
    ("user", "edition__document"),
    "user",
)
ORDERS = Rows("orders", _opened, "handling_office", _order_line, person="owner")
TAKEN = Rows("taken", _opened, "office", _order_line, person="created_by")
CLOSED = Rows("closed", _closed, "handling_office", _order_line, person="owner")
CLOCKS = Rows(
    "clocks",
    _clocks,
    "complaint__handling_office",
    _clock_line,
    ORDER,
    "complaint__owner",
)
CALLS = Rows("calls", _calls, "office", _call_line, ORDER, "user")
ANSWERED = Rows("answered", _answered, "office", _invitation_line)
ASKED = Rows("asked", _asked, "office", _invitation_line)
VISITS = Rows(
    "visits", _visits, "customer__office", _visit_line, OF_CUSTOMER, "visitor"
)
BILLS = Rows(
    "bills", _bills, "customer__office", _bill_line, OF_CUSTOMER, "customer__manager"
)
CUSTOMERS = Rows("customers", _customers, "office", _customer_line)
PROJECTS = Rows(
    "projects",
    _projects,
    "customer__office",
    _project_line,
    OF_CUSTOMER,
    "customer__manager",
)
COSTS = Rows("costs", _costs, "office", _cost_line, ("office",))
HELP = Rows("help", _help, "office", _help_line, ORDER, "replied_by")
CHECKS = Rows("checks", _checks, "office", _check_line, ORDER, "agent")


def seconds(count: int) -> Value:
    """So many seconds, for adding to a moment in a condition."""
    return Value(timedelta(seconds=count))
