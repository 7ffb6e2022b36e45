"""What a colleague might try at visits, greetings and surveys."""

import uuid
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.access.models import Posting
from crm.errors import Refused
from crm.notify.models import Message
from customers.consents import give_consent
from delivery import care, handovers, improving, visit_log, visits
from delivery.models import (
    CareRule,
    Handover,
    Visit,
    VisitPhoto,
    VisitPlan,
    VisitRule,
)
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def year():
    make.holidays_of(2026, 2027)


@pytest.fixture
def customer(cast):
    return make.customer(cast.wuhan, manager=cast.zhao)


def log(visit, by, **facts):
    facts = {"visited_on": localdate(), "result": "fine", **facts}
    return visit_log.log(visit, by=by, **facts)


@pytest.mark.parametrize("name", ["delivery:care_rule", "delivery:rule"])
def test_a_prefecture_does_not_take_the_houses_rule(cast, client, sign_in, name):
    model = CareRule if name == "delivery:care_rule" else VisitRule
    row = model.objects.filter(office=None).first()
    sign_in(cast.chen)
    typed = {"office": cast.wuhan.pk, "name": "x", "kind": "birthday", "way": "call"}
    typed |= {"calendar": "solar", "ahead": 1, "type": "alert", "days": 9, "slack": 0}
    typed |= {"at_least": 0}
    assert client.post(reverse(name, args=[row.pk]), typed).status_code == 403
    row.refresh_from_db()
    assert (row.office, row.is_on) == (None, True)


def test_a_prefecture_sends_no_leader_of_the_province(cast, client, sign_in):
    sign_in(cast.chen)
    typed = {"type": "leadership", "office": cast.wuhan.pk, "leader": "province"}
    typed |= {"at_least": 1, "days": 1, "slack": 0, "way": "visit", "is_on": "on"}
    page = client.post(reverse("delivery:rules"), typed)
    assert page.status_code == 422
    assert "leader" in page.context["form"].errors


def test_a_picture_of_another_visit_is_not_replaced(cast, customer, client, sign_in):
    first, second = make.visit(customer), make.visit(customer)
    sign_in(cast.zhao)
    key = str(uuid.uuid4())

    def send(visit, data):
        file = SimpleUploadedFile("a.png", data)
        address = reverse("delivery:photo_add", args=[visit.pk])
        return client.post(
            address, {"photo": file, "key": key}, headers={"X-Quiet": "1"}
        )

    send(first, make.picture())
    photo = VisitPhoto.objects.get()
    before = photo.path.read_bytes()
    assert send(second, make.picture(99, 99)).status_code == 204
    assert send(first, make.picture(50, 50)).status_code == 204
    assert photo.path.read_bytes() == before
    assert VisitPhoto.objects.count() == 2
    taken = second.photos.get().pk
    file = SimpleUploadedFile("a.png", make.picture(7, 7))
    client.post(
        reverse("delivery:photo_add", args=[first.pk]), {"photo": file, "key": taken}
    )
    assert second.photos.get().path.read_bytes() != make.picture(7, 7)


def test_a_visit_covers_no_visit_of_somebody_else(cast, customer):
    call = visits.give(make.visit(customer, way="call"), by=cast.chen, to=cast.mei)
    alert, leader = make.visit(customer), make.visit(customer, type="leadership")
    log(call, cast.mei, also=[alert, leader])
    for row in (alert, leader):
        row.refresh_from_db()
        assert row.state == "open"


def test_a_call_does_for_no_visit_in_person(cast, customer):
    call, alert = make.visit(customer, way="call"), make.visit(customer)
    log(call, cast.zhao, also=[alert])
    alert.refresh_from_db()
    assert alert.state == "open"


def test_a_leaders_visit_is_logged_by_the_leader(cast, customer):
    row = make.visit(customer, type="leadership", visitor=cast.chen)
    with pytest.raises(PermissionDenied):
        log(row, cast.zhao)
    log(row, cast.chen)


def test_who_has_moved_away_takes_no_portfolio_over(cast, customer):
    other = make.user("other", ("manager", cast.wuhan))
    row = handovers.start(
        by=cast.chen, office=cast.wuhan, giver=cast.zhao, taker=other, reason="x"
    )
    handovers.check(row, by=other, items=Handover.Item.values)
    handovers.sign(row, by=cast.zhao)
    Posting.objects.filter(user=other).update(office=cast.yichang)
    with pytest.raises(Refused, match="not posted"):
        handovers.sign(row, by=other)
    customer.refresh_from_db()
    assert customer.manager == cast.zhao


