"""What somebody tries who should not, or who sends it twice: found by reading, kept by tests."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate, now

from campaigns import (
    addressing,
    answering,
    files,
    orders,
    outreach,
    printing,
    prizes,
    review,
    seasons,
    timetable,
)
from campaigns.models import (
    Campaign,
    CardOrder,
    Contact,
    OrderStage,
    OutreachStep,
    PilotUser,
    PrintFile,
    PrizeDraw,
    PrizeLevel,
    Season,
    Touch,
)
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from customers import recipients
from customers.models import SavedView
from tests import factories as make
from tests.seasons import contracted, issued, ordered, product, season

GOOD = {"address": "湖北省武汉市武昌区中山路12号", "postcode": "430060"}


@pytest.fixture
def row(cast):
    return issued(cast)


@pytest.fixture
def printed(cast, row):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    order = contracted(row, customer, cast.zhao)
    listed = make.recipient_list(customer)
    make.recipient(listed, **GOOD)
    recipients.count(listed)
    addressing.choose_list(order, listed, by=cast.zhao)
    printing.make(order, by=cast.zhao, first="000001", doubtful_confirmed=True)
    return CardOrder.objects.get(pk=order.pk)


def test_a_reader_of_a_county_gets_no_report_of_the_whole(client, cast):
    wide = season(cast.hubei, "2029")
    ordered(wide, make.customer(cast.yichang), revenue="777777.00")
    make.sign_in(client, cast.chen)
    client.post(reverse("campaigns:report", args=[wide.code]))
    assert PrintFile.objects.get().params == {"office": cast.wuhan.code}
    body = client.get(reverse("campaigns:report", args=[wide.code])).content.decode()
    assert "777,777" not in body


def test_a_number_that_two_offices_have_names_nobody(client, cast):
    wide = issued(cast, cast.wuhan, "2030")
    first = make.customer(cast.wuhan, code="TWICE")
    make.customer(cast.wuchang, code="TWICE")
    make.sign_in(client, cast.chen)
    page = reverse("campaigns:order_new", args=[wide.code])
    sent = {
        "customer": "TWICE",
        "product": product().pk,
        "pieces": 1000,
        "ordered_on": f"{localdate()}",
    }
    assert client.post(page, sent).status_code == 422
    assert client.post(f"{page}?customer={first.pk}", sent).status_code == 302
    order = CardOrder.objects.get()
    edit = reverse("campaigns:order_edit", args=[order.pk])
    assert client.post(edit, sent | {"pieces": 2000}).status_code == 302
    order.refresh_from_db()
    assert (order.customer, order.pieces) == (first, 2000)


def test_an_offer_stays_with_its_customer(cast, row):
    draft = CardOrder(season=row, customer=make.customer(cast.wuhan), pieces=1000)
    draft.product, draft.ordered_on = product(), localdate()
    made = orders.offer(draft, by=cast.chen)
    made.customer = make.customer(cast.wuhan)
    with pytest.raises(Refused) as refusal:
        orders.offer(made, by=cast.chen)
    assert refusal.value.code == "order.customer"


def test_a_list_past_its_agreement_is_neither_checked_nor_printed(cast, printed):
    listed = printed.recipients
    type(listed).objects.update(ends_on=localdate() - timedelta(days=1))
    printed = CardOrder.objects.get(pk=printed.pk)
    with pytest.raises(Refused) as refusal:
        addressing.deliver_virtually(printed, by=cast.zhao)
    assert refusal.value.code == "list.closed"
    with pytest.raises(Refused):
        printing.make(printed, by=cast.zhao, first="000100", doubtful_confirmed=True)


def test_a_planner_cannot_leave_customers_out_by_a_view_nobody_shows_them(cast, row):
    view = SavedView.objects.create(
        owner=cast.ping, office=cast.wuhan, name="x", query="segment=contract"
    )
    draft = Campaign(season=row, office=cast.wuhan, name="x", whom="base", without=view)
    with pytest.raises(Refused) as refusal:
        outreach.keep(draft, by=cast.ping)
    assert refusal.value.code == "campaign.view"


def test_a_campaign_whose_view_is_gone_ends_instead_of_hanging(cast, row):
    view = SavedView.objects.create(
        owner=cast.chen, office=cast.wuhan, name="x", query=""
    )
    made = Campaign(season=row, office=cast.wuhan, name="x", whom="view", view=view)
    outreach.keep(made, by=cast.chen)
    outreach.keep_step(OutreachStep(campaign=made, way="call", body="x"), by=cast.chen)
    outreach.start(made, by=cast.chen)
    view.delete()
    make.customer(cast.wuhan)
    run_inline(Job.objects.get(kind="campaigns.gather"))
    made.refresh_from_db()
    assert (made.state, made.size) == (Campaign.State.RUNNING, 0)


def test_a_manager_sees_no_pilot_of_somebody_elses_customer(client, cast):
    row = season(cast.wuhan)
    day = localdate()
    other = make.customer(cast.wuhan, name="别家试用公司")
    PilotUser.objects.create(
        season=row, customer=other, applied_on=day, first_day=day, last_day=day
    )
    page = reverse("campaigns:review", args=[row.code])
    make.sign_in(client, cast.zhao)
    assert "别家试用公司" not in client.get(page).content.decode()
    make.sign_in(client, cast.rui)
    assert "别家试用公司" in client.get(page).content.decode()
    again = PilotUser(season=row, customer=other, applied_on=day, first_day=day)
    again.last_day = day
    with pytest.raises(Refused) as refusal:
        review.apply(again, by=cast.chen)
    assert refusal.value.code == "pilot.twice"


def test_files_of_a_list_go_with_it(cast, printed):
    (row,) = files.ask_run(printed.runs.get(), "data", by=cast.zhao)
    run_inline(Job.objects.filter(kind="campaigns.files").latest("pk"))
    row.refresh_from_db()
    assert row.path.exists()
    recipients.destroy(printed.recipients, by=cast.zhao)
    row.refresh_from_db()
    assert (row.state, row.path.exists()) == ("gone", False)


def test_a_unit_that_sees_only_its_stage_can_do_it(client, cast):
    row = issued(cast, cast.wuhan, "2031")
    order = contracted(row, make.customer(cast.wuhan, manager=cast.zhao), cast.zhao)
    stage = order.stages.first()
    OrderStage.objects.filter(pk=stage.pk).update(office=cast.yichang)
    make.sign_in(client, cast.mei)
    body = client.get(reverse("campaigns:stages")).content.decode()
    assert order.ref in body
    assert order.get_absolute_url() not in body
    answer = client.post(
        reverse("campaigns:stage_act", args=[stage.pk]),
        {"finish": "1", "pieces": f"{order.pieces}"},
    )
    assert answer.url == reverse("campaigns:stages")
    stage.refresh_from_db()
    assert stage.pieces_out == order.pieces


def test_a_complaint_may_name_anything(client, cast):
    complaint = make.complaint(cast.lin, cast.wuhan)
    type(complaint).objects.filter(pk=complaint.pk).update(item_no="HK/1")
    make.sign_in(client, cast.lin)
    assert client.get(complaint.get_absolute_url()).status_code == 200
    named = client.get(reverse("campaigns:named") + "?ref=HK/1")
    assert (named.status_code, named.content) == (200, b"")


def test_two_levels_of_one_rank_and_a_long_group_are_told(cast, row):
    today = localdate()
    draw = PrizeDraw(season=row, drawn_on=today, source="x", place="x")
    draw.redeem_from = draw.redeem_until = today
    prizes.keep(draw, by=cast.ping)
    level = PrizeLevel(draw=draw, rank=1, name="x", prize="x", mode="group", digits=6)
    prizes.keep_level(level, by=cast.ping)
    twin = PrizeLevel(draw=draw, rank=1, name="y", prize="x", mode="suffix", digits=2)
    with pytest.raises(Refused) as refusal:
        prizes.keep_level(twin, by=cast.ping)
    assert refusal.value.code == "level.rank"
    with pytest.raises(Refused) as refusal:
        prizes.enter(level, by=cast.ping, written="ABCDEFGHIJKL 123456")
    assert refusal.value.code == "numbers.form"


def test_the_api_refuses_more_pieces_than_there_are_numbers(client, cast, row):
    order = contracted(row, make.customer(cast.wuhan), cast.chen)
    make.sign_in(client, cast.chen)
    answer = client.post(
        f"/api/v1/card-orders/{order.pk}/stages/consult/begin/",
        json.dumps({"pieces": 3_000_000_000}),
        content_type="application/json",
    )
    assert answer.status_code == 400


def test_an_edit_leaves_what_another_did_meanwhile(cast):
    last = season(cast.wuhan, "2026", first_day=localdate() - timedelta(days=400))
    ordered(last, make.customer(cast.wuhan))
    row = season(cast.wuhan, "2027", previous=last)
    stale = Season.objects.get(pk=row.pk)
    seasons.freeze_base(row, by=cast.ping, is_sure=True)
    stale.name = "新名称"
    seasons.keep(stale, by=cast.ping)
    row.refresh_from_db()
    assert row.name == "新名称"
    assert row.base_frozen_at is not None


def touched(cast, row, way: str) -> Touch:
    campaign = Campaign.objects.create(
        season=row, office=cast.wuhan, name="x", whom="base", state="running"
    )
    step = OutreachStep.objects.create(campaign=campaign, position=1, way=way, body="x")
    contact = Contact.objects.create(
        campaign=campaign,
        customer=make.customer(cast.wuhan, manager=cast.zhao),
        due_at=now(),
        entered_at=now(),
    )
    return Touch.objects.create(
        contact=contact, step=step, outcome="open", at=now(), due_at=now()
    )


def test_letters_are_printed_once_however_often_it_is_clicked(cast, row):
    touched(cast, row, "letter")
    assert answering.print_letters(cast.zhao) == 1
    assert answering.print_letters(cast.zhao) == 0
    assert PrintFile.objects.filter(kind="mailing").count() == 1


def test_nobody_reached_clicked_twice_is_one_attempt(cast, row):
    touch = touched(cast, row, "call")
    answering.called(touch, by=cast.zhao, result="nobody")
    with pytest.raises(Refused):
        answering.called(touch, by=cast.zhao, result="nobody")
    touch.refresh_from_db()
    assert touch.attempts == 1


def test_an_order_with_printed_cards_cannot_be_called_off(cast, printed):
    with pytest.raises(Refused) as refusal:
        orders.drop(printed, by=cast.zhao, reason="不办了")
    assert refusal.value.code == "order.printed"


def test_a_closed_season_keeps_its_timetable(cast):
    row = season(cast.wuhan)
    timetable.lay(row, by=cast.ping)
    Season.objects.update(state="closed")
    with pytest.raises(Refused):
        timetable.lay(row, by=cast.ping)
