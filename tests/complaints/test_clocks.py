"""The clocks: working time and calendar days, pauses, rounds, a calendar that changes."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from complaints import clocks
from complaints.models import Limit, Pause
from crm.access import office_admin
from crm.audit.models import AuditEvent
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.calendar import SHANGHAI, working_minutes_between
from crm.org.queries import calendar_of
from tests import factories as make


def at(day: int, hour: float) -> datetime:
    """An hour of a day of March 2026: the 2nd is a Monday."""
    whole = datetime(2026, 3, day, int(hour), int(hour % 1 * 60), tzinfo=SHANGHAI)
    return whole.astimezone(UTC)


@pytest.fixture
def logged(cast):
    """A complaint of Monday, 2 March 2026, 9 o'clock, with clocks of then."""
    make.holidays_of(2026, 2027)
    return make.complaint_at(cast.lin, cast.wuhan, at(2, 9))


def due(complaint, kind: str, turn: int = 1) -> datetime:
    return complaint.milestones.get(kind=kind, round=turn).due_at


def test_the_clocks_of_a_complaint_start_with_it(logged):
    assert due(logged, "first") == at(2, 11)
    assert due(logged, "contact") == at(2, 15)  # four hours, lunch is none of them
    assert due(logged, "resolution") == at(5, 9)  # three working days of 7.5 hours
    assert due(logged, "legal") == at(9, 9)
    assert (logged.due_at, logged.legal_due_at) == (at(2, 11), at(9, 9))
    first = logged.milestones.get(kind="first")
    assert first.next_at == at(2, 10.5)  # a quarter of the time is left


def test_waiting_for_the_customer_stops_the_promise_and_not_the_law(logged):
    clocks.moved(logged, "new", "in_progress", at(2, 10))
    assert logged.milestones.get(kind="first").met_at == at(2, 10)
    clocks.meet(logged, at(2, 10), "contact")
    clocks.moved(logged, "in_progress", "suspended", at(3, 9))
    assert logged.milestones.get(kind="resolution").next_at is None
    clocks.moved(logged, "suspended", "in_progress", at(4, 9))
    assert due(logged, "resolution") == at(6, 9)  # one working day later
    assert due(logged, "legal") == at(9, 9)
    assert logged.due_at == at(6, 9)
    clocks.moved(logged, "in_progress", "suspended", at(5, 9))
    clocks.moved(logged, "suspended", "in_progress", at(12, 9))
    assert due(logged, "resolution") == at(13, 9)
    assert logged.due_at == logged.legal_due_at == at(9, 9)  # never beyond it


def test_the_working_adds_up_to_the_minutes(logged):
    clocks.moved(logged, "in_progress", "suspended", at(3, 10))
    clocks.moved(logged, "suspended", "in_progress", at(3, 15))
    for row, spans in clocks.shown(logged):
        if row.minutes:
            assert sum(span[2] for span in spans) == row.minutes
    calendar = calendar_of(logged.handling_office)
    row = logged.milestones.get(kind="resolution")
    whole = working_minutes_between(calendar, row.starts_at, row.due_at)
    assert whole == row.minutes + 180  # 10 to 12 and 14 to 15


def test_an_answer_meets_and_a_customer_not_content_begins_a_round(logged):
    clocks.moved(logged, "in_progress", "replied", at(10, 9))
    met = {row.kind: row.met_at for row in logged.milestones.all()}
    assert met.pop("follow_up") is None  # begins with the answer: two working days
    assert due(logged, "follow_up") == logged.due_at == at(12, 9)
    assert set(met.values()) == {at(10, 9)}
    assert logged.milestones.get(kind="legal").was_late
    logged.rounds = 2
    clocks.moved(logged, "replied", "reopened", at(10, 9))
    assert due(logged, "resolution", 2) == at(13, 9)
    assert due(logged, "legal", 2) == at(17, 9)
    assert logged.milestones.filter(met_at=None).count() == 2


def test_the_database_keeps_clocks_in_order(logged):
    clocks.moved(logged, "in_progress", "replied", at(3, 9))
    with pytest.raises(IntegrityError), transaction.atomic():
        logged.milestones.update(met_at=at(3, 9), next_at=at(3, 9))
    with pytest.raises(IntegrityError), transaction.atomic():
        logged.milestones.update(days=7, minutes=7)
    Pause.objects.create(complaint=logged, from_at=at(2, 9))
    with pytest.raises(IntegrityError), transaction.atomic():
        Pause.objects.create(complaint=logged, from_at=at(2, 10))
    with pytest.raises(IntegrityError), transaction.atomic():
        Limit.objects.filter(code="complaint.law").update(minutes=60)


def test_a_changed_calendar_counts_open_clocks_anew(cast, logged):
    closed = make.complaint(cast.lin, cast.wuhan)
    make.push(closed, cast.chen, "cancelled")
    before = due(closed, "resolution")
    office_admin.set_day(
        cast.wuhan, by=cast.gao, day=date(2026, 3, 4), is_working=False, name="停电"
    )
    run_inline(enqueue("complaints.again", {"office": cast.wuhan.code}))
    assert due(logged, "resolution") == at(6, 9)
    assert due(closed, "resolution") == before
    events = AuditEvent.objects.filter(action="complaint.clocks_counted")
    assert events.count() == 1
    run_inline(enqueue("complaints.again"))
    assert events.count() == 1  # nothing has changed since


def test_the_page_shows_clocks_and_their_working(client, cast, logged):
    make.sign_in(client, cast.chen)
    page = client.get(logged.get_absolute_url()).content.decode()
    assert "2026-03-09 09:00" in page
    assert "overdue" in page
    working = client.get(reverse("complaints:working", args=[logged.ref]))
    assert "2026-03-05" in working.content.decode()
    assert "快递暂行条例" in working.content.decode()
    make.sign_in(client, cast.mei)
    foreign = client.get(reverse("complaints:working", args=[logged.ref]))
    assert foreign.status_code == 404
