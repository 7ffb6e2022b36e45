"""Visits by hand: appointments, days, misses, reports; pages, calendar feeds, hand-overs."""

import re
from datetime import date, time, timedelta
from urllib.parse import urlencode

import ics
import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from django.utils.timezone import localdate, now
from icalendar import Calendar

from complaints import closing
from crm.access.models import Posting
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify.models import Message
from customers.alert_words import said
from customers.merging import merge
from customers.models import (
    Alert,
    Customer,
    CustomerValue,
    Opportunity,
    Task,
    TimelineEntry,
    UsageDay,
    WatchRule,
)
from customers.partitions import ensure_partition
from customers.privacy import erase
from customers.watch_night import strike
from delivery import feeds, handovers, planning, plans, reminding, visit_log, visits
from delivery.models import (
    CalendarFeed,
    Handover,
    Visit,
    VisitDraft,
    VisitPhoto,
    VisitPlan,
    VisitReport,
)
from delivery.visit_lists import coverage
from tests import factories as make

MONDAY = date(2026, 11, 23)
TUESDAY = MONDAY + timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def monday(time_machine):
    """A Monday in working hours."""
    time_machine.move_to("2026-11-23 10:00+08:00", tick=True)
    make.holidays_of(2026, 2027)


@pytest.fixture
def customer(cast) -> Customer:
    return make.customer(cast.wuhan, manager=cast.zhao)


def log(visit, by, **facts) -> VisitReport:
    facts = {"visited_on": localdate(), "result": "fine", **facts}
    return visit_log.log(visit, by=by, **facts)


def appoint(customer, by, **facts) -> Visit:
    return visits.appoint(customer, by=by, **{"day": TUESDAY, "at": time(10), **facts})


# --- appointments and days ----------------------------------------------------------------


def test_an_appointment_stands_at_its_time_and_tells_who_goes(cast, customer):
    made = appoint(customer, cast.lin)
    assert (made.day, made.at, made.visitor, made.is_pinned) == (
        TUESDAY,
        time(10),
        cast.zhao,
        True,
    )
    assert Message.objects.inbox_of(cast.zhao).filter(url=made.get_absolute_url())
    assert appoint(customer, cast.lin).pk == made.pk  # the same wish again


@pytest.mark.parametrize(
    ("day", "at", "said"),
    [
        (TUESDAY, time(10, 30), "appointment at 10:00"),
        (MONDAY + timedelta(days=5), time(10), "No working day"),
    ],
)
def test_a_double_booking_warns_and_may_be_made_even_so(cast, customer, day, at, said):
    appoint(customer, cast.lin)
    other = make.customer(cast.wuhan, manager=cast.zhao)
    with pytest.raises(Refused, match=said):
        appoint(other, cast.lin, day=day, at=at)
    assert appoint(other, cast.lin, day=day, at=at, even_so=True).day == day


def test_a_day_that_has_passed_and_a_customer_without_manager_are_refused(
    cast, customer
):
    with pytest.raises(Refused, match="passed"):
        appoint(customer, cast.lin, day=MONDAY - timedelta(days=1))
    with pytest.raises(Refused, match="no manager"):
        appoint(make.customer(cast.wuhan), cast.lin)


def test_a_visit_that_was_fixed_stays_when_the_plan_is_made_again(cast, customer):
    row = make.visit(customer)
    planning.plan_people([cast.zhao.pk])
    visits.put(row, by=cast.zhao, day=TUESDAY)
    planning.plan_people([cast.zhao.pk])
    row.refresh_from_db()
    assert row.day == TUESDAY
    visits.free(row, by=cast.zhao)
    row.refresh_from_db()
    assert not row.is_pinned


def test_a_visit_given_away_does_not_follow_the_manager(cast, customer):
    row = make.visit(customer)
    visits.give(row, by=cast.chen, to=cast.chen)
    row.refresh_from_db()
    assert (row.visitor, row.is_given) == (cast.chen, True)
    with pytest.raises(PermissionDenied):
        visits.give(row, by=cast.zhao, to=cast.zhao)


