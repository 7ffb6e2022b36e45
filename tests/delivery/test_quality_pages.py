"""Pages of delivery quality: every number opens its rows, with explicit dates."""

import re
from datetime import date

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate

from complaints import quality_counts
from complaints.models import Complaint
from crm.audit.models import AuditEvent
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery.models import DeliveryStandard, MailItem, PremiumRoute, ServiceCount
from delivery.quality import figures, rates
from delivery.quality.figures import Span
from delivery.quality.metrics import METRICS
from delivery.quality.which import APART, WHICH, narrowed
from tests import factories as make

OCTOBER = {"since": "2026-10-01", "until": "2026-10-31"}
SPAN = Span(date(2026, 10, 1), date(2026, 10, 31))
FATES = [
    {"delivered_at": "2026-10-13T09:00+08:00", "attempts": "1"},
    {"delivered_at": "2026-10-16T09:00+08:00", "attempts": "2"},
    {"delivered_at": "2026-10-29T09:00+08:00"},
    {"returned_at": "2026-10-14T09:00+08:00", "return_cause": "address"},
    {"returned_at": "2026-10-14T09:00+08:00", "return_cause": "operator"},
    {"outcome": "lost"},
    {"delivered_at": "2026-10-13T09:00+08:00", "outcome": "damaged"},
    {"delivered_at": "2026-10-11T09:00+08:00"},  # impossible
    {
        "delivered_at": "2026-10-13T09:00+08:00",
        "requirement": "x",
        "requirement_met": "f",
        "ratings": "{4,2}",
    },
]


@pytest.fixture
def october(cast):
    """A month of all fates, told by Wuhan and by the county below it."""
    for where in (cast.wuhan, cast.wuchang):
        for fate in FATES:
            make.item(where, **fate)
    run_inline(enqueue("delivery.tally"))
    return cast


def test_every_number_of_the_board_opens_as_many_rows(october, sign_in):
    """anchors.md 2.9: count on card = rows in list, for every card."""
    client = sign_in(october.chen)
    page = client.get(reverse("quality:board"), OCTOBER).content.decode()
    links = re.findall(r'href="(/quality/items/\?[^"]+)">([\d,]+)</a>', page)
    assert len(links) > 20
    for link, number in links:
        url = link.replace("&amp;", "&")
        assert "since=2026-10-01&until=2026-10-31" in url
        found = client.get(url)
        assert found.context["page"].total == int(number.replace(",", "")), url


@pytest.mark.parametrize("name", WHICH)
def test_a_list_counts_as_the_tallies_do(october, name):
    counts = figures.counts_of(october.wuhan, SPAN)
    rows = narrowed(MailItem.objects.all(), name, SPAN).count()
    if name in counts:
        assert rows == counts[name]
        return
    for metric in METRICS:
        share = metric.share(counts)
        if metric.which == name:
            assert rows == share.numerator
        if metric.spoilt == name:
            assert rows == share.denominator - share.numerator


def test_what_stands_in_no_rate_has_lists_of_its_own(october):
    counts = figures.counts_of(october.wuhan, SPAN)
    assert counts["flawed"] == 2
    for name in APART:
        rows = narrowed(MailItem.objects.all(), name, SPAN).count()
        assert rows == counts[name]


def test_a_unit_with_few_items_is_not_ranked(october, sign_in):
    client = sign_in(october.chen)
    page = client.get(reverse("quality:board"), OCTOBER)
    assert [row["rank"] for row in page.context["units"]] == [None]
    for _more in range(rates.FEWEST - 8):  # a flawed one does not count
        make.item(october.wuchang, **FATES[0])
    run_inline(enqueue("delivery.tally"))
    page = client.get(reverse("quality:board"), OCTOBER)
    assert [row["rank"] for row in page.context["units"]] == [1]


def test_twenty_nine_items_are_few_and_thirty_are_not():
    assert rates.Share(29, 29).is_few
    assert not rates.Share(30, 30).is_few


def test_wilson_stays_within_bounds_and_covers_the_share():
    assert rates.Share(0, 0).interval is None
    low, high = rates.Share(81, 263).interval  # Newcombe 1998, table I
    assert (round(low, 2), round(high, 2)) == (25.53, 36.62)
    low, high = rates.Share(0, 20).interval
    assert (round(low, 2), round(high, 2)) == (0, 16.11)
    low, high = rates.Share(1, 29).interval
    assert (round(low, 2), round(high, 2)) == (0.61, 17.18)


