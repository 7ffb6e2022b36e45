"""The watch under attack: pages that loop, offices next door, nights that go wrong."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.errors import Refused
from crm.notify.models import Message
from crm.web import keyset_page
from customers import alerts, merging, watch_rules
from customers.key_months import keep_months, movements
from customers.models import (
    Alert,
    Customer,
    CustomerTrend,
    KeyMonth,
    Task,
    UsageMonth,
    WatchRule,
)
from customers.queries import add_months
from tests import factories as make
from tests.customers.test_watch import LAST_DAY, MONTH, months, night, rule_of, seen


@pytest.fixture
def firm(cast):
    found = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    seen(found)
    return found


def test_every_alert_stands_on_one_page_of_the_list(client, cast):
    rules = [rule_of(cast.hubei, "month", level=level) for level in (1, 2)]
    for place in range(110):
        Alert.objects.create(
            rule=rules[place % 2],
            customer=make.customer(cast.wuchang),
            level=1 + place % 2,
            episode="x",
            evidence={"month": "2026-10-01", "now": 1, "then": 9, "expected": 9},
            raised_at=now(),
            due_on=localdate() + timedelta(days=place * 7 % 13),
        )
    make.sign_in(client, cast.chen)
    url, after, found = reverse("customers:alerts"), "", []
    for _page in range(5):
        page = client.get(url, {"after": after}).context["page"]
        found += [(-row.level, row.due_on, row.pk) for row in page.rows]
        after = page.next_key
        if not after:
            break
    assert found == sorted(found)
    assert len(set(found)) == len(found) == 110
    with pytest.raises(ValueError, match="one way"):
        keyset_page(Alert.objects.all(), ["-level", "due_on"], "")


def test_an_agent_elsewhere_sees_no_alert_of_that_office(client, cast, firm):
    alert = make.alert(firm)
    both = make.user("both", ("agent", cast.wuhan), ("manager", cast.yichang))
    make.sign_in(client, both)
    assert client.get(firm.get_absolute_url()).status_code == 200
    assert client.get(alert.get_absolute_url()).status_code == 404
    assert client.get(f"/api/v1/alerts/{alert.pk}/").status_code == 404
    assert not client.get(reverse("customers:alerts")).context["page"].rows


def test_a_merge_leaves_no_task_that_nobody_can_finish(cast, firm):
    rule_of(cast.hubei, "year")
    other = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    for one in (firm, other):
        months(one, 100, *[1000] * 13)
    night()
    merging.merge(firm, other, by=None)
    live = Alert.objects.exclude(state="closed").get()
    open_tasks = Task.objects.filter(kind="alert", done_at=None)
    assert [task.source for task in open_tasks] == [live.source]


def test_open_alerts_follow_the_manager(cast, firm):
    rule_of(cast.hubei, "year")
    months(firm, 100, *[1000] * 13)
    night()
    heir = make.user("heir", ("manager", cast.wuhan))
    Customer.objects.filter(pk=firm.pk).update(manager=heir)
    night()
    assert Alert.objects.get().owner == heir
    assert Task.objects.get(kind="alert").assignee == heir


def test_one_early_line_does_not_pass_for_the_months_ledger(cast, firm):
    rule_of(cast.hubei, "year")
    firms = [make.customer(cast.wuchang, segment="contract") for _one in range(6)]
    for one in firms:
        months(one, *[1000] * 13, last=add_months(MONTH, -1))
        seen(one, MONTH - timedelta(days=3))
    early = make.customer(cast.wuchang, segment="casual")
    months(early, 5)
    seen(early)
    night()
    assert not Alert.objects.exists()
    for one in firms[:4]:
        months(one, 1000)
    night()
    assert {row.customer for row in Alert.objects.all()} == set(firms[4:])


def test_an_alert_whose_rule_no_longer_holds_is_passed(cast, firm):
    rule = rule_of(cast.hubei, "year")
    months(firm, 100, *[1000] * 13)
    night()
    WatchRule.objects.filter(pk=rule.pk).update(is_on=False)
    night()
    assert Alert.objects.get().outcome == "recovered"


def test_what_a_graver_alert_had_overtaken_comes_back(cast, firm):
    rule_of(cast.hubei, "year")
    rule_of(cast.hubei, "silent", level=3, at_least=0)
    seen(make.customer(cast.wuhan))
    months(firm, 100, *[1000] * 13)
    night()
    seen(firm, LAST_DAY - timedelta(days=45))
    night()
    seen(firm)
    night()
    year = Alert.objects.get(rule__kind="year")
    assert (year.state, year.outcome) == ("open", "")
    assert Alert.objects.get(rule__kind="silent").outcome == "recovered"
    assert Task.objects.get(source=year.source).done_at is None


def test_a_rule_that_grows_graver_takes_its_open_alerts_along(cast, firm):
    rule = rule_of(cast.hubei, "year")
    months(firm, 100, *[1000] * 13)
    night()
    WatchRule.objects.filter(pk=rule.pk).update(level=3)
    UsageMonth.objects.filter(customer=firm, month=MONTH).update(revenue=50)
    night()
    alert = Alert.objects.get()
    assert (alert.level, alert.evidence["now"]) == (3, 50)


def test_usage_taken_back_takes_its_trend_along(cast, firm):
    months(firm, 800, 1000)
    night()
    assert CustomerTrend.objects.filter(customer=firm).exists()
    UsageMonth.objects.all().delete()
    night()
    assert not CustomerTrend.objects.exists()


def test_a_customer_who_moves_is_counted_where_it_is(cast):
    firm = make.customer(cast.wuchang, segment="contract", strategic_class="media")
    for office in (cast.wuhan, cast.yichang):
        seen(make.customer(office))
    months(firm, 100)
    keep_months(cast.wuhan, localdate().replace(day=2))
    Customer.objects.filter(pk=firm.pk).update(office=cast.yichang)
    for office in (cast.yichang, cast.wuhan):
        keep_months(office, localdate().replace(day=2))
    assert KeyMonth.objects.get().office == cast.yichang


def test_merged_key_customers_have_not_left(cast):
    one, two = (
        make.customer(cast.wuchang, segment="contract", strategic_class="media")
        for _one in range(2)
    )
    facts = {"office": cast.wuchang, "pieces": 1, "base_pieces": 0, "base_revenue": 0}
    for month in (add_months(MONTH, -1), MONTH):
        for customer in (one, two) if month != MONTH else (one,):
            KeyMonth.objects.create(month=month, customer=customer, revenue=5, **facts)
    merging.merge(one, two, by=None)
    row = movements(cast.hubei, MONTH)[cast.wuchang.path]
    assert (row.number, row.previous_number, row.left) == (1, 1, 0)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/customers/movement/?month=0001-01", 404),
        ("/customers/movement/file/?month=0001-01", 404),
        ("/api/v1/key-customers/?month=0001-01", 400),
        ("/api/v1/key-customers/", 400),
        ("/api/v1/alerts/?level=x", 400),
        ("/customers/alerts/?office=%F0%9F%98%80", 200),
        ("/customers/forecast/?product=%27", 200),
        ("/customers/grading/runs/{run}/?grade=up", 404),
        ("/customers/grading/runs/{run}/?was=down", 404),
        ("/customers/grading/runs/{run}/?office=x", 404),
    ],
)
def test_odd_addresses_are_answered(client, cast, address, status):
    run = make.grade_run(cast.wuhan)
    make.sign_in(client, cast.chen)
    assert client.get(address.format(run=run.pk)).status_code == status


def test_a_nul_in_an_office_is_refused(client, cast):
    make.sign_in(client, cast.chen)
    answer = client.post(reverse("customers:watch_usual"), {"office": "a\x00b"})
    assert answer.status_code == 302
    assert not WatchRule.objects.exists()


def test_a_complaint_alert_is_told_to_whoever_can_act(cast, firm):
    rule_of(cast.hubei, "complaint", level=2)
    made = alerts.raise_complaint(firm, "C-1", "/x/")
    assert Message.objects.get(to_user=cast.zhao).url == made.get_absolute_url()
    nobodys = make.customer(cast.wuchang, segment="contract")
    alerts.raise_complaint(nobodys, "C-2", "/x/")
    assert Message.objects.filter(to_user=cast.chen).exists()
    assert alerts.raise_complaint(firm, "C-3", "/x/") is None


def test_supervisors_give_alerts_and_answers_can_be_taken_back(client, cast, firm):
    alert = make.alert(firm)
    heir = make.user("heir", ("manager", cast.wuhan))
    make.sign_in(client, cast.chen)
    act = reverse("customers:alert_act", args=[alert.pk, "give"])
    client.post(act, {"to": cast.mei.pk})
    client.post(act, {"to": heir.pk})
    alert.refresh_from_db()
    assert (alert.owner, alert.state) == (heir, "taken")
    make.sign_in(client, heir)
    page = client.get(alert.get_absolute_url())
    assert page.status_code == 200
    assert firm.get_absolute_url() not in page.content.decode()  # not theirs to open
    make.sign_in(client, cast.chen)
    with pytest.raises(PermissionDenied):
        alerts.give_alert(alert, by=cast.zhao, to=heir)
    with pytest.raises(Refused):
        alerts.give_alert(alert, by=cast.chen, to=cast.mei)
    with pytest.raises(Refused):
        alerts.reopen_alert(alert, by=cast.zhao)
    alerts.close_alert(alert, by=cast.zhao, outcome="settled", note="已回款")
    client.post(reverse("customers:alert_act", args=[alert.pk, "reopen"]))
    alert.refresh_from_db()
    assert (alert.state, alert.outcome, alert.owner) == ("taken", "", cast.chen)
    assert watch_rules.hits_of(WatchRule.objects.all(), [cast.wuchang]) is not None


def test_an_answer_leads_back_to_the_list_it_came_from(client, cast, firm):
    alert = make.alert(firm)
    make.sign_in(client, cast.zhao)
    listed = client.get(reverse("customers:alerts"), {"whose": "mine", "level": 1})
    address = f"{alert.get_absolute_url()}?{listed.context['query']}"
    assert address.replace("&", "&amp;") in listed.content.decode()
    answer = client.post(address, {"outcome": "kept", "note": "a"})
    assert answer.status_code == 422
    answer = client.post(address, {"outcome": "kept", "note": "已回访客户"})
    assert answer.url == f"{reverse('customers:alerts')}?{listed.context['query']}"


def test_a_whole_list_is_given_as_far_as_both_may(client, cast):
    firms = [
        make.customer(office) for office in (cast.wuhan, cast.wuchang, cast.yichang)
    ]
    found = [make.alert(firm, often=place) for place, firm in enumerate(firms)]
    heir = make.user("heir", ("manager", cast.wuchang))
    boss = make.user("boss", ("supervisor", cast.hubei))
    make.sign_in(client, boss)
    url = reverse("customers:alerts_give")
    assert client.post(f"{url}?level=7", {"to": heir.pk}).status_code == 404
    client.post(f"{url}?level=1", {"to": cast.lin.pk})  # no manager
    assert not Alert.objects.exclude(owner=None).exists()
    client.post(f"{url}?level=1&whose=nobody", {"to": heir.pk})
    owners = [Alert.objects.get(pk=row.pk).owner for row in found]
    assert owners == [None, heir, None]
    assert Message.objects.get(to_user=heir).body == "1"
