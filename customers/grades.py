"""The grade in force: what it entitles to, why it is so, and grades set by hand."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from customers import grading
from customers.grade_runs import last_period_end, start_run
from customers.grade_steps import forget_cancelled
from customers.models import (
    Customer,
    CustomerGrade,
    GradeAssessment,
    GradeChange,
    GradeOverride,
    GradeScheme,
)
from customers.services import locked, tell_supervisors

State = GradeOverride.State


def benefits_of(customer_id: int | None) -> list[str]:
    """All that the customer's grade brings; nothing without a customer. One query."""
    rows = CustomerGrade.objects.filter(customer=customer_id)
    return rows.values_list("benefits", flat=True).first() or []


def entitled(customer: Customer, benefit: str) -> bool:
    """Whether the customer's grade brings a benefit (R-GRD-07…10, 22…24): other modules ask
    this before they give it. One query. An unknown benefit is a KeyError: a bug, not a "no".
    """
    if benefit not in grading.BENEFITS:
        raise KeyError(benefit)
    row = CustomerGrade.objects.filter(customer=customer, benefits__contains=benefit)
    return row.exists()


# --- why --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Why:
    """How the last published run came to a customer's grade; `lines` are (dimension,
    measure, points, weight, points × weight ÷ 100) and add up to the score."""

    assessment: GradeAssessment
    scheme: GradeScheme
    lines: list[tuple[str, Any, int, int, Decimal]]
    by_amount: str
    by_score: str
    computed: str
    grade: str
    lift: int  # steps that a score may add to the grade by amount
    better: str  # the next grade up, "" at the top
    missing_amount: Decimal
    missing_score: Decimal


def inputs_of(row: GradeAssessment) -> grading.Inputs:
    """An assessment's frozen inputs, as the pure rule takes them."""
    return grading.Inputs(
        amount=row.amount,
        share=row.share,
        margin=row.margin,
        arrears_days=row.arrears_days,
        credit_days=row.credit_days,
        months=row.months,
        strategic_class=row.strategic_class,
        is_headquarters=row.is_headquarters,
        place=row.place,
        held=row.held,
        below=row.held_below,
        thresholds=tuple(row.thresholds or ()),
    )


MEASURES = {
    "revenue": "share",
    "profit": "margin",
    "credit": "arrears_days",
    "payment": "credit_days",
    "brand": "strategic_class",
    "loyalty": "months",
}


def explain(row: GradeAssessment) -> Why:
    """An assessment in words and figures. No query but the run and scheme given with it."""
    scheme = row.run.scheme
    rules = scheme.parsed()
    names = {grade.code: grade.name for grade in rules.grades}
    lines = []
    for name in grading.DIMENSIONS:
        points, weight = getattr(row, f"{name}_points"), rules.weights[name]
        share = Decimal(points * weight) / 100
        lines.append((name, getattr(row, MEASURES[name]), points, weight, share))
    found = inputs_of(row)
    yuan, score = grading.missing(rules, found, grading.judge(rules, found))
    rank = rules.rank(row.grade)
    return Why(
        assessment=row,
        scheme=scheme,
        lines=lines,
        by_amount=rules.grades[row.by_amount].name,
        by_score=rules.grades[row.by_score].name,
        computed=names[row.computed],
        grade=names[row.grade],
        lift=rules.lift,
        better=rules.grades[rank - 1].name if rank else "",
        missing_amount=yuan,
        missing_score=score,
    )


def newest_assessment(customer: Customer) -> GradeAssessment | None:
    """What the last published run found; None for a customer that no run has seen."""
    rows = GradeAssessment.objects.filter(customer=customer, run__state="published")
    return rows.select_related("run__scheme").order_by("-run__published_at").first()


# --- by hand ----------------------------------------------------------------------------


