"""Programmes on their way: drafted, issued by another, taken over by the branches, adjusted
to what the issuing office wants, revised by results, closed.

Sources: R-KPI-31, 57…61, 64; R-ORG-34, 51.
"""

from collections.abc import Iterable
from datetime import date

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import HOUSE_LANGUAGE, tell
from crm.org.models import Office
from crm.programmes.models import Adoption, Programme, Step

State, Taken = Programme.State, Adoption.State
CAME = gettext_noop("A programme wants your office's plan")
RETURNED = gettext_noop("Your plan for a programme is to be adjusted")
REVISED = gettext_noop("A programme is revised")
LATE = gettext_noop("A milestone of a programme is late")
# (month, day, words): R-KPI-57…61
WALK_STEPS = (
    (4, 30, gettext_noop("Revise the service standards")),
    (4, 30, gettext_noop("Branches begin their walkthroughs")),
    (8, 31, gettext_noop("The new service system is in place at the branches")),
    (9, 30, gettext_noop("Inspect all branches alike")),
    (12, 31, gettext_noop("Check by service patrols")),
)


@transaction.atomic
def write(programme: Programme, *, by: User, steps: Iterable[Step] = ()) -> Programme:
    """A new draft; walkthroughs get their usual milestones that lie in its time."""
    require(by, "programme.manage", programme.office)
    programme.made_by = by
    programme.save()
    if programme.kind == Programme.Kind.WALKTHROUGH:
        steps = [*steps, *_usual_steps(programme)]
    for step in steps:
        step.programme = programme
    Step.objects.bulk_create(steps)
    audit.record(by, "programme.written", programme, office=programme.office)
    return programme


def _usual_steps(programme: Programme) -> list[Step]:
    year = programme.first.year
    with override(HOUSE_LANGUAGE):
        return [
            Step(due_on=date(year, month, day), what=_(words))
            for month, day, words in WALK_STEPS
            if programme.first <= date(year, month, day) <= programme.last
        ]


def locked(programme: Programme, *states: str) -> Programme:
    """Refused("programme.state") when it is in none of the states."""
    rows = Programme.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.filter(pk=programme.pk).first()  # none: thrown away meanwhile
    if row is None or row.state not in states:
        raise Refused("programme.state", _("The programme is not at this step."))
    return row


@transaction.atomic
def edit(programme: Programme, *, by: User) -> Programme:
    """Change a draft: then who changed it is its writer, and another issues it."""
    row = locked(programme, State.DRAFT)
    require(by, "programme.manage", row.office)
    require(by, "programme.manage", programme.office)
    programme.made_by = by
    programme.save()
    audit.record(by, "programme.edited", programme, office=programme.office)
    return programme


@transaction.atomic
def drop(programme: Programme, *, by: User) -> None:
    """Throw a draft away."""
    row = locked(programme, State.DRAFT)
    require(by, "programme.manage", row.office)
    audit.record(by, "programme.dropped", row, office=row.office)
    row.delete()


@transaction.atomic
def add_step(programme: Programme, step: Step, *, by: User) -> Step:
    row = locked(programme, State.DRAFT, State.ISSUED)
    require(by, "programme.manage", row.office)
    step.programme = row
    step.save()
    return step


@transaction.atomic
def issue(programme: Programme, *, by: User) -> Programme:
    """Another than who drafted it puts it under way; the offices one level down are asked
    for their plans. Refused("programme.same"). Twice is once."""
    row = locked(programme, State.DRAFT, State.ISSUED)
    require(by, "programme.manage", row.office)
    if row.state == State.ISSUED:
        return row
    if by.pk == row.made_by_id:
        raise Refused("programme.same", _("Whoever wrote it cannot issue it."))
    row.state, row.issued_by, row.issued_at = State.ISSUED, by, now()
    row.save()
    below = Office.objects.active().under(row.office).filter(depth=row.office.depth + 1)
    Adoption.objects.bulk_create(
        (
            Adoption(programme=row, office=office)
            for office in below.filter(kind=Office.Kind.BUREAU)
        ),
        ignore_conflicts=True,
    )
    for adoption in row.adoptions.select_related("office"):
        tell_supervisors(adoption.office, CAME, row, "came")
    audit.record(by, "programme.issued", row, office=row.office)
    return row


def tell_supervisors(
    office: Office, subject: str, programme: Programme, what: str
) -> None:
    """News of a programme for the supervisors of an office, once for each `what`."""
    for posting in Posting.objects.leading(office.path):
        tell(
            posting.user,
            "programme",
            subject=subject,
            body=programme.title,
            url=programme.get_absolute_url(),
            key=f"programme:{programme.pk}:{what}:{posting.user_id}",
        )


def _require_seen(row: Programme, seen: str) -> None:
    """That the waiting revision is the one that a page has shown; browsers send CRLF."""
    if "".join(seen.split()) != "".join(row.wanted.split()):
        raise Refused(
            "revision.seen", _("It was written anew meanwhile: read it again.")
        )


