"""A season from its opening to its end: base, issue, close, and what is noted of customers.

Sources: R-CAM-04…10, 19…21, R-ORG-02, 03, R-VIS-01, R-VIS-04.
"""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from campaigns import leftovers
from campaigns.figures import group_of
from campaigns.models import (
    OrientationReview,
    Season,
    SeasonMember,
)
from campaigns.models.plan import REQUIRED, Department
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers.models import Customer
from delivery import plans
from delivery.models import VisitPlan, VisitType

State = Season.State
FACTS = (  # what a form may change
    *("code", "name", "previous", "first_day", "last_day", "posting_on", "draw_on"),
    *("purpose", "content", "retention_target", "new_target", "follow_up_target"),
    *("won_back_counts", "pre_visits_wanted", "revenue_target", "customers_target"),
    *("share_target", "slogan", "prize_digits"),
)
FOLLOW_UP_DAYS = 45  # that managers have for the visits after a season


def locked(season: Season) -> Season:
    """The season's row, locked. Refused("season.closed") when it is over."""
    rows = Season.objects.select_for_update(of=("self",))
    row = rows.select_related("office", "previous").get(pk=season.pk)
    if not row.is_open:
        raise Refused("season.closed", _("This season is closed."))
    return row


@transaction.atomic
def keep(season: Season, *, by: User | None) -> Season:
    """Open a season or change its facts. Refused("season.previous"), ("season.base")."""
    require(by, "season.plan", season.office)
    previous = season.previous
    if previous and previous.first_day >= season.first_day:
        message = _("The season before must begin earlier.")
        raise Refused("season.previous", message)
    if season.pk:
        old = locked(season)
        require(by, "season.plan", old.office)
        if old.base_frozen_at and old.previous_id != season.previous_id:
            message = _("The base is frozen: the season before stays as it is.")
            raise Refused("season.previous", message)
        season.office = old.office
        season.save(update_fields=FACTS)  # another's freeze or issue meanwhile stays
    else:
        season.made_by = by
        season.save()
    audit.record(by, "season.kept", season, office=season.office)
    return season


# --- the base ----------------------------------------------------------------------------

FREEZE = """
INSERT INTO campaigns_seasonmember (season_id, customer_id, in_base, lost, lost_note,
    proposal, is_settled, effect, finding, carried)
SELECT %s, c.id, true, '', '', '', false, '', '', coalesce((
    SELECT m.finding FROM campaigns_seasonmember m
    WHERE m.season_id = %s AND m.customer_id = c.id), '')
FROM customers_customer c WHERE c.id IN (CHOSEN)
ON CONFLICT (season_id, customer_id) DO UPDATE
    SET in_base = true, carried = excluded.carried"""


@transaction.atomic
def freeze_base(season: Season, *, by: User | None, is_sure: bool = False) -> int:
    """Write down who ordered last season, with what was found then (R-CAM-21); how many.

    From now on the base stays as it is, whatever becomes of last season's orders.
    Refused("season.base") without a season before, or the second time; ("season.running")
    while that season still sells and nobody said to freeze even so: there is no way back.
    """
    row = locked(season)
    require(by, "season.plan", row.office)
    if row.previous is None:
        raise Refused("season.base", _("There is no season before to take it from."))
    if row.base_frozen_at:
        raise Refused("season.base", _("The base is frozen already."))
    before = row.previous
    if before.is_open and before.last_day >= localdate() and not is_sure:
        message = _("%(name)s still sells: who orders there later would be missing.")
        raise Refused("season.running", message % {"name": before.name})
    everybody = Customer.objects.filter(
        merged_into=None, office__path__startswith=row.office.path
    )
    base = group_of(everybody, "base", row).order_by().values("pk")
    sql, params = base.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            FREEZE.replace("CHOSEN", sql), [row.pk, row.previous_id, *params]
        )
        number = cursor.rowcount
    row.base_frozen_at = now()
    row.save(update_fields=["base_frozen_at"])
    audit.record(
        by, "season.base_frozen", row, office=row.office, details={"n": number}
    )
    return number


@transaction.atomic
def plan_visits(season: Season, *, by: User | None, when: str) -> VisitPlan:
    """A visit of everybody in the frozen base "before" the campaign, and "after" it of all
    who ordered too (R-VIS-01, R-VIS-04).

    Refused("season.base") before it is frozen, ("season.visits") the second time,
    ("season.empty") without anybody to visit.
    """
    row = locked(season)
    require(by, "season.plan", row.office)
    if row.base_frozen_at is None:
        raise Refused("season.base", _("Freeze the base first."))
    field, type_ = {
        "before": ("pre_plan", VisitType.PRE_CAMPAIGN),
        "after": ("after_plan", VisitType.AFTER_CAMPAIGN),
    }[when]
    if getattr(row, field):
        raise Refused("season.visits", _("These visits are planned already."))
    today = localdate()
    due = today + timedelta(days=FOLLOW_UP_DAYS)
    if when == "before" and row.posting_on:
        due = max(today, row.posting_on - timedelta(days=90))
    plan = VisitPlan(
        name=f"{row.name} · {VisitType(type_).label}"[:60],
        type=type_,
        office=row.office,
        first_day=today,
        due_on=due,
        whom={"name": row.name},
        made_by=by,
    )
    plan.save()
    everybody = Customer.objects.filter(
        merged_into=None, erased_at=None, office__path__startswith=row.office.path
    )
    customers = group_of(everybody, "base", row)
    if when == "after":
        customers = customers | group_of(everybody, "new", row)
    if not plans.freeze(plan, customers):
        raise Refused("season.empty", _("There is nobody to visit."))
    job = enqueue("delivery.freeze", {"plan": plan.pk}, by=by, key=f"freeze:{plan.pk}")
    job.cursor = {"after": 0}  # frozen already: only the visitors' days are planned
    job.save(update_fields=["cursor"])
    setattr(row, field, plan)
    row.save(update_fields=[field])
    audit.record(by, f"season.visits_{when}", row, office=row.office)
    return plan