def test_what_a_rule_wants_only_a_supervisor_drops(cast, customer):
    row = make.visit(customer)
    with pytest.raises(PermissionDenied):
        visits.drop(row, by=cast.zhao, reason="x")
    visits.drop(row, by=cast.chen, reason="搬走了")
    row.refresh_from_db()
    assert row.state == "dropped"
    with pytest.raises(Refused, match="dropped this visit"):
        log(row, cast.zhao)


def test_ones_own_day_is_put_in_order(cast, customer, client, sign_in):
    rows = [make.visit(customer) for _n in range(3)]
    Visit.objects.update(day=MONDAY)
    sign_in(cast.zhao)
    typed = {"on": "2026-11-23", "visit": [rows[n].pk for n in (2, 0, 1)]}
    client.post(reverse("delivery:order"), typed)
    day = Visit.objects.filter(day=MONDAY).order_by("place")
    assert [row.pk for row in day] == [rows[n].pk for n in (2, 0, 1)]
    client.post(reverse("delivery:order"), typed | {"up": rows[1].pk})
    assert [row.pk for row in day.all()] == [rows[n].pk for n in (2, 1, 0)]


# --- the report ---------------------------------------------------------------------------


def test_a_report_closes_the_visit_and_writes_down_what_was_heard(cast, customer):
    row = make.visit(customer)
    log(
        row,
        cast.zhao,
        needs=["basic", "latent"],
        need_text="下午加一次揽收",
        competitor="顺丰",
        next_on=TUESDAY + timedelta(days=7),
        next_type="regular",
    )
    row.refresh_from_db()
    assert (row.state, row.closed_by) == ("done", cast.zhao)
    kinds = TimelineEntry.objects.filter(customer=customer)
    assert {"need_basic", "need_latent", "competitor", "visit"} <= set(
        kinds.values_list("kind", flat=True)
    )
    following = Visit.objects.running().get(customer=customer)
    assert (following.day, following.type) == (TUESDAY + timedelta(days=7), "regular")


def test_two_people_logging_one_visit_are_told_who_was_faster(cast, customer):
    row = make.visit(customer)
    log(row, cast.zhao)
    with pytest.raises(Refused, match=r"Zhao has logged this visit on 2026-11-23"):
        log(row, cast.chen)
    assert VisitReport.objects.count() == 1


@pytest.mark.parametrize(
    ("day", "code"),
    [(MONDAY - timedelta(days=400), "visit.before"), (TUESDAY, "visit.future")],
)
def test_a_report_of_an_impossible_day_is_refused(cast, customer, day, code):
    row = make.visit(customer)
    with pytest.raises(Refused) as refused:
        log(row, cast.zhao, visited_on=day)
    assert refused.value.code == code
    row.refresh_from_db()
    assert row.state == "open"


def test_one_visit_does_for_others_that_were_due(cast, customer):
    row, other = make.visit(customer), make.visit(customer, type="pre_campaign")
    log(row, cast.zhao, also=[other])
    other.refresh_from_db()
    assert (other.state, other.covered_by) == ("done", row)


def test_a_customer_who_thinks_of_leaving_reaches_the_supervisor(cast, customer):
    log(make.visit(customer), cast.zhao, result="leaving")
    assert Message.objects.inbox_of(cast.chen).filter(subject=visit_log.LEAVING)


def test_a_stranger_neither_logs_nor_keeps(cast, customer):
    row = make.visit(customer)
    for act in (log, lambda v, by: visits.miss(v, by=by)):
        with pytest.raises(PermissionDenied):
            act(row, cast.mei)


def form_of(**facts) -> dict:
    return {
        "result": "fine",
        "next_when": "none",
        "visited_on": f"{localdate()}",
        **facts,
    }


def test_the_form_is_kept_and_comes_back(cast, customer, client, sign_in):
    row = make.visit(customer)
    sign_in(cast.zhao)
    typed = {"need_text": "要电子对账单", "result": "interest", "needs": ["basic"]}
    kept = client.post(
        reverse("delivery:keep", args=[row.pk]),
        urlencode(typed, doseq=True),
        content_type="application/x-www-form-urlencoded",
    )
    assert kept.status_code == 204
    page = client.get(row.get_absolute_url()).content.decode()
    assert "要电子对账单" in page
    assert re.search(r'value="interest"[^>]*checked', page)
    client.post(row.get_absolute_url(), form_of(**typed))
    assert not VisitDraft.objects.exists()


