"""The known faults of other systems' clocks (anchors.md 3.1, lines 1 to 24), each a test
that would have caught it. Where another file holds a whole table, the line names it here
by one case."""

from datetime import date, datetime, time, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from complaints import clocks, limits, sweeping
from complaints.models import Milestone
from crm.access import office_admin
from crm.access.forms import parse_spans, write_spans
from crm.audit.models import AuditEvent
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.org import calendar as arithmetic
from crm.org.calendar import SHANGHAI, WorkCalendar, add_working_time
from crm.org.models import WorkWindow
from crm.org.queries import calendar_of
from tests import factories as make

WHOLE_DAY = WorkCalendar(weekly=dict.fromkeys(range(7), ((time(0), time(0)),)))


def moment(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """An hour of a day of March 2026: the 2nd is a Monday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=SHANGHAI)


@pytest.fixture
def logged(cast):
    make.holidays_of(2026, 2027)
    return make.complaint_at(cast.lin, cast.wuhan, moment(2))


def clock(complaint, kind: str) -> Milestone:
    return complaint.milestones.get(kind=kind, round=complaint.rounds)


def test_01_nights_and_weekends_do_not_count():
    due = add_working_time(WorkCalendar(), moment(6, 17), 120)
    assert due.at == moment(
        9, 9, 30
    )  # one hour on Friday, one and a half on Monday - lunch


def test_02_the_calendar_is_the_offices_and_inherited(cast):
    make.holidays_of(2026)
    saturdays = dict.fromkeys(range(6), ((time(9), time(12)),))
    for weekday, spans in saturdays.items():
        for starts, ends in spans:
            WorkWindow.objects.create(
                office=cast.wuhan, weekday=weekday, starts=starts, ends=ends
            )
    assert calendar_of(cast.wuchang).weekly == saturdays
    assert calendar_of(cast.yichang).weekly != saturdays


def test_03_lunch_is_no_breach():
    assert add_working_time(WorkCalendar(), moment(2, 11), 120).at == moment(2, 15)


def test_04_shifts_may_be_split():
    split = ((time(6), time(8)), (time(12), time(13)), (time(20), time(22)))
    calendar = WorkCalendar(weekly={0: split})
    assert add_working_time(calendar, moment(2, 7), 180).at == moment(2, 21)


def test_05_a_day_off_can_be_a_working_day(cast):
    make.holidays_of(2026)
    assert calendar_of(cast.wuhan).windows_on(date(2026, 2, 14))  # a Saturday made up


def test_06_our_own_table_is_the_truth(cast):
    make.holidays_of(2026)
    office_admin.set_day(
        cast.wuhan, by=cast.gao, day=date(2026, 2, 14), is_working=False, name="停电"
    )
    assert not calendar_of(cast.wuhan).windows_on(date(2026, 2, 14))


def test_07_a_year_that_the_library_lacks_is_no_error(cast):
    row = make.complaint_at(cast.lin, cast.wuhan, moment(2) + timedelta(days=4000))
    assert row.is_provisional


def test_08_both_kinds_of_days_are_named_without_doubt(cast, client):
    make.sign_in(client, cast.gao)
    client.cookies["language"] = "zh-hans"
    page = client.get(reverse("access:calendar")).content.decode()
    assert "上班" in page
    assert "放假" in page


def test_09_a_day_and_night_calendar_loses_no_minute_at_midnight():
    assert add_working_time(WHOLE_DAY, moment(2), 3 * 1440).at == moment(5)
    assert parse_spans("00:00-24:00") == [(time(0), time(0))]
    assert write_spans(parse_spans("00:00-24:00")) == "00:00-24:00"


@pytest.mark.parametrize(
    "wrong", ["18:00-00:00", "09:00-09:00", "00:00-24:00, 01:00-02:00"]
)
def test_10_a_window_that_cannot_be_is_refused(cast, wrong):
    with pytest.raises(ValueError, match="0"):
        parse_spans(wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkWindow.objects.create(
            office=cast.wuhan, weekday=0, starts=time(18), ends=time(9)
        )


def test_10_the_walk_through_an_empty_calendar_ends():
    with pytest.raises(arithmetic.NoWorkingTime):
        add_working_time(WorkCalendar(weekly={}), moment(2), 1)


def test_11_a_changed_calendar_counts_open_work_anew_with_a_line(cast, logged):
    before = clock(logged, "resolution").due_at
    office_admin.set_day(
        cast.wuhan, by=cast.gao, day=date(2026, 3, 3), is_working=False, name="停电"
    )
    run_inline(enqueue("complaints.again", {"office": cast.wuhan.code}))
    assert clock(logged, "resolution").due_at > before
    assert AuditEvent.objects.filter(action="complaint.clocks_counted").count() == 1


def test_12_one_clock_never_overrules_another(cast, logged):
    clocks.meet(logged, moment(2, 10), "contact")
    clocks.settle(logged)
    assert clock(logged, "first").met_at is None
    assert logged.due_at == clock(logged, "first").due_at


def test_13_nothing_is_told_once_it_was_answered(cast, logged):
    clocks.moved(logged, "in_progress", "replied", moment(2, 10))
    waiting = set(logged.milestones.filter(met_at=None).values_list("kind", flat=True))
    assert waiting == {"follow_up"}  # ours, and not the customer's turn


def test_14_reminders_fall_into_working_hours(cast, logged):
    calendar = calendar_of(cast.wuhan)
    for row in logged.milestones.all():
        assert calendar.windows_on(row.next_at.astimezone(SHANGHAI).date())
        assert 8 <= row.next_at.astimezone(SHANGHAI).hour < 18


def test_15_the_working_is_shown(cast, client, logged):
    make.sign_in(client, cast.yong)
    page = client.get(reverse("complaints:working", args=[logged.ref]))
    assert "2026-03-04" in page.content.decode()


def test_16_an_end_stops_everything(cast, logged):
    make.push(logged, cast.chen, "cancelled")
    logged.refresh_from_db()
    assert logged.due_at is None
    assert not logged.milestones.filter(met_at=None).exists()
    assert not Milestone.objects.filter(next_at__isnull=False).exists()


def test_17_page_and_api_read_one_due_time(cast, client, logged):
    make.sign_in(client, cast.chen)
    api = client.get(f"/api/v1/complaints/{logged.ref}/").json()
    assert datetime.fromisoformat(api["due_at"]) == logged.due_at


def test_18_what_is_forgotten_reaches_a_supervisor(cast, logged):
    make.always_open(cast.hubei)
    Milestone.objects.filter(kind="first").update(told=1, next_at=now())
    run_inline(enqueue("complaints.sweep"))
    assert Message.objects.filter(to_user=cast.chen, subject=sweeping.LATE).exists()


def test_19_a_long_hold_ends_with_the_answer_in_one_step(cast, logged):
    """Six months of waiting, then settled at once: nothing counts as late but the law."""
    clocks.moved(logged, "new", "in_progress", moment(2, 10))
    clocks.moved(logged, "in_progress", "suspended", moment(2, 11))
    later = moment(2, 11) + timedelta(days=183)
    clocks.moved(logged, "suspended", "replied", later)
    assert not clock(logged, "resolution").was_late
    assert clock(logged, "legal").was_late
    assert logged.pauses.get().until_at == later


def test_20_a_promise_made_after_hours_is_told_with_its_time(cast):
    make.holidays_of(2026, 2027)
    late_evening = moment(6, 22)
    row = make.complaint_at(cast.lin, cast.wuhan, late_evening)
    assert clock(row, "first").due_at == moment(9, 10, 30)


def test_21_clocks_are_exported_line_by_line(cast, client, logged):
    make.sign_in(client, cast.chen)
    url = reverse("complaints:clock_export")
    answer = client.get(url, {"month": "2026-03"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 1 + logged.milestones.count()
    assert logged.ref in lines[1]
    other = client.get(url, {"month": "2026-04"})
    assert len(b"".join(other.streaming_content).decode().splitlines()) == 1


def test_22_a_warning_before_the_limit_walks_the_calendar_too():
    row = Milestone(starts_at=moment(6, 17), minutes=240, kind="resolution")
    due = clocks.due_of(row, WorkCalendar(), []).at
    assert due == moment(9, 11, 30)
    assert clocks.warned_at(row, due, WorkCalendar(), []) == moment(9, 10, 30)


def test_23_what_the_system_notes_is_apart_from_what_people_say(cast, client, logged):
    make.sign_in(client, cast.chen)
    Milestone.objects.update(next_at=now() - timedelta(minutes=1))
    before = logged.moves.count()
    run_inline(enqueue("complaints.sweep"))
    assert logged.moves.count() == before  # told in inboxes, not in the history


def test_24_each_level_has_its_own_time(cast, logged):
    """Half a working day for each level, up to the province."""
    make.always_open(cast.hubei)
    Milestone.objects.exclude(kind="first").update(next_at=None)
    Milestone.objects.filter(kind="first").update(told=1, next_at=now())
    run_inline(enqueue("complaints.sweep"))
    row = clock(logged, "first")
    assert row.next_at - now() > timedelta(minutes=sweeping.LADDER_MINUTES - 1)
    assert limits.DAY / 2 < sweeping.LADDER_MINUTES + 16