def test_the_board_asks_the_same_number_of_questions_whatever_there_is(
    october, sign_in
):
    client = sign_in(october.chen)
    client.get(reverse("quality:board"), OCTOBER)
    with CaptureQueriesContext(
        connection,
    ) as first:
        client.get(reverse("quality:board"), OCTOBER)
    for day in range(10, 20):
        make.item(october.wuchang, f"2026-10-{day}T09:00+08:00", **FATES[0])
    run_inline(enqueue("delivery.tally"))
    with CaptureQueriesContext(connection) as second:
        client.get(reverse("quality:board"), OCTOBER)
    assert len(first) == len(second) <= 15


def test_the_figures_are_kept_a_minute_and_only_for_the_same_question(
    october, sign_in, settings
):
    settings.FIGURES_KEPT_SECONDS = 60
    client, url = sign_in(october.chen), reverse("quality:board")
    first = client.get(url, OCTOBER).content.decode()
    make.item(october.wuchang, **FATES[0])
    run_inline(enqueue("delivery.tally"))
    with CaptureQueriesContext(connection) as asked:
        again = client.get(url, OCTOBER).content.decode()
    assert len(asked) <= 8
    body = slice(first.index('class="kpis"'), None)
    assert first[body] == again[again.index('class="kpis"') :]
    other = client.get(url, OCTOBER | {"office": october.wuchang.code}).content.decode()
    assert ">9</a>" in other  # eight, and the new one
    assert (
        sign_in(october.mei).get(url, OCTOBER | {"office": "420100"}).status_code == 422
    )
    cache.clear()
    assert client.get(url, OCTOBER).content.decode()[body] != first[body]


def test_the_list_pages_by_key_and_asks_no_more_for_more_rows(october, sign_in):
    for _more in range(60):
        make.item(october.wuhan, **FATES[0])
    run_inline(enqueue("delivery.tally"))
    client = sign_in(october.chen)
    url = reverse("quality:items")
    first = client.get(url, OCTOBER)
    seen = [row.waybill for row in first.context["page"].rows]
    after = first.context["page"].next_key
    with CaptureQueriesContext(connection) as asked:
        second = client.get(url, OCTOBER | {"after": after})
    seen += [row.waybill for row in second.context["page"].rows]
    assert len(seen) == len(set(seen)) == first.context["page"].total == 76
    assert len(asked) <= 12
    assert client.get(url, OCTOBER | {"after": "1~x"}).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"since": "2026-11-01", "until": "2026-10-01"}, "until"),
        ({"since": "2020-01-01", "until": "2026-10-01"}, "until"),
        ({"since": "soon"}, "since"),
        ({"office": "420500"}, "office"),
    ],
)
def test_a_bad_question_is_answered_beside_its_field(october, sign_in, wrong, field):
    client = sign_in(october.chen)
    for name in ("quality:board", "quality:routes", "quality:items"):
        page = client.get(reverse(name), OCTOBER | wrong)
        assert page.status_code == 422
        assert field in page.context["form"].errors


def test_an_item_is_found_by_its_number(october, sign_in):
    number = make.item(october.yichang, **FATES[0])
    own = make.item(october.wuhan, **FATES[0])
    client = sign_in(october.chen)
    url = reverse("quality:items")
    found = client.get(url, {"q": f" {own.lower()} "})
    assert found.url == reverse("quality:item", args=[own])
    page = client.get(found.url).content.decode()
    assert "GB/T 27917.2-2011" in page
    missing = client.get(url, {"q": number}, follow=True)
    assert "There is no item" in missing.content.decode()
    # An agent may look up any item by its whole number; it is noted.
    client = sign_in(october.lin)
    page = client.get(url, {"q": number})
    assert page.status_code == 200
    assert number in page.content.decode()
    assert AuditEvent.objects.get(action="item.looked_up").actor == october.lin


def test_the_list_as_a_file_is_noted(october, sign_in):
    client = sign_in(october.chen)
    answer = client.get(reverse("quality:items"), OCTOBER | {"which": "late", "csv": 1})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 1 + figures.counts_of(october.wuhan, SPAN)["limited"] - 6
    assert AuditEvent.objects.filter(action="items.exported").exists()
    client = sign_in(october.lin)
    assert client.get(reverse("quality:items"), {"csv": 1}).status_code == 404


def test_a_manager_sees_the_items_of_their_customers_only(october, sign_in):
    mine = make.customer(october.wuhan, manager=october.zhao)
    other = make.customer(october.wuhan)
    number = make.item(october.wuhan, customer=mine.code, product="特快", **FATES[0])
    make.item(october.wuhan, customer=other.code, **FATES[0])
    client = sign_in(october.zhao)
    page = client.get(reverse("quality:items"), OCTOBER)
    assert [row.waybill for row in page.context["page"].rows] == [number]
    panel = client.get(reverse("quality:for_customer", args=[mine.pk])).content.decode()
    assert "特快" in panel
    assert "100.0" in panel