def test_the_next_date_by_weeks_is_a_working_day(cast, customer, client, sign_in):
    row = make.visit(customer)
    sign_in(cast.zhao)
    client.post(row.get_absolute_url(), form_of(next_when="90"))
    # 90 days on is Sunday, 21 February 2027, in the week of the Spring Festival.
    report = VisitReport.objects.get()
    assert report.next_on == date(2027, 2, 22)
    assert Visit.objects.running().get().day == report.next_on


def test_who_was_sent_from_elsewhere_says_what_was_heard(cast, customer):
    row = visits.give(make.visit(customer), by=cast.chen, to=cast.mei)
    log(row, cast.mei, needs=["basic"], need_text="准时", competitor="顺丰")
    kinds = TimelineEntry.objects.filter(customer=customer, by=cast.mei)
    assert set(kinds.values_list("kind", flat=True)) == {"need_basic", "competitor"}


def test_a_form_sent_twice_is_one_report(cast, customer, client, sign_in):
    row = make.visit(customer)
    sign_in(cast.zhao)
    typed = form_of(token="6b7f4c1e-0000-4000-8000-000000000001")
    first, second = (client.post(row.get_absolute_url(), typed) for _two in range(2))
    assert first.url == second.url == row.get_absolute_url()
    assert VisitReport.objects.count() == 1


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    cast, customer, client, sign_in
):
    row = make.visit(customer)
    sign_in(cast.zhao)
    typed = form_of(next_when="date", note="长备注", visited_on="2020-01-01")
    page = client.post(row.get_absolute_url(), typed)
    assert page.status_code == 422
    assert "Choose the day." in page.content.decode()
    assert "长备注" in page.content.decode()
    typed = form_of(visited_on="2020-01-01", note="长备注")
    page = client.post(row.get_absolute_url(), typed)
    assert "is known since" in page.content.decode()
    del typed["next_when"]
    assert client.post(row.get_absolute_url(), typed).status_code == 422


def test_the_second_to_log_sees_who_was_first_and_the_own_words(
    cast, customer, client, sign_in
):
    row = make.visit(customer)
    log(row, cast.chen)
    sign_in(cast.zhao)
    page = client.post(row.get_absolute_url(), form_of(note="我也去过"))
    assert page.status_code == 422
    assert "Chen has logged this visit" in page.content.decode()
    assert "我也去过" in page.content.decode()


def test_a_picture_is_kept_once_and_without_its_exif(cast, customer, client, sign_in):
    row = make.visit(customer)
    sign_in(cast.zhao)
    key = "6b7f4c1e-0000-4000-8000-000000000002"
    address = reverse("delivery:photo_add", args=[row.pk])
    for _twice in range(2):
        file = SimpleUploadedFile("a.png", make.picture())
        sent = client.post(
            address, {"photo": file, "key": key}, headers={"X-Quiet": "1"}
        )
        assert sent.status_code == 204
    photo = VisitPhoto.objects.get()
    assert photo.path.read_bytes().startswith(b"\xff\xd8")
    shown = client.get(reverse("delivery:photo", args=[photo.pk]))
    assert shown.headers["Content-Type"] == "image/jpeg"
    file = SimpleUploadedFile("a.png", b"MZ not a picture")
    wrong = client.post(address, {"photo": file}, headers={"X-Quiet": "1"})
    assert wrong.status_code == 422


def test_a_report_becomes_an_opportunity_once_and_a_work_order_form(
    cast, customer, client, sign_in
):
    row = make.visit(customer)
    log(row, cast.zhao, result="problem", need_text="退件多")
    sign_in(cast.zhao)
    for what in ("opportunity", "opportunity", "correction", "correction"):
        client.post(reverse("delivery:become", args=[row.pk, what]))
    assert Opportunity.objects.get().title == f"退件多 ({row.ref})"
    assert customer.corrections.get().wanted == f"退件多 ({row.ref})"
    form = client.get(reverse("complaints:new") + f"?visit={row.pk}", follow=True)
    assert f"{row.ref}: 退件多" in form.content.decode()