@transaction.atomic
def revise(programme: Programme, *, by: User, text: str, seen: str = "") -> Programme:
    """The issuing office wants the plan revised by what came of it: the plan stands until
    another issues the revision. A second one takes the place of the first, which its writer
    has read (`seen`); else Refused("revision.seen")."""
    row = locked(programme, State.ISSUED)
    require(by, "programme.manage", row.office)
    _require_seen(row, seen)
    row.wanted, row.wanted_by = text, by
    row.save(update_fields=["wanted", "wanted_by"])
    audit.record(by, "programme.revision_written", row, office=row.office)
    return row


@transaction.atomic
def issue_revision(programme: Programme, *, by: User, seen: str) -> Programme:
    """Another than who wrote it issues the revision; the branches see which one stands.

    Refused: "revision.none", "revision.same", and "revision.seen" when it was written anew
    since `by` read it (`seen`, its text).
    """
    row = locked(programme, State.ISSUED)
    require(by, "programme.manage", row.office)
    if not row.wanted:
        raise Refused("revision.none", _("There is no revision."))
    if by.pk == row.wanted_by_id:
        raise Refused("revision.same", _("Whoever wrote it cannot issue it."))
    _require_seen(row, seen)
    row.text, row.revision = row.wanted, row.revision + 1
    row.wanted, row.wanted_by = "", None
    row.save(update_fields=["text", "revision", "wanted", "wanted_by"])
    for adoption in row.adoptions.select_related("office"):
        what = f"revised:{row.revision}"
        tell_supervisors(adoption.office, REVISED, row, what)
    details = {"revision": row.revision}
    audit.record(by, "programme.revised", row, office=row.office, details=details)
    return row


@transaction.atomic
def drop_revision(programme: Programme, *, by: User, seen: str) -> Programme:
    """The plan stays as it is. Refused: "revision.none", "revision.seen"."""
    row = locked(programme, State.ISSUED)
    require(by, "programme.manage", row.office)
    if not row.wanted:
        raise Refused("revision.none", _("There is no revision."))
    _require_seen(row, seen)
    row.wanted, row.wanted_by = "", None
    row.save(update_fields=["wanted", "wanted_by"])
    audit.record(by, "programme.revision_dropped", row, office=row.office)
    return row


@transaction.atomic
def close(programme: Programme, *, by: User, result: str) -> Programme:
    """It is over; what came of it is written down."""
    row = locked(programme, State.ISSUED)
    require(by, "programme.manage", row.office)
    row.state, row.result = State.CLOSED, result
    row.wanted, row.wanted_by = "", None
    row.save(update_fields=["state", "result", "wanted", "wanted_by"])
    audit.record(by, "programme.closed", row, office=row.office)
    return row


@transaction.atomic
def step_done(step: Step, *, by: User) -> None:
    """A milestone is reached. Twice is once."""
    row = Step.objects.select_for_update(of=("self",)).get(pk=step.pk)
    require(by, "programme.manage", step.programme.office)
    if row.done_at is None:
        row.done_at, row.done_by = now(), by
        row.save(update_fields=["done_at", "done_by"])


def _adoption(adoption: Adoption) -> Adoption:
    rows = Adoption.objects.select_for_update(of=("self",))
    row = rows.select_related("office", "programme__office").get(pk=adoption.pk)
    if row.programme.state != State.ISSUED:
        raise Refused("programme.state", _("The programme is not under way."))
    return row


@transaction.atomic
def file_plan(adoption: Adoption, *, by: User, text: str) -> Adoption:
    """A branch files its plan, or the adjusted one."""
    row = _adoption(adoption)
    if not any(post.office_id == row.office_id for post in by.posts(Role.SUPERVISOR)):
        raise PermissionDenied("programme.manage")
    row.text, row.state, row.demand = text, Taken.FILED, ""
    row.filed_by, row.filed_at = by, now()
    row.save()
    audit.record(by, "programme.plan_filed", row.programme, office=row.office)
    return row


@transaction.atomic
def answer_plan(adoption: Adoption, *, by: User, demand: str = "") -> Adoption:
    """The issuing office agrees to a branch's plan, or says what is to be adjusted.
    Refused("adoption.state") when none is filed."""
    row = _adoption(adoption)
    require(by, "programme.manage", row.programme.office)
    if by.pk == row.filed_by_id:
        raise Refused("adoption.same", _("Whoever filed a plan does not answer it."))
    if row.state != Taken.FILED and not (demand and row.state == Taken.AGREED):
        raise Refused("adoption.state", _("There is no plan to answer."))
    row.state, row.demand = (Taken.RETURNED if demand else Taken.AGREED), demand
    row.save(update_fields=["state", "demand"])
    if demand:
        what = f"returned:{row.pk}:{row.filed_at}"
        tell_supervisors(row.office, RETURNED, row.programme, what)
    name = "programme.plan_returned" if demand else "programme.plan_agreed"
    audit.record(by, name, row.programme, office=row.office)
    return row


def late_step(job: Job) -> bool:
    """Job, daily: supervisors are told of a late milestone, once. Twice tells once."""
    late = Step.objects.filter(
        done_at=None, due_on__lt=localdate(), programme__state=State.ISSUED
    )
    for row in late.select_related("programme__office"):
        tell_supervisors(row.programme.office, LATE, row.programme, f"late:{row.pk}")
    return True