@transaction.atomic
def ask_override(
    customer: Customer, *, by: User, code: str, reason: str, until: date
) -> GradeOverride:
    """Ask for another grade than the run's, until a day. Nothing changes before somebody
    else approves. Refused("override.…") without a grade, for the same one, for the past,
    or while another one is asked for or in force.
    """
    row = locked(customer)
    require(by, "grading.override", row.office)
    held = CustomerGrade.objects.filter(customer=row).first()
    if held is None or held.run is None:
        message = _("No run has graded this customer yet.")
        raise Refused("override.none", message)
    codes = [grade.code for grade in held.run.scheme.parsed().grades]
    if code not in codes or code == held.code:
        raise Refused("override.code", _("Choose another grade of the scheme."))
    if until <= localdate():
        raise Refused("override.until", _("The end must lie ahead."))
    if row.grade_overrides.filter(state__in=[State.ASKED, State.APPROVED]).exists():
        message = _("A grade by hand is asked for or in force already.")
        raise Refused("override.twice", message)
    made = GradeOverride.objects.create(
        customer=row, code=code, reason=reason, until=until, asked_by=by
    )
    details = {"code": code, "until": f"{until}", "reason": reason}
    audit.record(by, "grade.override_asked", row, office=row.office, details=details)
    subject = _("A grade by hand waits for your word: %(code)s") % {"code": row.code}
    url = f"{row.get_absolute_url()}#grade"
    tell_supervisors(row.office, subject, key=f"override:{made.pk}", url=url, but=by)
    return made


def _decided(override: GradeOverride, *states: str) -> tuple[Customer, GradeOverride]:
    row = locked(override.customer)
    found = GradeOverride.objects.select_for_update().get(pk=override.pk)
    if found.state not in states:
        raise Refused("override.state", _("Somebody has decided it already."))
    return row, found


@transaction.atomic
def decide_override(override: GradeOverride, *, by: User, approve: bool) -> None:
    """The second person's word. Refused("override.self") to whoever asked."""
    customer, row = _decided(override, State.ASKED)
    require(by, "grading.approve", customer.office)
    if row.asked_by_id == by.pk:
        message = _("Somebody else must decide what you asked for.")
        raise Refused("override.self", message)
    row.state = State.APPROVED if approve else State.REFUSED
    row.decided_by, row.decided_at = by, now()
    row.save()
    if approve:
        _set_grade(customer, row.code, override=row)
    action = "grade.override_approved" if approve else "grade.override_refused"
    audit.record(by, action, customer, office=customer.office)
    tell(
        row.asked_by,
        "customer",
        subject=_("Your grade by hand was decided: %(code)s") % {"code": customer.code},
        url=f"{customer.get_absolute_url()}#grade",
        key=f"override:{row.pk}:{row.state}",
    )


@transaction.atomic
def end_override(override: GradeOverride, *, by: User | None) -> None:
    """Give the run's grade back: before the end by a person, at it by the night."""
    customer, row = _decided(override, State.APPROVED)
    require(by, "grading.override", customer.office)
    row.state = State.ENDED
    row.save(update_fields=["state"])
    held = CustomerGrade.objects.filter(customer=customer).first()
    if held:  # a merge may have brought the override to a customer without a grade
        _set_grade(customer, held.run_code, override=row)
    audit.record(by, "grade.override_ended", customer, office=customer.office)


def _set_grade(customer: Customer, code: str, *, override: GradeOverride) -> None:
    rows = CustomerGrade.objects.select_for_update(of=("self",)).select_related("run")
    held = rows.filter(customer=customer).first()
    if held is not None and held.code == code:
        return
    rules = held.run.scheme.parsed() if held and held.run else None
    if held is None or rules is None or code not in {g.code for g in rules.grades}:
        message = _("The scheme has changed since: ask anew.")
        raise Refused("override.scheme", message)
    grade = rules.grades[rules.rank(code)]
    GradeChange.objects.create(
        customer=customer,
        at=now(),
        before=held.name,
        after=grade.name,
        run=held.run,
        override=override,
    )
    held.code, held.name, held.rank = grade.code, grade.name, rules.rank(code)
    held.benefits, held.since = list(grade.benefits), now()
    held.save()


def due_step(job: Job) -> bool:
    """Job, nightly: end overrides whose day has come; begin the runs of periods that ended.

    A run that exists is not begun twice, so a missed night is caught up by the next.
    """
    past = GradeOverride.objects.filter(state=State.APPROVED, until__lt=localdate())
    for override in past.select_related("customer__office"):
        try:
            end_override(override, by=None)
        except Refused:  # its scheme is gone: the next run sets the grade
            GradeOverride.objects.filter(pk=override.pk).update(state=State.ENDED)
    active = GradeScheme.objects.filter(
        state=GradeScheme.State.ACTIVE, valid_from__lte=localdate()
    )
    for scheme in active.select_related("office"):
        until = last_period_end(scheme.cycle)
        if until >= scheme.valid_from:
            start_run(scheme, scheme.office, until, by=None)
    forget_cancelled()
    return True


def changes_of(customer: Customer) -> list[GradeChange]:
    rows = customer.grade_changes.select_related("run__scheme", "override")
    return list(rows.order_by(F("at").desc(), "-pk")[:20])
