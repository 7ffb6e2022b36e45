"""The sweep: who is told, when, how often, and how high up."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from complaints import clocks, sweeping
from complaints.models import Milestone
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.org.calendar import OFFICE_HOURS
from crm.org.models import WorkWindow
from tests import factories as make


@pytest.fixture
def logged(cast):
    """A complaint of now at an office that works day and night: tests run at any hour."""
    make.holidays_of(2026, 2027)
    make.always_open(cast.hubei)
    return make.complaint(cast.lin, cast.wuhan)


def sweep() -> None:
    job = run_inline(enqueue("complaints.sweep"))
    assert job.state == "done", job.error


def only(row: Milestone) -> Milestone:
    row.complaint.milestones.exclude(pk=row.pk).update(next_at=None)
    return row


def test_it_warns_handlers_then_tells_one_level_higher_each_time(cast, logged):
    row = only(logged.milestones.get(kind="legal"))
    Milestone.objects.filter(pk=row.pk).update(due_at=now() + timedelta(hours=1))
    boss = make.user("province", ("supervisor", cast.hubei))
    told, escalated = [], []
    for _time in range(5):
        Milestone.objects.filter(pk=row.pk, next_at__isnull=False).update(
            next_at=now() - timedelta(minutes=1)
        )
        sweep()
        sweep()  # at once again: nothing is due
        told.append(
            list(Message.objects.order_by("pk").values_list("to_user", "subject"))
        )
        logged.refresh_from_db()
        escalated.append(logged.escalated_to)
    assert told[0] == [(cast.yong.pk, "Almost due")]
    assert told[1][1:] == [(cast.chen.pk, "Overdue")]
    assert told[2][2:] == [(boss.pk, "Overdue")]
    assert told[4] == told[2]  # the top has been told: it ends
    assert escalated == [None, cast.wuhan, cast.hubei, cast.hubei, cast.hubei]
    row.refresh_from_db()
    assert row.next_at is None


def test_the_owner_is_warned_alone(cast, logged):
    other = make.user("second", ("handler", cast.wuhan))
    logged.owner = other
    logged.save()
    Milestone.objects.filter(pk=only(logged.milestones.get(kind="legal")).pk).update(
        next_at=now() - timedelta(minutes=1)
    )
    sweep()
    assert [message.to_user for message in Message.objects.all()] == [other]


def test_a_flood_is_one_message_a_person(cast, logged):
    for _n in range(sweeping.SHOWN + 3):
        make.complaint(cast.lin, cast.wuhan)
    Milestone.objects.filter(kind="first").update(next_at=now() - timedelta(minutes=1))
    sweep()
    message = Message.objects.get()
    assert message.to_user == cast.yong
    assert message.body.count("C-") == sweeping.SHOWN
    assert message.body.endswith("+ 4")
    assert "view=overdue" in message.url


def test_what_is_met_is_never_told(cast, logged):
    clocks.moved(logged, "in_progress", "replied", now())
    logged.milestones.filter(met_at=None).update(next_at=None)
    sweep()
    assert not Message.objects.exists()


def test_nobody_is_told_at_night(cast):
    """zammad 4432, glpi 22678: reminders fall into working hours, and before the limit."""
    make.holidays_of(2026, 2027)
    for weekday in range(5):
        for starts, ends in OFFICE_HOURS:
            WorkWindow.objects.create(
                office=cast.wuhan, weekday=weekday, starts=starts, ends=ends
            )
    for hour in range(24):
        start = now().replace(hour=hour, minute=7) - timedelta(days=hour)
        row = make.complaint_at(cast.lin, cast.wuhan, start)
        calendar = clocks.calendar_of(cast.wuhan)
        for clock in row.milestones.all():
            spans = calendar.spans_from(clock.next_at - timedelta(days=15))
            inside = any(b <= clock.next_at <= e for b, e in _until(spans, clock))
            assert inside, (clock.kind, clock.next_at)
            assert clock.next_at <= clock.due_at


def _until(spans, clock):
    for begins, ends in spans:
        if begins > clock.next_at:
            return
        yield begins, ends