def test_erasing_takes_the_words_and_leaves_the_visit(cast, customer):
    row = make.visit(customer)
    log(row, cast.zhao, note="家里的事", met_others="王女士")
    photo = visit_log.add_photo(row, by=cast.zhao, data=make.picture())
    due = make.visit(customer)
    erase(customer, by=cast.chen, reason="本人要求")
    report = VisitReport.objects.get()
    assert (report.note, report.met_others) == ("", "")
    assert not photo.path.exists()
    due.refresh_from_db()
    assert due.state == "dropped"


# --- pages --------------------------------------------------------------------------------


def test_the_days_list_shows_reason_map_and_phone(cast, customer, client, sign_in):
    make.visit(customer)
    Visit.objects.update(day=MONDAY)
    sign_in(cast.zhao)
    page = client.get(reverse("delivery:visits")).content.decode()
    assert customer.name in page
    assert 'href="tel:+86' in page
    for view in ("week", "month"):
        assert customer.name in client.get(f"/visits/?view={view}").content.decode()


def test_a_supervisor_sees_anothers_day_and_a_manager_does_not(
    cast, customer, client, sign_in
):
    make.visit(customer)
    sign_in(cast.chen)
    assert client.get("/visits/?who=zhao").status_code == 200
    sign_in(cast.zhao)
    assert client.get("/visits/?who=chen").status_code == 404


@pytest.mark.parametrize("query", ["view=year", "on=2026-13-01", "on=0001-01-01"])
def test_a_wrong_day_is_no_day(cast, client, sign_in, query):
    sign_in(cast.zhao)
    assert client.get(f"/visits/?{query}").status_code == 404


def test_every_number_of_the_board_opens_its_rows(cast, customer, client, sign_in):
    log(make.visit(customer), cast.zhao)
    late = make.visit(customer)
    Visit.objects.filter(pk=late.pk).update(
        first_day=MONDAY - timedelta(days=9), due_on=MONDAY - timedelta(days=2)
    )
    make.visit(customer, days=3)
    sign_in(cast.chen)
    page = client.get(reverse("delivery:board"))
    counts = page.context["counts"]
    assert (counts["overdue"], counts["done"], counts["due"]) == (1, 1, 2)
    found = re.findall(r'href="(/visits/list/\?[^"]+)"', page.content.decode())
    totals = {
        address: client.get(address.replace("&amp;", "&")).context["page"].total
        for address in found
    }
    assert totals["/visits/list/?state=overdue"] == 1
    of_zhao = [a for a in totals if "state=done" in a and "who=zhao" in a]
    assert [totals[a] for a in of_zhao] == [1]
    mixed = [a for a in totals if "result=fine" in a]
    assert [totals[a] for a in mixed] == [1]


def test_lists_cost_the_same_queries_at_any_length(
    cast, customer, client, sign_in, django_assert_num_queries
):
    sign_in(cast.zhao)
    client.get("/visits/list/?state=open")  # the first of a session writes it down
    for count in (1, 20):
        for _n in range(count):
            make.visit(customer)
        with django_assert_num_queries(8):
            client.get("/visits/list/?state=open")


def test_the_room_of_many_people_costs_as_many_queries_as_that_of_one(
    cast, customer, client, sign_in, django_assert_num_queries
):
    sign_in(cast.chen)
    client.get(reverse("delivery:people"))
    for count in (0, 5):
        for n in range(count):
            other = make.user(f"m{n}", ("manager", cast.wuhan))
            make.visit(make.customer(cast.wuhan, manager=other))
        with django_assert_num_queries(21):
            page = client.get(reverse("delivery:people"))
    assert page.context["total"].bound == 5


# --- plans --------------------------------------------------------------------------------


