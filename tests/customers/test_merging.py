"""Duplicates found, merged, undone; the ledger never changes."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.urls import reverse

from complaints.models import Complaint
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.models import Office
from crm.transfer import services as transfer
from crm.transfer.forms import EXAMPLE
from customers import duplicates, merging
from customers.models import (
    Customer,
    DuplicatePair,
    MergedRows,
    Usage,
    UsageDay,
    UsageMonth,
)
from customers.queries import Period, months_of, retention_by_office, retention_group
from customers.records import add_external_id, add_phone
from tests import factories as make

BASE = Period(date(1997, 7, 1), date(1997, 12, 31))
CURRENT = Period(date(1998, 1, 1), date(1998, 6, 30))


@pytest.fixture
def two(cast) -> tuple[Customer, Customer]:
    survivor = make.customer(
        cast.wuhan, name="武汉长江印刷有限公司", phone="13900000001"
    )
    loser = make.customer(
        cast.wuhan, name="长江印刷厂", phone="13900000001", industry="press"
    )
    return survivor, loser


def snapshot(*customers: Customer) -> list:
    """All that a merge may touch, as plain values."""
    skipped = {"version"}
    found = []
    for customer in customers:
        row = Customer.objects.get(pk=customer.pk)
        fields = [f for f in row._meta.concrete_fields if f.name not in skipped]
        found.append([getattr(row, f.attname) for f in fields])
        for relation in ("phones", "addresses", "timeline", "external_ids"):
            rows = getattr(row, relation).order_by("pk").values()
            found.append([{k: bytes_of(v) for k, v in one.items()} for one in rows])
        found.append(list(Complaint.objects.filter(customer=row).values_list("pk")))
    return found


def bytes_of(value):
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_merge_moves_the_children_and_undoing_it_puts_all_back(cast, two):
    make.holidays_of(2026, 2027)
    survivor, loser = two
    add_phone(loser, "13900000002")
    loser.phones.filter(is_primary=True).update(opted_out=True)
    add_external_id(loser, "11183", "P-1")
    make.complaint(cast.lin, cast.wuhan, customer=loser, caller_phone="13900000002")
    before = snapshot(survivor, loser)
    row = merging.merge(survivor, loser, by=cast.chen, take={"industry", "name"})
    survivor.refresh_from_db()
    assert (survivor.name, survivor.industry) == ("长江印刷厂", "press")
    assert survivor.aliases == ["武汉长江印刷有限公司"]
    assert Complaint.objects.get().customer == survivor
    assert survivor.external_ids.count() == 1
    shared = survivor.phones.get(is_primary=True)
    assert shared.opted_out  # the stricter mark of the two wins
    assert not Customer.objects.visible_to(cast.chen).filter(pk=loser.pk).exists()
    merging.undo(row, by=cast.chen)
    survivor.phones.update(opted_out=False)
    assert snapshot(survivor, loser) == before
    assert merging.undo(row, by=cast.chen) == []


def test_a_value_changed_after_the_merge_is_kept_by_the_undo(cast, two):
    survivor, loser = two
    row = merging.merge(survivor, loser, by=cast.chen, take={"industry"})
    Customer.objects.filter(pk=survivor.pk).update(industry="food")
    assert merging.undo(row, by=cast.chen) == ["industry"]
    survivor.refresh_from_db()
    assert survivor.industry == "food"


def test_chains_and_selves_are_refused_and_twice_is_once(cast, two):
    survivor, loser = two
    third = make.customer(cast.wuhan)
    with pytest.raises(Refused, match="itself"):
        merging.merge(survivor, survivor, by=cast.chen)
    first = merging.merge(survivor, loser, by=cast.chen)
    assert merging.merge(survivor, loser, by=cast.chen) == first
    for one, other in ((third, survivor), (loser, third), (third, loser)):
        with pytest.raises(Refused, match="chains"):
            merging.merge(one, other, by=cast.chen)
    merging.merge(survivor, third, by=cast.chen)  # a second member is no chain


def test_nobody_merges_into_or_out_of_anothers_office(cast, two):
    survivor, _loser = two
    far = make.customer(cast.yichang)
    for one, other in ((survivor, far), (far, survivor)):
        with pytest.raises(PermissionDenied):
            merging.merge(one, other, by=cast.chen)
    with pytest.raises(PermissionDenied):
        merging.merge(*two, by=cast.zhao)
    assert not MergedRows.objects.exists()


def test_the_old_address_leads_to_the_survivor(client, cast, two):
    survivor, loser = two
    merging.merge(survivor, loser, by=cast.chen)
    make.sign_in(client, cast.chen)
    answer = client.get(loser.get_absolute_url())
    assert answer.url == survivor.get_absolute_url()
    make.sign_in(client, cast.mei)
    assert client.get(loser.get_absolute_url()).status_code == 404


def totals() -> tuple:
    """Sums of the ledger: whole, by customer, by office."""
    lines = Usage.objects.order_by()
    by_customer = dict(lines.values_list("customer").annotate(Sum("revenue")))
    by_office = {
        office.code: lines.filter(customer__office=office).aggregate(
            n=Count("id"), s=Sum("revenue")
        )
        for office in Office.objects.all()
    }
    return by_customer, by_office


@pytest.mark.timeout(180)
def test_the_real_ledger_stays_what_it_is_through_twenty_merges_and_ten_undos(cast):
    """The issue's own measure, on the real ledger at two offices."""
    for office in (cast.wuhan, cast.yichang):
        with EXAMPLE.open("rb") as source:
            batch = transfer.upload(
                source, by=None, office=office, target="usage", file_name="cdnow.csv"
            )
        started = transfer.start_import(batch, by=None, mapping=batch.mapping)
        run_inline(started.job)
    ours = list(Customer.objects.filter(office=cast.wuhan).order_by("code")[:20])
    theirs = list(Customer.objects.filter(office=cast.yichang).order_by("code")[5:25])
    before = totals()
    assert before[1]["420100"] == {"n": 6919, "s": Decimal("244091.94")}
    assert before[1]["420500"] == {"n": 6919, "s": Decimal("244091.94")}
    merges = [
        merging.merge(one, other, by=None)
        for one, other in zip(ours, theirs, strict=True)
    ]
    assert totals() == before
    for one, other in zip(ours, theirs, strict=True):
        joined = sum(
            m.revenue for m in months_of(one, today=date(1998, 6, 1), count=24)
        )
        assert joined == before[0][one.pk] + before[0][other.pk]
    _figures_equal_their_lists(cast)
    for row in merges[::2]:
        merging.undo(row, by=None)
    assert totals() == before
    assert Customer.objects.exclude(merged_into=None).count() == 10
    _figures_equal_their_lists(cast)