# --- the gate ------------------------------------------------------------------------------


def bureaux(season: Season) -> list[Office]:
    """The bureaux that need a service group: the prefectures, or the season's own office
    where it has none below. One query."""
    below = Office.objects.active().under(season.office)
    found = list(below.filter(level=Office.Level.PREFECTURE, kind=Office.Kind.BUREAU))
    return found or [season.office]


def missing_groups(season: Season) -> list[tuple[Office, list[str]]]:
    """Bureaux without a group, and groups without one of the five departments, with the
    departments that are missing. Three queries."""
    groups = {
        group.office_id: group for group in season.groups.prefetch_related("duties")
    }
    found = []
    for office in bureaux(season):
        group = groups.get(office.pk)
        there = {duty.department for duty in group.duties.all()} if group else set()
        lacking = [
            str(Department(name).label) for name in REQUIRED if name not in there
        ]
        if lacking:
            found.append((office, lacking))
    return found


def visited_share(season: Season) -> float:
    """Percent of the visits before the campaign that are done; 100 without any."""
    if season.pre_plan is None:
        return 100.0 if not season.previous_id else 0.0
    visits = season.pre_plan.visits.filter(customer__merged_into=None)
    total = visits.exclude(state="dropped").count()
    return 100 * visits.filter(state="done").count() / total if total else 100.0


def obstacles(season: Season) -> list[tuple[str, str]]:
    """(code, what is missing) before a season may be issued."""
    found = []
    if season.posting_on is None:
        found.append(("season.posting", _("The main posting day is missing.")))
    for office, lacking in missing_groups(season):
        if len(lacking) == len(REQUIRED):
            words = _("%(office)s has no service group with its five departments.")
        else:
            words = _("The service group of %(office)s lacks: %(names)s.")
        values = {"office": office.name, "names": ", ".join(lacking)}
        found.append(("season.group", words % values))
    if season.previous_id and not season.base_frozen_at:
        found.append(
            ("season.base", _("The base of last season's customers is not frozen."))
        )
    share = visited_share(season)
    if season.previous_id and share < float(season.pre_visits_wanted):
        words = _(
            "%(done).0f %% of the visits before the campaign are done, %(want)s %% wanted."
        )
        wanted = {"done": share, "want": f"{season.pre_visits_wanted:.0f}"}
        found.append(("season.visits", words % wanted))
    review = OrientationReview.objects.filter(season=season).first()
    if review is None or review.state != OrientationReview.State.SIGNED:
        words = _("The customer-orientation review is not countersigned.")
        found.append(("season.review", words))
    if season.pilot_users.filter(is_accepted=None).exists():
        found.append(("season.pilot", _("Applications for the pilot are undecided.")))
    return found


@transaction.atomic
def issue(season: Season, *, by: User | None) -> Season:
    """Start the season. Refused with the first obstacle's code; R-CAM-46, R-ORG-02."""
    row = locked(season)
    require(by, "season.issue", row.office)
    if row.state != State.DRAFT:
        raise Refused("season.issued", _("This season is running already."))
    if missing := obstacles(row):
        raise Refused(missing[0][0], " ".join(words for _code, words in missing))
    row.state, row.issued_by, row.issued_at = State.ISSUED, by, now()
    row.save(update_fields=["state", "issued_by", "issued_at"])
    review = row.review
    details = {
        "initiator": review.initiator.username,
        "countersigned_by": getattr(review.countersigned_by, "username", ""),
        "affected": review.affected,
        "changes": review.changes,
        "complaints": review.complaints,
        "script": review.script,
        "reply": review.reply,
        "risks": [
            [risk.words, risk.likelihood, risk.impact, risk.measure]
            for risk in review.risks.all()
        ],
    }
    audit.record(by, "season.issued", row, office=row.office, details=details)
    return row


@transaction.atomic
def close(season: Season, *, by: User | None) -> Season:
    """End a season. Refused("season.days") before its last day; what its customers came to
    stays readable, its orders take no more change."""
    row = locked(season)
    require(by, "season.issue", row.office)
    if row.last_day >= localdate():
        raise Refused("season.days", _("The season's last day is still to come."))
    row.state, row.closed_at = State.CLOSED, now()
    row.save(update_fields=["state", "closed_at"])
    audit.record(by, "season.closed", row, office=row.office)
    return row


# --- what is noted of a customer -----------------------------------------------------------


@transaction.atomic
def note(
    season: Season, customer: Customer, *, by: User, facts: dict[str, Any]
) -> SeasonMember:
    """Keep what was learned of a customer in a season: why it was lost, stock left over,
    satisfaction, effect, what to mind. Refused("season.closed")."""
    row = locked(season)
    require(by, "member.note", customer.office)
    if not customer.office.path.startswith(row.office.path):
        raise Refused("season.office", _("The customer belongs to another office."))
    member, _made = SeasonMember.objects.select_for_update().get_or_create(
        season=row, customer=customer
    )
    for name, value in facts.items():
        setattr(member, name, value)
    if "lost" in facts:
        member.lost_by = by if member.lost else None
    member.save()
    if member.proposal:
        leftovers.answered(member, by)
    audit.record(
        by,
        "season.noted",
        member,
        office=customer.office,
        details={"of": sorted(facts)},
    )
    return member