def test_the_counter_is_the_frozen_list_by_office_and_in_all(cast, client, sign_in):
    rows = [make.customer(cast.wuhan, manager=cast.zhao) for _n in range(2)]
    rows += [make.customer(cast.wuchang, manager=cast.zhao) for _n in range(3)]
    plan = VisitPlan.objects.create(
        name="回访",
        type="after_campaign",
        office=cast.wuhan,
        first_day=MONDAY,
        due_on=TUESDAY,
    )
    assert plans.freeze(plan, Customer.objects.filter(manager=cast.zhao)) == 5
    make.customer(cast.wuchang, manager=cast.zhao)  # came later: not on the list
    assert plans.freeze(plan, Customer.objects.filter(pk__in=[rows[0].pk])) == 5
    log(plan.visits.get(customer=rows[2]), cast.zhao)
    visits.drop(plan.visits.get(customer=rows[3]), by=cast.chen, reason="停业")
    found = {row.office.code: row for row in coverage(plan, cast.chen)}
    assert (found["420100"].size, found["420100"].done, found["420100"].open) == (
        5,
        1,
        4,
    )
    assert (found["420106"].size, found["420106"].done, found["420106"].open) == (
        3,
        1,
        2,
    )
    sign_in(cast.chen)
    page = client.get(plan.get_absolute_url())
    names = {row.customer_id for row in page.context["page"].rows}
    assert names == {row.pk for row in rows} - {rows[2].pk}
    listed = client.get(f"/visits/list/?plan={plan.pk}&office=420106&state=left")
    assert listed.context["page"].total == 2


def test_a_plan_is_made_from_who_bought_a_product(cast, client, sign_in):
    buyer, other = (make.customer(cast.wuhan, manager=cast.zhao) for _n in range(2))
    with connection.cursor() as cursor:
        ensure_partition(cursor, date(2025, 12, 1), "customers_usageday")
    UsageDay.objects.create(
        day=date(2025, 12, 5),
        customer=buyer,
        product="贺卡封装",
        region="",
        payment="",
        pieces=500,
        revenue=900,
        cost=0,
    )
    sign_in(cast.chen)
    typed = {
        "name": "老客户",
        "type": "pre_campaign",
        "way": "visit",
        "office": "420100",
        "first_day": "2026-11-23",
        "due_on": "2026-12-31",
        "whom": "product",
        "product": "贺卡",
        "since": "2025-11-01",
        "until": "2026-01-31",
    }
    wrong = client.post(reverse("delivery:plans"), typed | {"product": ""})
    assert wrong.status_code == 422
    unknown = client.post(reverse("delivery:plans"), typed | {"product": "无此"})
    assert unknown.status_code == 422
    asked = client.post(reverse("delivery:plans"), typed)
    assert asked.context["counted"] == {"names": 1, "unmanaged": 0, "managers": 1}
    assert not VisitPlan.objects.exists()
    made = client.post(reverse("delivery:plans"), typed | {"sure": "1"})
    run_inline(Job.objects.get(kind="delivery.freeze"))
    plan = VisitPlan.objects.get()
    assert made.url == plan.get_absolute_url()
    assert [row.customer for row in plan.visits.all()] == [buyer]
    assert plan.visits.get().day is not None
    assert other.visits.count() == 0


def test_merged_names_count_once(cast):
    one, two = (make.customer(cast.wuhan, manager=cast.zhao) for _n in range(2))
    plan = VisitPlan.objects.create(
        name="x", type="other", office=cast.wuhan, first_day=MONDAY, due_on=TUESDAY
    )
    plans.freeze(plan, Customer.objects.filter(manager=cast.zhao))
    merge(one, two, by=None)
    (cover,) = coverage(plan, cast.chen)
    assert cover.size == 1


# --- calendar feeds -----------------------------------------------------------------------


@pytest.fixture
def feed(cast, customer, client):
    """The address of Zhao's calendar, with an appointment and a whole day in it."""
    address = feeds.make(by=cast.zhao)
    appoint(customer, cast.lin, minutes=90)
    visits.put(make.visit(customer), by=cast.zhao, day=TUESDAY, even_so=True)
    path = address.split("8000")[-1]
    return lambda: client.get(path)


def test_two_libraries_read_the_calendar_alike(cast, customer, feed):
    body = feed().content.decode()
    assert feed().headers["Content-Type"].startswith("text/calendar")
    theirs = sorted(ics.Calendar(body).events, key=lambda event: event.all_day)
    timed, whole = theirs
    assert (timed.all_day, whole.all_day) == (False, True)
    assert timed.begin.isoformat() == "2026-11-24T10:00:00+08:00"
    assert whole.begin.date() == TUESDAY
    events = {e["uid"]: e for e in Calendar.from_ical(body).walk("VEVENT")}
    assert {str(uid) for uid in events} == {timed.uid, whole.uid}
    assert events[whole.uid]["dtstart"].dt == TUESDAY
    assert customer.name in str(events[timed.uid]["summary"])


