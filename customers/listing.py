"""The customer list as data: filters, columns, views, actions on all that match.

A selection is written as in the address ("segment=contract&whose=mine"): the list, a saved
view, an export and a bulk action read the same words and get the same rows.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.text import capfirst
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from customers import records
from customers.forms import FilterForm
from customers.models import Customer, CustomerAddress, SavedView
from customers.queries import retention_group
from customers.watching import STALE_TASK_DAYS, make_task

PLAIN = ("segment", "kind", "strategic_class", "industry", "list_state")
KEPT = (
    *("office", "group", "base", "current", "whose", "unverified", "address"),
    *PLAIN[2:],
)
# Columns that may be added to the usual ones; each is a plain field of the record.
EXTRA = (
    "industry",
    "nature",
    "size",
    "strategic_class",
    "source",
    "list_state",
    "membership",
    "verified_on",
)
BULK_ROWS = 200  # a step
BULK_MOST = 50_000


def shown_columns(written: str) -> list[tuple[str, str]]:
    """(field, label) for the extra columns named in an address; unknown names are dropped."""
    wanted = set(written.split(","))
    return [(name, label_of(name)) for name in EXTRA if name in wanted]


def label_of(name: str) -> str:
    field: Any = Customer._meta.get_field(name)
    return capfirst(str(field.verbose_name))


def filtered(user: User, chosen: dict[str, Any]) -> QuerySet[Customer]:
    """Visible customers under clean filters. Http404 for an office that is not one's own."""
    rows: QuerySet[Customer] = Customer.objects.visible_to(user)
    for name in PLAIN:
        if chosen[name]:
            rows = rows.filter(**{name: chosen[name]})
    if chosen["office"]:
        office = get_object_or_404(offices_of(user), code=chosen["office"])
        rows = rows.filter(office__path__startswith=office.path)
    if chosen["whose"]:
        mine = Q(manager=user) | Q(assistant=user)
        rows = rows.filter(mine if chosen["whose"] == "mine" else Q(manager=None))
    rows = _by_upkeep(rows, chosen["unverified"], chosen["address"])
    if chosen["group"]:
        if not (chosen["base"] and chosen["current"]):
            raise Http404
        rows = retention_group(rows, chosen["group"], chosen["base"], chosen["current"])
    return rows


def _by_upkeep(
    rows: QuerySet[Customer], unverified: str, wanted: str
) -> QuerySet[Customer]:
    """Not checked for so many days; by the class of the best address, as the address
    quality page counts, or "none"."""
    if unverified:
        before = localdate() - timedelta(days=int(unverified))
        rows = rows.filter(Q(verified_on=None) | Q(verified_on__lt=before))
    if not wanted:
        return rows
    own = CustomerAddress.objects.filter(customer=OuterRef("pk"))
    if wanted == "none":
        return rows.filter(~Exists(own), erased_at=None)
    better = own.filter(quality__lt=wanted.upper())
    return rows.filter(
        Exists(own.filter(quality=wanted.upper())), ~Exists(better), erased_at=None
    )


def selection(user: Any, query: str) -> QuerySet[Customer]:
    """The rows that `user` sees now under a stored selection; Http404 if it is wrong."""
    form = FilterForm(QueryDict(query))
    if not form.is_valid():
        raise Http404
    return filtered(user, form.cleaned_data)


def clean_query(query: str) -> str:
    """A selection with known words only, in a fixed order. Http404 for wrong values."""
    data = QueryDict(query)
    form = FilterForm(data)
    if not form.is_valid():
        raise Http404
    kept = QueryDict(mutable=True)
    for name in [*form.fields, "cols"]:
        if data.get(name):
            kept[name] = data[name]
    if columns := shown_columns(data.get("cols", "")):
        kept["cols"] = ",".join(name for name, _label in columns)
    return kept.urlencode(safe=",.")[:300]


@transaction.atomic
def save_view(*, by: User, name: str, query: str, shared: bool) -> SavedView:
    """Keep a selection under a name; the same name again is the same view."""
    office = by.postings_now[0].office
    facts = {"query": clean_query(query), "is_shared": shared, "office": office}
    view, _made = SavedView.objects.update_or_create(
        owner=by, name=name, defaults=facts
    )
    return view


ACTIONS = ("assign", "assist", "check")


def count_bulk(*, by: User, action: str, query: str, person: User | None) -> int:
    """How many an action would reach. Refused("bulk.…") for nobody, too many, no person."""
    require(by, "customer.assign")
    if action not in ACTIONS:
        raise Http404
    if action != "check" and person is None:
        raise Refused("bulk.person", _("Choose a customer manager."))
    rows = selection(by, query).order_by()[: BULK_MOST + 1].count()
    if not rows:
        raise Refused("bulk.none", _("Nobody matches."))
    if rows > BULK_MOST:
        message = _("More than %(n)s match: narrow the list down.")
        raise Refused("bulk.many", message % {"n": BULK_MOST})
    return rows


@transaction.atomic
def start_bulk(*, by: User, action: str, query: str, person: User | None) -> Job:
    """Queue an action on all that match: "assign" and "assist" set a manager, "check" makes
    a task."""
    rows = count_bulk(by=by, action=action, query=query, person=person)
    params = {
        "action": action,
        "query": clean_query(query),
        "person": person and person.pk,
    }
    job = enqueue("customers.bulk", params, by=by)
    job.total_units = rows
    job.save(update_fields=["total_units"])
    audit.record(by, "customer.bulk_started", job, details=params)
    return job


def bulk_step(job: Job) -> bool:
    """Job: act on the next rows, by id; rights and rows are those of the actor now."""
    after = job.cursor.get("after", 0)
    rows = selection(job.actor, job.params["query"]).filter(pk__gt=after)
    found = list(rows.select_related("office").order_by("pk")[:BULK_ROWS])
    result = {"changed": 0, "left": 0, **job.result}
    for customer in found:
        done = _act(job, customer)
        result["changed" if done else "left"] += 1
    job.result, job.done_units = result, job.done_units + len(found)
    if len(found) < BULK_ROWS:
        return True
    job.cursor = {"after": found[-1].pk}
    return False


def _act(job: Job, customer: Customer) -> bool:
    """One customer; False when there was nothing to do or a rule says no."""
    if job.params["action"] == "check":
        due = localdate() + timedelta(days=STALE_TASK_DAYS)
        source = f"check:{job.pk}:{customer.pk}"
        make_task(customer, "stale", due_on=due, source=source).save()
        return True
    field = "manager_id" if job.params["action"] == "assign" else "assistant_id"
    other = "assistant_id" if field == "manager_id" else "manager_id"
    person, before = job.params["person"], getattr(customer, field)
    if person in (before, getattr(customer, other)):
        return False
    records.change_customer(
        customer, by=job.actor, before={field: before}, after={field: person}
    )
    return True