def _figures_equal_their_lists(cast) -> None:
    """Retention counts a merged customer once, and its list has as many rows."""
    counts = retention_by_office(cast.hubei, BASE, CURRENT)
    whole = sum(counts.values(), start=type(next(iter(counts.values())))())
    rows = Customer.objects.filter(merged_into=None)
    for group in ("base", "retained", "new", "won_back"):
        found = retention_group(rows, group, BASE, CURRENT)
        assert found.count() == getattr(whole, group), group


def test_the_sums_by_day_follow_the_lines(cast):
    with EXAMPLE.open("rb") as source:
        batch = transfer.upload(
            source, by=None, office=cast.wuhan, target="usage", file_name="cdnow.csv"
        )
    run_inline(transfer.start_import(batch, by=None, mapping=batch.mapping).job)
    for _time in range(2):
        run_inline(enqueue("customers.days"))
        days = UsageDay.objects.aggregate(Sum("pieces"), Sum("revenue"))
        lines = Usage.objects.aggregate(Sum("pieces"), Sum("revenue"))
        assert days == lines
        assert not UsageMonth.objects.filter(is_summed=False).exists()
        UsageMonth.objects.filter(customer__code__startswith="1").update(
            is_summed=False
        )


def test_the_sweep_finds_each_kind_of_double(cast):
    first = make.customer(
        cast.wuhan,
        name="武汉光谷电子有限公司",
        phone="13900000001",
        credit_code="91420100MA4KMGEH6J",
    )
    same_code = make.customer(
        cast.yichang, name="光谷电子", credit_code="91420100MA4KMGEH6J"
    )
    same_phone = make.customer(
        cast.wuhan, name="武汉楚天茶业有限公司", phone="13900000001"
    )
    same_name = make.customer(cast.wuhan, name="光谷电子有限责任公司")
    place = "武汉市武昌区中山路1号2栋"
    here = make.customer(cast.wuhan, name="王秀英", kind="individual", address=place)
    there = make.customer(
        cast.wuhan, name="王秀英", kind="individual", address=f"湖北省{place}"
    )
    neighbour = make.customer(
        cast.wuhan, name="赵小兰", kind="individual", address=place
    )
    job = run_inline(enqueue("customers.duplicates"))
    assert job.state == "done"
    pairs = {
        frozenset((p.first_id, p.second_id)): (set(p.reasons), p.score)
        for p in DuplicatePair.objects.all()
    }
    assert pairs[frozenset((first.pk, same_code.pk))][0] == {"credit_code"}
    assert pairs[frozenset((first.pk, same_phone.pk))] == ({"phone"}, 40)
    assert pairs[frozenset((first.pk, same_name.pk))][0] == {"name"}
    assert pairs[frozenset((here.pk, there.pk))][0] == {"address"}
    assert not any(neighbour.pk in pair for pair in pairs)
    assert len(pairs) == 4
    assert duplicates.queue(cast.chen).count() == 3
    assert duplicates.elsewhere(cast.chen) == 1