def test_what_is_dropped_disappears_and_what_moves_moves(cast, feed):
    timed = Visit.objects.get(type="appointment")
    visits.drop(timed, by=cast.zhao, reason="客户取消")
    whole = Visit.objects.get(type="regular")
    visits.put(whole, by=cast.zhao, day=TUESDAY + timedelta(days=1))
    (event,) = Calendar.from_ical(feed().content).walk("VEVENT")
    assert event["dtstart"].dt == TUESDAY + timedelta(days=1)


def test_the_address_ends_when_it_is_replaced_revoked_or_the_post_ends(cast, feed):
    assert feed().status_code == 200
    Posting.objects.filter(user=cast.zhao).update(valid_to=MONDAY - timedelta(days=1))
    assert feed().status_code == 404
    Posting.objects.filter(user=cast.zhao).update(valid_to=None)
    feeds.make(by=cast.zhao)
    assert feed().status_code == 404
    feeds.revoke(by=cast.zhao)
    assert not CalendarFeed.objects.exists()


# --- hand-overs ---------------------------------------------------------------------------


@pytest.fixture
def other(cast):
    return make.user("other", ("manager", cast.wuhan))


def begin(cast, other) -> Handover:
    return handovers.start(
        by=cast.chen, office=cast.wuhan, giver=cast.zhao, taker=other, reason="调岗"
    )


def test_two_signatures_change_everything_at_once(cast, customer, other):
    visit, task = make.visit(customer), make.task(customer, cast.zhao)
    alert = make.alert(customer)
    fixed = appoint(customer, cast.lin)
    row = begin(cast, other)
    with pytest.raises(Refused, match="whole list"):
        handovers.sign(row, by=cast.zhao)
    handovers.check(row, by=other, items=Handover.Item.values)
    with pytest.raises(Refused, match="signs first"):
        handovers.sign(row, by=other)
    handovers.sign(row, by=cast.zhao)
    customer.refresh_from_db()
    assert customer.manager == cast.zhao  # one signature changes nothing
    with pytest.raises(PermissionDenied):
        handovers.sign(row, by=cast.chen)
    handovers.sign(row, by=other)
    for thing in (customer, visit, task, alert, fixed):
        thing.refresh_from_db()
    assert customer.manager == other
    assert (visit.visitor, fixed.visitor, fixed.day) == (other, other, TUESDAY)
    assert (Task.objects.get().assignee, alert.owner) == (other, other)


def test_for_one_who_has_left_a_supervisor_signs(cast, customer, other):
    row = begin(cast, other)
    handovers.check(row, by=cast.chen, items=Handover.Item.values)
    with pytest.raises(PermissionDenied):
        handovers.sign(row, by=cast.chen)
    Posting.objects.filter(user=cast.zhao).update(valid_to=MONDAY - timedelta(days=1))
    handovers.sign(row, by=cast.chen)
    handovers.sign(row, by=other)
    customer.refresh_from_db()
    assert customer.manager == other


def test_a_hand_over_wants_two_people_and_a_portfolio(cast, customer, other):
    with pytest.raises(Refused, match="not posted"):
        begin(cast, cast.lin)
    with pytest.raises(Refused, match="same person"):
        begin(cast, cast.zhao)
    begin(cast, other)
    with pytest.raises(Refused, match="open already"):
        begin(cast, other)


# --- reminders ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-23 07:30+08:00", 0),  # before work
        ("2026-11-23 09:00+08:00", 1),
        ("2026-11-23 20:00+08:00", 0),
        ("2026-11-28 10:00+08:00", 0),  # a Saturday
    ],
)
def test_the_days_list_is_told_once_and_in_working_hours(
    cast, customer, time_machine, at, told
):
    make.visit(customer)
    time_machine.move_to(at, tick=False)
    Visit.objects.update(day=localdate())
    for _twice in range(2):
        reminding.remind_step(Job())
    news = Message.objects.inbox_of(cast.zhao).filter(subject=reminding.TODAY)
    assert news.count() == told


def test_an_appointment_is_told_an_hour_ahead(cast, customer, time_machine):
    appoint(customer, cast.lin)
    time_machine.move_to("2026-11-24 08:45+08:00", tick=False)
    reminding.remind_step(Job())
    soon = Message.objects.inbox_of(cast.zhao).filter(subject=reminding.SOON)
    assert soon.count() == 0
    time_machine.move_to("2026-11-24 09:15+08:00", tick=False)
    for _twice in range(2):
        reminding.remind_step(Job())
    assert soon.count() == 1