# --- standards and routes ---------------------------------------------------------------

STANDARD = {
    "product": "特快",
    "relation": "province",
    "valid_from": "2026-01-01",
    "mode": "working",
    "limit": "2",
    "cut_off": "17:00",
    "first_share": "70",
    "max_share": "90",
    "lost_days": "7",
    "target": "95",
    "attempts": "2",
    "gap_hours": "8",
    "opens": "08:00",
    "closes": "20:00",
}


def test_the_top_of_the_house_keeps_the_standards(october, sign_in):
    boss = make.user("boss", ("supervisor", october.hubei))
    client = sign_in(boss)
    url = reverse("quality:standards")
    sent = STANDARD | {"token": "6f1f6f8e-7a1c-4a52-9a35-0c2b5f0e9d11"}
    assert client.post(url, sent).status_code == 302
    assert client.post(url, sent).status_code == 302  # twice
    row = DeliveryStandard.objects.get(product="特快")
    assert Job.objects.filter(kind="delivery.reckon").count() == 1
    overlapping = client.post(url, STANDARD)
    assert overlapping.status_code == 422
    assert "valid_from" in overlapping.context["form"].errors
    page = reverse("quality:standard", args=[row.pk])
    assert client.post(page, STANDARD | {"limit": "3"}).status_code == 302
    row.refresh_from_db()
    assert row.limit == 3
    client.post(page, {"remove": 1})
    assert not DeliveryStandard.objects.filter(product="特快").exists()
    last = DeliveryStandard.objects.get(product="", relation="")
    client.post(reverse("quality:standard", args=[last.pk]), {"remove": 1})
    assert DeliveryStandard.objects.filter(pk=last.pk).exists()
    client = sign_in(october.chen)
    assert client.post(url, STANDARD).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"valid_until": "2025-01-01"}, "valid_until"),
        ({"first_days": "3"}, "max_days"),
        ({"first_days": "3", "max_days": "2"}, "max_days"),
        ({"closes": "07:00"}, "closes"),
        ({"target": "101"}, "target"),
        ({"mode": "moons"}, "mode"),
    ],
)
def test_a_bad_standard_is_answered_beside_its_field(october, sign_in, wrong, field):
    client = sign_in(make.user("boss", ("supervisor", october.hubei)))
    page = client.post(reverse("quality:standards"), STANDARD | wrong)
    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_premium_routes_stand_apart(october, sign_in):
    client = sign_in(make.user("boss", ("supervisor", october.hubei)))
    for days in (13, 13, 14, 20):
        make.item(
            october.wuhan,
            from_region="武汉",
            to_region="宜昌",
            delivered_at=f"2026-10-{days}T09:00+08:00",
        )
    run_inline(enqueue("delivery.tally"))
    sent = {
        "from_region": "武汉",
        "to_region": "宜昌",
        "target": "95",
        "most_cv": "0.5",
    }
    client.post(reverse("quality:premium"), sent)
    page = client.get(reverse("quality:routes"), OCTOBER)
    (row,) = page.context["premium"]
    assert (row.on_time.numerator, row.items, row.is_met) == (3, 4, False)
    # 1, 1, 2, 8 days: mean 3, s² = 34/3
    assert row.cv == pytest.approx((34 / 3) ** 0.5 / 3)
    assert row.is_steady is False
    client.post(reverse("quality:premium"), {"remove": PremiumRoute.objects.get().pk})
    assert not PremiumRoute.objects.exists()


# --- complaints -------------------------------------------------------------------------


def test_complaints_count_for_whom_the_item_concerns(october):
    number = make.item(october.wuchang, product="特快", **FATES[0])
    today = localdate()
    upheld = make.complaint(october.lin, october.wuhan, item_no=number)
    Complaint.objects.filter(pk=upheld.pk).update(is_upheld=True)
    make.complaint(october.lin, october.wuhan)
    appeal = make.complaint(october.lin, october.wuhan, item_no=number)
    Complaint.objects.filter(pk=appeal.pk).update(kind="appeal", is_upheld=True)
    for _twice in range(2):
        run_inline(enqueue("complaints.quality_counts"))
    rows = ServiceCount.objects.values_list("office", "product", *quality_counts.FIELDS)
    assert sorted(rows) == sorted(
        [
            (october.wuchang.pk, "特快", 1, 1, 1, 1),
            (october.wuhan.pk, "", 1, 0, 0, 0),
        ]
    )
    counts = figures.counts_of(october.wuhan, Span(today, today))
    assert (counts["complaints"], counts["appeals_upheld"]) == (2, 1)
    assert rates.complaints_per_10k(counts | {"items": 4000}).value == 5
    assert rates.upheld_appeals_per_million(counts | {"items": 4000}).value == 250
