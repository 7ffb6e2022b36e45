"""What an assessment reads: findings that others keep, of a month and an office.

Sources: domain.md 7.2; R-KPI-04…08, 10, 11, 26…28.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.timezone import localdate

from complaints.models import BuckPassing, Complaint, Finding, QualityCheck
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.dashboards.catalogue import QUALITY_PASS
from crm.dashboards.models import AssessmentLine
from crm.dashboards.models.assessment import Source, Whom
from crm.dashboards.periods import Span
from crm.dashboards.rows import moments_of
from crm.org.models import Office
from crm.org.queries import ancestry
from delivery.models import Check

Direction = AssessmentLine.Direction
# Departments of the house answer for their duty, not for faults (R-KPI-10); units that
# support operations for both (R-KPI-11). Both are assessed horizontally (R-KPI-27).
FUNCTIONAL = (
    Office.Kind.KEY_ACCOUNT,
    Office.Kind.MARKETING,
    Office.Kind.OPERATIONS,
)
SUPPORT = (Office.Kind.LETTER, Office.Kind.PROCESSING)


Leaders = dict[str, User]  # path of an office → its supervisor


def leaders() -> Leaders:
    """The supervisors in force today, the first of each office. One query."""
    rows = Posting.objects.in_force(localdate()).filter(role=Role.SUPERVISOR)
    found: Leaders = {}
    for row in rows.select_related("user", "office").order_by("pk"):
        found.setdefault(row.office.path, row.user)
    return found


def leader_of(office: Office, posted: Leaders) -> User | None:
    """The supervisor of an office, or of the nearest one above that has one."""
    above = reversed(ancestry(office))
    return next((posted[path] for path in above if path in posted), None)


def _direction(office: Office) -> str:
    is_beside = office.kind in (*FUNCTIONAL, *SUPPORT)
    return Direction.HORIZONTAL if is_beside else Direction.VERTICAL


def _findings(office: Office, span: Span, _posted: Leaders) -> Iterator[dict[str, Any]]:
    """Findings that stand; those of confirmed buck-passing come as that."""
    begins, ends = moments_of(span.first, span.last)
    passed = BuckPassing.objects.filter(
        complaint=OuterRef("complaint"), office=OuterRef("office"), state="confirmed"
    )
    rows = Finding.objects.filter(
        ~(Q(basis=Finding.Basis.DUTY) & Exists(passed)),
        office__path__startswith=office.path,
        found_at__gte=begins,
        found_at__lt=ends,
        state__in=[Finding.State.STANDS, Finding.State.UPHELD],
    )
    for row in rows.select_related("office", "complaint", "user"):
        if row.basis == Finding.Basis.FAULT and row.office.kind in FUNCTIONAL:
            continue  # R-KPI-10
        whom = Whom.PERSON if row.user else Whom.TEAM if row.team else Whom.UNIT
        yield {
            "source": Source(row.basis),
            "key": f"finding:{row.pk}",
            "whom": whom,
            "office": row.office,
            "user": row.user,
            "team": row.team,
            "share": Decimal(row.share) / 100,
            "words": f"{row.complaint.ref}: {row.note}"[:300],
            "url": row.complaint.get_absolute_url(),
            "found_on": localdate(row.found_at),
            "direction": _direction(row.office),
        }


def _passings(office: Office, span: Span, posted: Leaders) -> Iterator[dict[str, Any]]:
    """Confirmed buck-passing hits person, team and leader (R-KPI-08)."""
    begins, ends = moments_of(span.first, span.last)
    rows = BuckPassing.objects.filter(
        office__path__startswith=office.path,
        decided_at__gte=begins,
        decided_at__lt=ends,
        state=BuckPassing.State.CONFIRMED,
    )
    lifted = Finding.objects.filter(
        complaint=OuterRef("complaint"),
        office=OuterRef("office"),
        basis=Finding.Basis.DUTY,
        state=Finding.State.LIFTED,
        found_by=OuterRef("decided_by"),
    )  # the finding that the confirmation made
    rows = rows.filter(~Exists(lifted))
    for row in rows.select_related("office", "complaint__owner"):
        facts = {
            "source": Source.PASSING,
            "key": f"passing:{row.pk}",
            "office": row.office,
            "words": f"{row.complaint.ref}: {row.note}"[:300],
            "url": row.complaint.get_absolute_url(),
            "found_on": localdate(row.decided_at),
            "direction": _direction(row.office),
        }
        owner = row.complaint.owner
        if owner and owner.postings.filter(office=row.office).exists():
            yield facts | {"whom": Whom.PERSON, "user": owner}
        yield facts | {"whom": Whom.TEAM, "team": row.office.name[:40]}
        yield facts | {"whom": Whom.LEADER, "user": leader_of(row.office, posted)}


def _checks(office: Office, span: Span, _posted: Leaders) -> Iterator[dict[str, Any]]:
    begins, ends = moments_of(span.first, span.last)
    rows = QualityCheck.objects.filter(
        office__path__startswith=office.path,
        checked_at__gte=begins,
        checked_at__lt=ends,
    ).exclude(state=QualityCheck.State.APPEALED)
    failed = Q(sheet=None, score__lt=QUALITY_PASS) | Q(score__lt=F("sheet__pass_mark"))
    rows = rows.filter(failed)
    for row in rows.select_related("office", "agent", "complaint"):
        yield {
            "source": Source.QUALITY,
            "key": f"check:{row.pk}",
            "whom": Whom.PERSON,
            "office": row.office,
            "user": row.agent,
            "words": f"{row.complaint.ref}: {row.score} / 100",
            "url": row.complaint.get_absolute_url(),
            "found_on": localdate(row.checked_at),
            "direction": Direction.VERTICAL,
        }


def _inspections(
    office: Office, span: Span, _posted: Leaders
) -> Iterator[dict[str, Any]]:
    begins, ends = moments_of(span.first, span.last)
    rows = Check.objects.filter(
        inspection__office__path__startswith=office.path,
        inspection__state="done",
        noted_at__gte=begins,
        noted_at__lt=ends,
        verdict=Check.Verdict.MISSED,
    )
    for row in rows.select_related("inspection__office"):
        yield {
            "source": Source.INSPECTION,
            "key": f"point:{row.pk}",
            "whom": Whom.UNIT,
            "office": row.inspection.office,
            "words": f"{row.inspection}: {row.what} – {row.actual}"[:300],
            "url": row.get_absolute_url(),
            "found_on": localdate(row.noted_at),
            "direction": Direction.EXTERNAL,
        }


def regulator_cases(office: Office, span: Span) -> QuerySet[Complaint]:
    """Cases that the State Post Bureau forwarded and that proved true, closed in the month:
    the list for network control (R-KPI-04)."""
    begins, ends = moments_of(span.first, span.last)
    return Complaint.objects.filter(
        handling_office__path__startswith=office.path,
        is_forwarded=True,
        is_upheld=True,
        closed_at__gte=begins,
        closed_at__lt=ends,
    ).select_related("handling_office")


def _regulator(office: Office, span: Span, posted: Leaders) -> Iterator[dict[str, Any]]:
    for row in regulator_cases(office, span):
        yield {
            "source": Source.REGULATOR,
            "key": f"order:{row.pk}",
            "whom": Whom.LEADER,
            "office": row.handling_office,
            "user": leader_of(row.handling_office, posted),
            "words": f"{row.ref}: {row.get_category_display()}",
            "url": row.get_absolute_url(),
            "found_on": localdate(row.closed_at),
            "direction": Direction.EXTERNAL,
        }


READERS = (_findings, _passings, _checks, _inspections, _regulator)
