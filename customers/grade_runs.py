"""Grading runs: computed by shards, proposed, approved by a second person, published."""

from datetime import date, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue, retry
from crm.org.models import Office
from customers import grading
from customers.grade_steps import shards_of
from customers.models import (
    GradeRun,
    GradeScheme,
)
from customers.queries import add_months
from customers.services import tell_supervisors

State = GradeRun.State
MONTHS = {"quarter": 3, "half_year": 6, "year": 12}


# --- schemes ----------------------------------------------------------------------------


@transaction.atomic
def save_scheme(
    scheme: GradeScheme, rules: grading.Rules, *, by: User | None
) -> GradeScheme:
    """Keep a draft. Refused("scheme.used") once a run has been made with it;
    grading.Wrong for rules that cannot be."""
    require(by, "grading.edit", scheme.office)
    grading.check(rules)
    if scheme.pk and scheme.runs.exists():
        message = _("A run was made with this version: change a copy of it.")
        raise Refused("scheme.used", message)
    scheme.rules = rules.as_json()
    scheme.made_by = scheme.made_by or by
    same = GradeScheme.objects.filter(office=scheme.office, name=scheme.name)
    others = same.exclude(pk=scheme.pk)
    if not scheme.pk or others.filter(version=scheme.version).exists():
        scheme.version = (others.aggregate(last=Max("version"))["last"] or 0) + 1
    scheme.save()
    details = {"version": scheme.version}
    audit.record(by, "scheme.saved", scheme, office=scheme.office, details=details)
    return scheme


@transaction.atomic
def copy_scheme(scheme: GradeScheme, *, by: User) -> GradeScheme:
    """The next version of a scheme, as a draft to be changed."""
    draft = GradeScheme(
        office=scheme.office,
        name=scheme.name,
        cycle=scheme.cycle,
        product=scheme.product,
        valid_from=localdate(),
        made_by=by,
    )
    return save_scheme(draft, scheme.parsed(), by=by)


@transaction.atomic
def delete_scheme(scheme: GradeScheme, *, by: User) -> None:
    """Throw a draft away. Refused("scheme.used") when a run rests on it."""
    require(by, "grading.edit", scheme.office)
    row = GradeScheme.objects.select_for_update().get(pk=scheme.pk)
    if row.runs.exists():
        message = _("A run rests on this scheme: it stays.")
        raise Refused("scheme.used", message)
    audit.record(by, "scheme.deleted", row, office=row.office)
    row.delete()


# --- computing --------------------------------------------------------------------------


def last_period_end(cycle: str, today: date | None = None) -> date:
    """The last day of the last whole quarter, half-year or year."""
    today, months = today or localdate(), MONTHS[cycle]
    first = today.replace(day=1)
    begun = add_months(first, -((first.month - 1) % months))
    return begun - timedelta(days=1)


@transaction.atomic
def start_run(
    scheme: GradeScheme, office: Office, until: date, *, by: User | None
) -> GradeRun:
    """Queue the assessment of an office's customers; again is the same run.

    Refused("run.office") outside the scheme's office, ("run.future") for days to come.
    """
    require(by, "grading.run", office)
    if not scheme.office.contains(office):
        raise Refused("run.office", _("The scheme does not hold for this office."))
    if until > localdate():
        raise Refused("run.future", _("This day has not come yet."))
    rows = GradeScheme.objects.select_for_update(of=("self",)).select_related("office")
    scheme = rows.get(pk=scheme.pk)
    if scheme.state == GradeScheme.State.DRAFT:  # a run ends its being a draft
        require(by, "grading.edit", scheme.office)
    live = GradeRun.objects.exclude(state=State.CANCELLED)
    if known := live.filter(scheme=scheme, office=office, until=until).first():
        return known
    above = [office.path[:end] for end in range(4, len(office.path) + 1, 4)]
    before = GradeRun.objects.filter(
        scheme__name=scheme.name,
        scheme__office=scheme.office,
        office__path__in=above,
        state=State.PUBLISHED,
        until__lt=until,
    )
    run = GradeRun.objects.create(
        scheme=scheme,
        office=office,
        until=until,
        before=before.order_by("-until", "-pk").first(),
        shards=len(shards_of(office)),
        made_by=by,
    )
    enqueue("customers.grade", {"run": run.pk}, by=by, key=f"grade:{run.pk}")
    audit.record(by, "grading.started", run, office=office)
    return run


# --- deciding ---------------------------------------------------------------------------


def _locked(run: GradeRun, *states: str) -> GradeRun:
    """The run, locked. Refused("run.state") unless it is in one of `states`."""
    rows = GradeRun.objects.select_for_update(of=("self",))
    row = rows.select_related("scheme", "office").get(pk=run.pk)
    if row.state not in states:
        raise Refused("run.state", _("The run has moved on meanwhile."))
    return row


@transaction.atomic
def cancel_run(run: GradeRun, *, by: User) -> GradeRun:
    """Give a run up that is not published; what it found goes."""
    row = _locked(run, State.COMPUTING, State.COMPUTED, State.PROPOSED)
    require(by, "grading.run", row.office)
    row.state = State.CANCELLED
    row.save(update_fields=["state"])
    row.assessments.all()._raw_delete(row.assessments.db)
    row.tallies.all().delete()
    audit.record(by, "grading.cancelled", row, office=row.office)
    return row


def stuck_jobs(run: GradeRun) -> list[Job]:
    """Parts of a run that have failed for good: with an error, waiting for a person."""
    kinds = ("customers.grade", "customers.grade_publish")
    rows = Job.objects.filter(kind__in=kinds, params__run=run.pk)
    return list(rows.filter(state=Job.State.FAILED))


@transaction.atomic
def resume_run(run: GradeRun, *, by: User) -> GradeRun:
    """Queue the failed parts again; what the others have found stays.

    Refused("run.state") when no part has failed.
    """
    row = _locked(run, State.COMPUTING, State.APPROVED)
    require(by, "grading.run", row.office)
    if not [job for job in stuck_jobs(row) if retry(job)]:
        raise Refused("run.state", _("The run has moved on meanwhile."))
    audit.record(by, "grading.resumed", row, office=row.office)
    return row


@transaction.atomic
def propose_run(run: GradeRun, *, by: User) -> GradeRun:
    row = _locked(run, State.COMPUTED)
    require(by, "grading.run", row.office)
    row.state, row.proposed_by = State.PROPOSED, by
    row.save(update_fields=["state", "proposed_by"])
    audit.record(by, "grading.proposed", row, office=row.office)
    subject = _("Grades of %(office)s wait for your approval") % {"office": row.office}
    url, key = row.get_absolute_url(), f"grade_run:{row.pk}"
    tell_supervisors(row.office, subject, key=key, url=url, but=by)
    return row


@transaction.atomic
def approve_run(run: GradeRun, *, by: User) -> GradeRun:
    """The second person's word; the publishing job follows. Refused("run.self")."""
    row = _locked(run, State.PROPOSED)
    require(by, "grading.approve", row.office)
    if row.proposed_by_id == by.pk:
        raise Refused("run.self", _("Somebody else must approve what you proposed."))
    row.state, row.approved_by = State.APPROVED, by
    row.save(update_fields=["state", "approved_by"])
    audit.record(by, "grading.approved", row, office=row.office)
    params = {"run": row.pk}
    enqueue("customers.grade_publish", params, by=by, key=f"publish:{row.pk}")
    return row