# --- what other modules ask for, and the API ----------------------------------------------


def test_a_serious_complaint_that_is_archived_asks_for_a_visit(cast, customer):
    order = make.complaint(
        cast.lin, cast.wuhan, customer=customer, severity="major", kind="complaint"
    )
    order = make.push(order, cast.yong, "accepted", "replied", "follow_up")
    closing.archive(
        order, by=cast.chen, liability="none", cause="process", measure_needed=False
    )
    visit = Visit.objects.get(customer=customer)
    assert (visit.type, visit.note, visit.visitor) == (
        "complaint",
        order.ref,
        cast.zhao,
    )
    assert visit.due_on == MONDAY + timedelta(days=7)


def test_nobody_without_contact_for_ninety_days_stays_unseen(cast, customer):
    other = make.customer(cast.wuhan, manager=cast.zhao)
    Customer.objects.update(created_at=now() - timedelta(days=200))
    log(make.visit(other), cast.zhao)
    rule = WatchRule.objects.create(
        office=cast.wuhan, kind="contact", level=1, days=90, segments=["casual"]
    )
    CustomerValue.objects.create(
        customer=customer,
        until=MONDAY,
        purchase_days=1,
        first_on=MONDAY,
        last_on=MONDAY,
        mean_spending=1,
    )
    assert strike(rule, cast.wuhan, MONDAY) == 1
    alert = Alert.objects.get()
    assert alert.customer == customer
    assert said(alert).startswith("No contact for 200 days")
    log(make.visit(customer), cast.zhao)
    strike(rule, cast.wuhan, MONDAY)
    alert.refresh_from_db()
    assert alert.outcome == "recovered"


def test_the_api_appoints_logs_and_answers_as_the_pages_do(
    cast, customer, client, sign_in
):
    sign_in(cast.zhao)

    def post(path: str, body: dict, key: str = ""):
        headers = {"Idempotency-Key": key} if key else {}
        return client.post(
            f"/api/v1/visits/{path}",
            body,
            content_type="application/json",
            headers=headers,
        )

    wish = {"customer": customer.pk, "day": f"{TUESDAY}", "at": "10:00"}
    made = [post("", wish, "k1") for _twice in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["id"] == made[1].json()["id"]
    assert made[0].json()["day_because"] == "The customer asked for this time"
    clash = post("", wish | {"customer": make_other(cast).pk, "at": "10:30"})
    assert (clash.status_code, clash.json()["code"]) == (409, "visit.double")
    pk = made[0].json()["id"]
    wrong = post(f"{pk}/report/", {"result": "fine", "next_when": "none"})
    assert list(wrong.json()["errors"]) == ["visited_on"]
    sent = {
        "result": "order",
        "needs": ["basic"],
        "next_when": "30",
        "visited_on": f"{localdate()}",
    }
    done = post(f"{pk}/report/", sent, "k2").json()
    assert (done["state"], done["report"]["next_type"]) == ("done", "regular")
    again = post(f"{pk}/report/", sent, "k2")
    assert again.status_code == 200
    assert post(f"{pk}/report/", sent).status_code == 409
    listed = client.get("/api/v1/visits/?state=done").json()["results"]
    assert [row["id"] for row in listed] == [pk]
    assert client.get("/api/v1/visits/?state=wrong").status_code == 400


def make_other(cast) -> Customer:
    return make.customer(cast.wuhan, manager=cast.zhao)


def test_the_api_tells_the_coverage_of_a_plan(cast, customer, client, sign_in):
    plan = VisitPlan.objects.create(
        name="x", type="other", office=cast.wuhan, first_day=MONDAY, due_on=TUESDAY
    )
    plans.freeze(plan, Customer.objects.filter(pk=customer.pk))
    sign_in(cast.chen)
    (cover,) = client.get(f"/api/v1/visit-plans/{plan.pk}/coverage/").json()
    assert cover == {
        "office": "420100",
        "size": 1,
        "done": 0,
        "open": 1,
        "overdue": 0,
        "dropped": 0,
    }
