"""The clocks: working time and calendar days, pauses, warnings, a calendar that changes."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from complaints import clocks, services
from complaints.models import Milestone, Pause
from crm.access import office_admin
from crm.audit.models import AuditEvent
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
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
    complaint = make.complaint(cast.lin, cast.wuhan)
    complaint.milestones.all().delete()
    complaint.opened_at = at(2, 9)
    complaint.legal_due_at = at(9, 9)
    complaint.promised_due_at = complaint.first_answer_due_at = at(3, 9)
    complaint.save()
    clocks.start(complaint, calendar_of(cast.wuhan))
    return complaint


def due(complaint, kind: str, turn: int = 1) -> datetime:
    return complaint.milestones.get(kind=kind, round=turn).due_at


def test_three_clocks_start_with_a_complaint(logged):
    assert due(logged, "first") == at(2, 11)
    assert due(logged, "resolution") == at(5, 9)  # three working days of 7.5 hours
    assert due(logged, "legal") == at(9, 9)
    first = logged.milestones.get(kind="first")
    assert first.next_at == at(2, 10.5)  # a quarter of the time is left


def test_waiting_for_the_customer_stops_the_promise_and_not_the_law(logged):
    clocks.moved(logged, "new", "in_progress", at(2, 10))
    assert logged.milestones.get(kind="first").met_at == at(2, 10)
    clocks.moved(logged, "in_progress", "suspended", at(3, 9))
    assert logged.milestones.get(kind="resolution").next_at is None
    clocks.moved(logged, "suspended", "in_progress", at(4, 9))
    assert due(logged, "resolution") == at(6, 9)  # one working day later
    assert due(logged, "legal") == at(9, 9)
    logged.refresh_from_db()
    assert logged.promised_due_at == at(6, 9)
    clocks.moved(logged, "in_progress", "suspended", at(5, 9))
    clocks.moved(logged, "suspended", "in_progress", at(12, 9))
    logged.refresh_from_db()
    assert due(logged, "resolution") == at(13, 9)
    assert logged.promised_due_at == logged.legal_due_at == at(9, 9)  # never beyond it


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
    assert {row.met_at for row in logged.milestones.all()} == {at(10, 9)}
    assert logged.milestones.get(kind="legal").was_late
    clocks.moved(logged, "replied", "reopened", at(10, 9))
    assert due(logged, "resolution", 2) == at(13, 9)
    assert logged.milestones.filter(met_at=None).count() == 1


def sweep() -> None:
    job = run_inline(enqueue("complaints.sweep"))
    assert job.state == "done", job.error


def test_the_sweep_warns_handlers_then_tells_one_level_higher_each_time(cast, logged):
    row = logged.milestones.get(kind="legal")
    logged.milestones.exclude(pk=row.pk).update(next_at=None)
    logged.milestones.filter(pk=row.pk).update(due_at=now() + timedelta(hours=1))
    boss = make.user("province", ("supervisor", cast.hubei))
    told = []
    for _time in range(5):
        Milestone.objects.filter(pk=row.pk, next_at__isnull=False).update(
            next_at=now() - timedelta(minutes=1)
        )
        sweep()
        sweep()  # at once again: nothing is due
        told.append(
            list(Message.objects.order_by("pk").values_list("to_user", "subject"))
        )
    assert told[0] == [(cast.yong.pk, "Almost due")]
    assert told[1][1:] == [(cast.chen.pk, "Overdue")]
    assert told[2][2:] == [(boss.pk, "Overdue")]
    assert told[4] == told[2]  # the top has been told: it ends
    row.refresh_from_db()
    assert row.next_at is None


def test_what_is_met_is_never_told(logged):
    clocks.moved(logged, "in_progress", "replied", now())
    sweep()
    assert not Message.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        logged.milestones.update(next_at=now())
    with pytest.raises(IntegrityError), transaction.atomic():
        logged.milestones.update(days=7)
    Pause.objects.create(complaint=logged, from_at=at(2, 9))
    with pytest.raises(IntegrityError), transaction.atomic():
        Pause.objects.create(complaint=logged, from_at=at(2, 10))


def test_a_changed_calendar_counts_open_clocks_anew(cast, logged):
    closed = make.complaint(cast.lin, cast.wuhan)
    services.move_complaint(closed, by=cast.chen, after="cancelled", note="")
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
    make.sign_in(client, cast.mei)
    foreign = client.get(reverse("complaints:working", args=[logged.ref]))
    assert foreign.status_code == 404