def test_who_did_an_improvement_does_not_judge_it_and_strangers_do_not_read_it(
    cast, customer, client, sign_in
):
    asked = make.survey(cast.hubei, make.user("boss", ("supervisor", cast.hubei)))
    question = asked.version.questions.first()
    boss = asked.made_by
    facts = {"question": question, "due_on": localdate(), "owner": cast.zhao}
    own = improving.improve(asked, by=boss, office=cast.wuhan, what="own", **facts)
    improving.improve(asked, by=boss, office=cast.yichang, what="theirs", **facts)
    improving.finish(own, by=cast.chen, words="done")
    with pytest.raises(PermissionDenied):
        improving.judge(own, by=cast.chen, helps=True, words="good")
    sign_in(cast.chen)
    page = client.get(asked.get_absolute_url()).content.decode()
    assert "own" in page
    assert "theirs" not in page


def test_a_miss_does_not_wipe_out_that_it_is_overdue(cast, customer):
    row = make.visit(customer)
    late = localdate() - timedelta(days=5)
    Visit.objects.filter(pk=row.pk).update(first_day=late, due_on=late)
    for number in range(1, 4):
        row = visits.miss(row, by=cast.zhao, words="没人")
        assert row.due_on == late
        assert row.day > localdate()
        news = Message.objects.inbox_of(cast.chen).filter(subject=visits.MISSED)
        assert news.count() == (number >= 3)


def test_one_number_gets_one_greeting_however_many_customers_share_it(cast):
    for _two in range(2):
        row = make.customer(cast.wuhan, phone="13900000077", code=make.phone())
        give_consent(row, "care", by=cast.chen, how="x")
    today = localdate()
    rule = CareRule.objects.create(
        office=cast.wuhan,
        kind="festival",
        name="x",
        month=today.month,
        day=today.day,
        way="sms",
        text="好",
    )
    assert care.send_messages(rule, today) == 1


def test_a_visit_is_begun_for_its_own_customer(cast, customer, client, sign_in):
    other = make.customer(cast.wuhan, manager=cast.zhao)
    sign_in(cast.zhao)
    found = []
    for row in (customer, other):
        for token in ("", "\0", "x" * 99):
            typed = {"now": "1", "token": token}
            address = reverse("delivery:new") + f"?customer={row.pk}"
            found.append((row.pk, client.post(address, typed).url))
    made = {(v.customer_id, v.get_absolute_url()) for v in Visit.objects.all()}
    assert made == set(found)


def test_nobody_goes_whose_posting_has_ended(cast, customer, client, sign_in):
    gone = make.user("gone", ("manager", cast.wuhan))
    Posting.objects.filter(user=gone).update(valid_to=date(2026, 1, 1))
    row = make.visit(customer)
    sign_in(cast.chen)
    page = client.post(
        reverse("delivery:step", args=[row.pk, "give"]), {"to": gone.username}
    )
    assert page.status_code == 422
    assert client.get(reverse("delivery:capacity", args=[gone.pk])).status_code == 404


@pytest.mark.parametrize(
    ("name", "who", "typed"),
    [
        ("order", "zhao", {"on": "2026-11-23", "visit": ["abc", "1"], "up": "1"}),
        ("order", "zhao", {"on": "2026-11-23", "visit": "9" * 5000}),
        ("plans", "chen", {"since": "9999-12-31", "until": "9999-12-31"}),
        ("plans", "chen", {"first_day": "0001-01-01", "due_on": "9999-12-31"}),
        ("rounds", "chen", {"opens_on": "2026-11-23", "closes_on": "9999-12-31"}),
    ],
)
def test_odd_input_ends_in_no_error(cast, client, sign_in, name, who, typed):
    sign_in(getattr(cast, who))
    usual = {"whom": "product", "product": "x", "way": "phone", "office": "420100"}
    answer = client.post(reverse(f"delivery:{name}"), usual | typed)
    assert answer.status_code in (302, 422)
    assert not VisitPlan.objects.exists()


def test_a_month_far_away_is_no_month(cast, client, sign_in):
    sign_in(cast.chen)
    assert client.get("/visits/board/?month=9999-12").status_code == 404


def test_a_list_names_no_plan_that_one_does_not_see(cast, client, sign_in):
    plan = VisitPlan.objects.create(
        name="secret",
        type="other",
        office=cast.yichang,
        first_day=localdate(),
        due_on=localdate(),
        made_at=now(),
    )
    sign_in(cast.zhao)
    page = client.get(f"/visits/list/?plan={plan.pk}&who=mei").content.decode()
    assert "secret" not in page
    assert cast.mei.full_name not in page


def test_a_greeting_sent_twice_is_one(cast, client, sign_in):
    sign_in(cast.chen)
    typed = {"kind": "birthday", "name": "twice", "office": cast.wuhan.pk}
    typed |= {"calendar": "solar", "way": "call", "ahead": 3}
    typed["token"] = str(uuid.uuid4())
    for _twice in range(2):
        assert client.post(reverse("delivery:care"), typed).status_code == 302
    assert CareRule.objects.filter(name="twice").count() == 1
