"""The watch's pages, the months of key customers, and what service does."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate, now

from customers import watch_night, watch_rules
from customers.key_months import effects_of, keep_months, movements
from customers.models import (
    Alert,
    KeyMonth,
    ServiceEffect,
    Task,
    WatchRule,
)
from customers.queries import add_months
from tests import factories as make
from tests.customers.test_watch import MONTH, months, night, rule_of, seen


@pytest.fixture
def firm(cast):
    found = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    seen(found)
    return found


# --- key customers and service ----------------------------------------------------------


def test_key_customers_are_written_down_month_by_month(cast):
    stays, comes, goes, small = (
        make.customer(cast.wuchang, segment="contract") for _one in range(4)
    )
    for firm in (stays, goes):
        firm.strategic_class = "media"
        firm.save()
    seen(stays)
    months(stays, 300, 200)
    months(small, 900)
    before = add_months(localdate(), -1) + timedelta(days=3)
    everyone = [stays.pk, comes.pk, goes.pk, small.pk]
    watch_night.renew_trends(everyone, before)
    keep_months(cast.wuhan, before)
    goes.strategic_class, comes.strategic_class = "", "leader"
    goes.save()
    comes.save()
    watch_night.renew_trends(everyone, localdate())
    keep_months(cast.wuhan, localdate())
    row = movements(cast.hubei, MONTH)[cast.wuchang.path]
    assert (row.number, row.previous_number, row.joined, row.left) == (2, 2, 1, 1)
    assert (row.active, row.revenue, row.previous_revenue) == (1, 300, 200)
    kept = set(KeyMonth.objects.values_list("pk", flat=True))
    keep_months(cast.wuhan, localdate().replace(day=28))
    assert set(KeyMonth.objects.values_list("pk", flat=True)) == kept  # frozen


def test_the_effect_of_service_is_compared_among_the_same_size(cast):
    served_month = add_months(MONTH, -3)
    firms = [make.customer(cast.wuchang, segment="contract") for _one in range(20)]
    seen(firms[0])
    for place, firm in enumerate(firms):
        after = 100 if place % 2 else 0
        months(firm, after, 0, 0, 0, 50 + 10 * place)
        if place % 4 == 1:  # all of these stay
            Task.objects.create(
                customer=firm,
                kind="stale",
                title="x",
                due_on=served_month,
                source=f"s{place}",
                done_at=now().replace(
                    year=served_month.year, month=served_month.month, day=9
                ),
                done_by=cast.zhao,
            )
    keep_months(cast.wuhan, localdate())
    assert ServiceEffect.objects.filter(month=served_month).exists()
    found = {one.action: one for one in effects_of(cast.hubei, served_month)}
    assert found["task"].customers == 5
    assert found["task"].stayed == 100
    assert found["none"].customers == 15
    assert found["none"].stayed == pytest.approx(100 / 3)
    assert found["task"].others_stayed is not None
    assert found["task"].others_stayed < 60


# --- pages ------------------------------------------------------------------------------


def test_alerts_are_answered_on_their_page(client, cast, firm):
    rule_of(cast.hubei, "year")
    months(firm, 100, *[1000] * 13)
    night()
    alert = Alert.objects.get()
    make.sign_in(client, cast.mei)
    assert client.get(alert.get_absolute_url()).status_code == 404
    make.sign_in(client, cast.zhao)
    listed = client.get(reverse("customers:alerts"), {"whose": "mine"})
    assert [row.pk for row in listed.context["page"].rows] == [alert.pk]
    assert listed.context["movers"][0][1][0].customer == firm
    assert client.get(reverse("customers:alerts"), {"level": "9"}).status_code == 404
    today = client.get(reverse("customers:today")).content.decode()
    assert alert.get_absolute_url() in today
    client.post(reverse("customers:alert_act", args=[alert.pk, "take"]))
    empty = client.post(alert.get_absolute_url(), {"note": "想换公司"})
    assert empty.status_code == 422
    assert "想换公司" in empty.content.decode()
    token = "7d9d1c1e-5a0c-4c53-9b8e-0d9d3a4a3a11"
    typed = {"outcome": "kept", "note": "已回访", "token": token}
    for _twice in range(2):
        assert client.post(alert.get_absolute_url(), typed).status_code == 302
    alert.refresh_from_db()
    assert (alert.outcome, alert.closed_by) == ("kept", cast.zhao)
    point = client.get(firm.get_absolute_url()).content.decode()
    assert "899" not in point


def test_rules_are_kept_by_supervisors_of_their_office(client, cast):
    make.sign_in(client, cast.chen)
    usual = reverse("customers:watch_usual")
    client.post(usual, {"office": cast.wuhan.code})
    assert WatchRule.objects.count() == len(watch_rules.USUAL)
    client.post(usual, {"office": cast.wuhan.code})
    assert WatchRule.objects.count() == len(watch_rules.USUAL)
    client.post(usual, {"office": cast.hubei.code})
    assert WatchRule.objects.count() == len(watch_rules.USUAL)
    facts = {"office": cast.wuhan.pk, "kind": "year", "level": 3, "at_least": 5}
    facts |= {"often": 0, "segments": ["contract"], "task_days": 3, "is_on": "on"}
    new = reverse("customers:watch_rule_new")
    lacking = client.post(new, facts)
    assert lacking.status_code == 422
    assert "percent" in lacking.context["form"].errors
    assert client.post(new, facts | {"percent": 250}).status_code == 422
    assert client.post(new, facts | {"percent": 25}).status_code == 302
    again = client.post(new, facts | {"percent": 30})
    assert again.status_code == 422
    above = rule_of(cast.hubei, "month")
    page = reverse("customers:watch_rule", args=[above.pk])
    assert "belongs to an office above" in client.get(page).content.decode()
    client.post(page, facts | {"percent": 1})
    above.refresh_from_db()
    assert above.percent == 10
    with pytest.raises(PermissionDenied):
        watch_rules.usual_rules(cast.hubei, by=cast.chen)


def test_every_movement_opens_its_customers(client, cast):
    firms = [make.customer(cast.wuchang, segment="contract") for _one in range(3)]
    for place, firm in enumerate(firms):
        KeyMonth.objects.create(
            month=MONTH if place else add_months(MONTH, -1),
            customer=firm,
            office=firm.office,
            pieces=place - 1,
            revenue=10 * place,
            base_pieces=5,
            base_revenue=50,
        )
    make.sign_in(client, cast.chen)
    url = reverse("customers:movement")
    for group, number in {
        "all": 2,
        "joined": 2,
        "left": 1,
        "idle": 1,
        "fallen": 2,
    }.items():
        page = client.get(url, {"group": group}).context["page"]
        assert len(page.rows) == number, group
    assert client.get(url, {"month": "2026-99"}).status_code == 404
    assert client.get(url, {"office": cast.yichang.code}).status_code == 404
    month = f"{MONTH:%Y-%m}"
    file = client.get(reverse("customers:movement_file"), {"month": month})
    text = b"".join(file.streaming_content).decode()
    assert cast.wuchang.name in text
    assert firms[1].name not in text


def test_pages_cost_the_same_whatever_stands_on_them(client, cast):
    """At most fifteen queries, and none for each row."""
    pages = ["alerts", "today", "watch_rules", "movement", "forecast", "values"]
    costs: list[list[int]] = []
    for number in (2, 12):
        for _one in range(number):
            firm = make.customer(
                cast.wuchang, segment="contract", manager=cast.chen, name="甲乙丙"
            )
            make.judged(firm, product=f"p{firm.pk}")
            make.alert(firm, level=1 + firm.pk % 3, often=firm.pk % 360)
            seen(firm)
        run = make.grade_run(cast.wuchang)
        urls = [reverse(f"customers:{name}") for name in pages]
        urls += [run.get_absolute_url(), Alert.objects.first().get_absolute_url()]
        make.sign_in(client, cast.chen)
        client.get(urls[0])
        costs.append([])
        for url in urls:
            with CaptureQueriesContext(connection) as spent:
                assert client.get(url).status_code == 200
            costs[-1].append(len(spent))
    assert costs[0] == costs[1]
    assert max(costs[1]) <= 15, dict(zip(pages, costs[1], strict=False))