def test_what_was_decided_stays_decided_and_what_is_gone_leaves_the_queue(cast):
    two = [
        make.customer(cast.wuhan, name=n, phone="13900000001") for n in ("甲方", "乙方")
    ]
    run_inline(enqueue("customers.duplicates"))
    pair = DuplicatePair.objects.get()
    duplicates.decide_different(pair, by=cast.chen)
    run_inline(enqueue("customers.duplicates"))
    assert DuplicatePair.objects.get().state == "different"
    DuplicatePair.objects.update(state="open")
    two[1].phones.all().delete()
    run_inline(enqueue("customers.duplicates"))
    assert not DuplicatePair.objects.exists()


def test_a_switchboard_number_makes_no_pairs(cast):
    for _one in range(duplicates.BLOCK + 1):
        make.customer(cast.wuhan, phone="027-87654321")
    run_inline(enqueue("customers.duplicates"))
    assert not DuplicatePair.objects.exists()


def test_while_typing_other_offices_are_counted_and_not_shown(client, cast):
    make.customer(cast.yichang, name="宜昌三峡茶业有限公司", phone="13911118888")
    mine = make.customer(cast.wuhan, name="武汉三峡茶业有限公司")
    make.sign_in(client, cast.lin)
    url = reverse("customers:likely")
    found = client.post(url, {"name": "三峡茶业有限公司"}).content.decode()
    assert mine.code in found
    assert "1 customer outside yours" in found
    assert "宜昌" not in found
    found = client.post(url, {"phone": "139 1111 8888"}).content.decode()
    assert "outside yours" in found
    assert client.post(url, {"phone": "139"}).content.strip() == b""


def test_the_pair_page_merges_with_the_chosen_values(client, cast, two):
    survivor, loser = two
    pair = make.pair(*two)
    make.sign_in(client, cast.chen)
    url = reverse("customers:pair", args=[pair.pk])
    page = client.get(url)
    assert "139******01" in page.content.decode()
    data = {"merge": "1", "stays": str(survivor.pk), "take-industry": "loser"}
    assert client.post(url, data).url == survivor.get_absolute_url()
    loser.refresh_from_db()
    survivor.refresh_from_db()
    assert (loser.merged_into, survivor.industry) == (survivor, "press")
    assert client.post(url, data).status_code == 404  # the pair has left the queue
    panel = client.get(reverse("customers:of_customer", args=[survivor.pk]))
    row = panel.context["merges"][0]
    client.post(reverse("customers:unmerge", args=[row.pk]))
    loser.refresh_from_db()
    assert loser.merged_into is None
