"""Offers, contracts, demands of delivery, the fourteen stages, errors, what is late."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from campaigns import orders, pipeline, products
from campaigns.models import (
    CardOrder,
    CardProduct,
    OrderStage,
    ProductionError,
    Requirement,
    Stage,
)
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify.models import Message
from tests import factories as make
from tests.seasons import contracted, issued, product, season


@pytest.fixture
def row(cast):
    return issued(cast)


@pytest.fixture
def order(cast, row):
    return contracted(row, make.customer(cast.wuhan, manager=cast.zhao), cast.zhao)


def draft(row, customer, **facts):
    facts = {"product": product(), "pieces": 1000, "ordered_on": localdate(), **facts}
    return CardOrder(season=row, customer=customer, **facts)


@pytest.mark.parametrize(
    ("pieces", "price"),
    [(100, "3.00"), (900, "3.00"), (1000, "2.00"), (2000, "1.80"), (5000, "1.80")],
)
def test_the_price_is_that_of_the_band(cast, row, pieces, price):
    made = orders.offer(
        draft(row, make.customer(cast.wuhan), pieces=pieces), by=cast.chen
    )
    assert f"{made.price}" == price
    assert made.revenue == made.price * pieces


@pytest.mark.parametrize("pieces", [99, 150, 1500, 2500])
def test_pieces_that_no_band_has_are_refused(cast, row, pieces):
    with pytest.raises(Refused) as refusal:
        orders.offer(draft(row, make.customer(cast.wuhan), pieces=pieces), by=cast.chen)
    assert refusal.value.code == "order.pieces"


def test_a_product_is_sold_in_its_years_only(cast, row):
    old = CardProduct.objects.get(code="custom-letter")
    assert old not in products.offered_in(row)
    with pytest.raises(Refused) as refusal:
        orders.offer(draft(row, make.customer(cast.wuhan), product=old), by=cast.chen)
    assert refusal.value.code == "order.product"


def test_nothing_is_sold_before_the_season_is_issued(cast):
    row = season(cast.wuhan, "2028")
    made = orders.offer(draft(row, make.customer(cast.wuhan)), by=cast.chen)
    with pytest.raises(Refused) as refusal:
        orders.contract(made, by=cast.chen, number="HK-1", on=localdate())
    assert refusal.value.code == "season.draft"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"valid_until": -1}, "valid_until"),
        ({"posting_on": -1}, "posting_on"),
        ({"price": 0}, "price"),
    ],
)
def test_impossible_terms_are_told_beside_their_field(client, cast, row, facts, field):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    today = localdate()
    sent = {
        "customer": customer.code,
        "product": product().pk,
        "pieces": 2000,
        "ordered_on": f"{today}",
    }
    for name, value in facts.items():
        sent[name] = value if name == "price" else f"{today + timedelta(days=value)}"
    make.sign_in(client, cast.zhao)
    answer = client.post(reverse("campaigns:order_new", args=[row.code]), sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not CardOrder.objects.exists()


def test_an_expired_offer_is_made_anew(cast, row):
    made = orders.offer(draft(row, make.customer(cast.wuhan)), by=cast.chen)
    yesterday = localdate() - timedelta(days=1)
    CardOrder.objects.filter(pk=made.pk).update(valid_until=yesterday)
    with pytest.raises(Refused) as refusal:
        orders.contract(made, by=cast.chen, number="HK-1", on=localdate())
    assert refusal.value.code == "order.expired"


def test_a_contract_lays_fourteen_stages_with_unit_owner_and_day(order):
    stages = list(order.stages.all())
    assert [stage.stage for stage in stages] == Stage.values
    assert all(stage.owner_id and stage.office_id for stage in stages)
    days = [stage.due_on for stage in stages]
    assert days == sorted(days)
    assert order.customer.timeline.get(kind="card_order").ref == order.ref


def test_stages_are_done_in_their_order_and_pieces_go_on(cast, order):
    first, second = order.stages.all()[:2]
    with pytest.raises(Refused) as refusal:
        pipeline.finish(second, by=cast.chen)
    assert refusal.value.code == "stage.order"
    for pieces in (1990, 0):
        with pytest.raises(Refused) as refusal:
            pipeline.finish(first, by=cast.chen, pieces=pieces)
        assert refusal.value.code == "stage.short"
    error = ProductionError(stage=first, kind="print", pieces=10, words="印废")
    pipeline.note_error(error, by=cast.chen)
    pipeline.finish(first, by=cast.chen, pieces=1990)
    second.refresh_from_db()
    assert second.pieces_in == 1990
    with pytest.raises(Refused) as refusal:
        pipeline.finish(second, by=cast.chen, pieces=1991)
    assert refusal.value.code == "stage.pieces"
    done = pipeline.finish(second, by=cast.chen)
    again = pipeline.finish(second, by=cast.chen, pieces=5)
    assert again.pieces_out == done.pieces_out == 1990


def test_the_last_stage_ends_the_order(cast, order):
    for stage in order.stages.all():
        pipeline.finish(stage, by=cast.chen)
    order.refresh_from_db()
    assert order.state == CardOrder.State.DONE


def test_printed_cards_cannot_be_called_off(cast, order):
    for stage in order.stages.filter(position__lte=8):
        pipeline.finish(stage, by=cast.chen)
    with pytest.raises(Refused) as refusal:
        orders.drop(order, by=cast.chen, reason="不办了")
    assert refusal.value.code == "order.printed"
    late = Requirement(order=order, kind="whom", words="收发室")
    with pytest.raises(Refused):
        orders.demand(late, by=cast.chen)


def test_an_order_is_called_off_with_a_reason(cast, order):
    with pytest.raises(Refused):
        orders.drop(order, by=cast.zhao, reason=" ")
    orders.drop(order, by=cast.zhao, reason="预算取消")
    assert not OrderStage.objects.filter(order=order).exists()


def test_demands_are_counted_once_they_are_judged(cast, order):
    rows = CardOrder.objects.all()
    for words in ("收发室", "本人"):
        orders.demand(Requirement(order=order, kind="whom", words=words), by=cast.zhao)
    assert orders.fulfilment(rows).denominator == 0
    met, missed = order.requirements.all()
    orders.judge(met, by=cast.zhao, is_met=True)
    orders.judge(missed, by=cast.zhao, is_met=False)
    share = orders.fulfilment(rows)
    assert (share.numerator, share.denominator) == (1, 2)


def test_an_error_gets_a_number_that_complaints_can_name(cast, order):
    stage = order.stages.first()
    error = ProductionError(stage=stage, kind="print", pieces=20, words="色差")
    kept = pipeline.note_error(error, by=cast.chen)
    assert kept.ref == f"PE-{order.pk}-1"
    too_many = ProductionError(stage=stage, kind="print", pieces=2001, words="色差")
    with pytest.raises(Refused):
        pipeline.note_error(too_many, by=cast.chen)
    assert pipeline.settle(kept, by=cast.chen).settled_at
    assert pipeline.settle(kept, by=cast.chen).settled_by == cast.chen


def test_overdue_stages_escalate_day_by_day(cast, order):
    stage = order.stages.first()
    OrderStage.objects.filter(pk=stage.pk).update(owner=cast.zhao)
    told = {}
    for days in (1, 1, 2, 3):
        OrderStage.objects.filter(pk=stage.pk).update(
            due_on=localdate() - timedelta(days=days)
        )
        run_inline(Job.objects.create(kind="campaigns.stages", due_at=order.made_at))
        told[days] = (
            Message.objects.inbox_of(cast.zhao).count(),
            Message.objects.inbox_of(cast.chen).count(),
        )
    assert told == {1: (1, 0), 2: (1, 1), 3: (1, 1)}


def test_the_load_of_each_day_adds_up_to_the_pieces(cast, row, order):
    contracted(row, make.customer(cast.wuhan), cast.chen, pieces=5000)
    days = pipeline.load_by_day(CardOrder.objects.all())
    assert sum(one.printed for one in days) == 7000
    assert sum(one.delivered for one in days) == 7000
    standing = {
        one.stage: one.orders for one in pipeline.stage_counts(CardOrder.objects.all())
    }
    assert standing["consult"] == 2
    assert standing["design"] == 0


def test_a_unit_next_door_neither_sees_nor_does_a_stage(cast, order):
    stage = order.stages.first()
    assert OrderStage.objects.visible_to(cast.yong).filter(pk=stage.pk).exists()
    assert not OrderStage.objects.visible_to(cast.mei).filter(pk=stage.pk).exists()
    with pytest.raises(PermissionDenied):
        pipeline.finish(stage, by=cast.mei)
