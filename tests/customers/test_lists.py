"""Views, exports and actions on all that match; erasure and retention."""

import csv
import io
import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils.timezone import now

from complaints.models import Complaint
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from customers import exporting, merging, notes, privacy
from customers.models import Customer, CustomerPhone, Export, SavedView, Task
from tests import factories as make


@pytest.fixture
def three(cast) -> list[Customer]:
    return [
        make.customer(cast.wuhan, manager=cast.zhao, segment="contract"),
        make.customer(cast.wuchang, segment="contract"),
        make.customer(cast.wuhan, segment="casual"),
    ]


def ask(client, query: str = "", reason: str = "月度核对") -> Export | None:
    data = {"query": query, "reason": reason, "token": str(uuid.uuid4())}
    client.post(reverse("customers:export_ask"), data)
    return Export.objects.order_by("-asked_at").first()


def fetch(client, export: Export):
    return client.post(reverse("customers:export_fetch", args=[export.pk]))


def table(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_view_keeps_known_filters_only_and_is_seen_where_it_is_shared(
    client, cast, three
):
    make.sign_in(client, cast.chen)
    data = {
        "name": "协议客户",
        "is_shared": "on",
        "query": "segment=contract&cols=industry,password&manager__password=x&after=9",
    }
    for _time in range(2):
        assert client.post(reverse("customers:view_save"), data).status_code == 200
    view = SavedView.objects.get()
    assert view.query == "segment=contract&cols=industry"
    assert list(SavedView.objects.visible_to(cast.zhao)) == [view]
    assert not SavedView.objects.visible_to(cast.mei).exists()
    page = client.get(f"{reverse('customers:list')}?{view.query}")
    assert len(page.context["page"].rows) == 2
    assert "Industry" in page.content.decode()
    make.sign_in(client, cast.zhao)
    drop = reverse("customers:view_drop", args=[view.pk])
    assert client.post(drop).status_code == 404
    wrong = {**data, "query": "segment=everything"}
    assert client.post(reverse("customers:view_save"), wrong).status_code == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("whose=mine", 0),
        ("whose=nobody", 2),
        ("unverified=180", 3),
        ("industry=food", 0),
    ],
)
def test_filters_select(client, cast, three, query, count):
    make.sign_in(client, cast.chen)
    page = client.get(f"{reverse('customers:list')}?{query}")
    assert len(page.context["page"].rows) == count


def test_an_export_has_the_lists_rows_masked_marked_and_without_formulas(
    client, cast, three
):
    three[1].name = "=HYPERLINK(1)"
    three[1].save()
    make.customer(
        cast.wuhan,
        name="王秀英",
        kind="individual",
        segment="contract",
        phone="13900000001",
    )
    make.customer(cast.yichang, segment="contract")
    make.sign_in(client, cast.chen)
    export = ask(client, "segment=contract")
    run_inline(export.job)
    rows = table(fetch(client, export))
    assert str(export.pk) in rows[0][0]
    assert "Chen" in rows[0][0]
    assert rows[0] == rows[-1]
    shown = client.get(f"{reverse('customers:list')}?segment=contract").context["page"]
    assert {row[0] for row in rows[2:-1]} == {row.code for row in shown.rows}
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row if cell)
    body = str(rows)
    assert "王**" in body
    assert "139******01" in body
    assert "13900000001" not in body
    export.refresh_from_db()
    event = AuditEvent.objects.get(action="export.made")
    assert event.details["sha256"] == export.sha256
    assert "王" not in export.path.read_bytes().decode("latin1")


def test_a_file_is_fetched_thrice_within_a_day_by_its_asker_only(client, cast, three):
    make.sign_in(client, cast.chen)
    export = ask(client)
    run_inline(export.job)
    boss = make.user("boss", ("supervisor", cast.hubei))
    make.sign_in(client, boss)
    assert fetch(client, export).status_code == 404
    make.sign_in(client, cast.chen)
    assert [fetch(client, export).status_code for _time in range(4)] == [200] * 3 + [
        302
    ]
    other = ask(client)
    run_inline(other.job)
    Export.objects.filter(pk=other.pk).update(ready_at=now() - timedelta(hours=25))
    assert fetch(client, other).status_code == 302
    assert exporting.forget_exports() == 1
    assert not other.path.exists()


def test_above_five_hundred_rows_a_second_person_approves(
    client, cast, three, monkeypatch
):
    monkeypatch.setattr(exporting, "ALONE_ROWS", 2)
    make.sign_in(client, cast.chen)
    export = ask(client)
    assert (export.state, export.job) == ("waiting", None)
    decide = reverse("customers:export_decide", args=[export.pk])
    client.post(decide, {"approve": "yes"})
    export.refresh_from_db()
    assert export.state == "waiting"
    with pytest.raises(Refused, match="Somebody else"):
        exporting.decide_export(export, by=cast.chen, approve=True)
    make.sign_in(client, cast.mei)
    assert client.post(decide, {"approve": "yes"}).status_code == 404
    boss = make.user("boss", ("supervisor", cast.hubei))
    make.sign_in(client, boss)
    client.post(decide, {"approve": "yes"})
    export.refresh_from_db()
    assert (export.state, export.decided_by) == ("making", boss)
    run_inline(export.job)
    export.refresh_from_db()
    assert (export.state, export.rows) == ("ready", 3)


def test_an_export_has_the_rows_that_its_asker_may_see_when_it_is_made(cast, three):
    export = exporting.request_export(by=cast.zhao, query="", reason="x")
    Customer.objects.filter(manager=cast.zhao).update(manager=None)
    run_inline(export.job)
    export.refresh_from_db()
    assert export.rows == 0


def test_exports_are_asked_for_with_a_reason_once_and_not_endlessly(
    client, cast, three, monkeypatch
):
    make.sign_in(client, cast.chen)
    url = reverse("customers:export_ask")
    assert client.post(url, {"query": "", "reason": ""}).status_code == 422
    assert (
        client.post(url, {"query": "industry=food", "reason": "x"}).status_code == 422
    )
    data = {"query": "", "reason": "x", "token": str(uuid.uuid4())}
    for _time in range(2):
        assert client.post(url, data).status_code == 204
    assert Export.objects.count() == 1
    monkeypatch.setattr(exporting, "DAILY", 1)
    assert client.post(url, {"query": "", "reason": "x"}).status_code == 422


def test_all_that_match_get_a_manager_by_a_job(client, cast, three):
    make.sign_in(client, cast.chen)
    url = reverse("customers:bulk")
    data = {"query": "segment=contract", "action": "assign", "person": cast.zhao.pk}
    data["token"] = str(uuid.uuid4())
    asked = client.post(url, data).content.decode()
    assert "This acts on 2 customers." in asked
    assert not Job.objects.filter(kind="customers.bulk").exists()
    for _time in range(2):
        answer = client.post(url, data | {"sure": "1"})
    job = Job.objects.get(kind="customers.bulk")
    run_inline(job)
    page = client.get(answer.headers["HX-Redirect"]).content.decode()
    assert "2 of 2: 1 changed, 1 left as they were." in page
    managers = Customer.objects.order_by("pk").values_list("manager", flat=True)
    assert list(managers) == [cast.zhao.pk, cast.zhao.pk, None]
    assert AuditEvent.objects.filter(action="customer.changed").count() == 1


def test_all_that_match_get_a_task(client, cast, three):
    make.sign_in(client, cast.chen)
    client.post(
        reverse("customers:bulk"), {"query": "", "action": "check", "sure": "1"}
    )
    run_inline(Job.objects.get(kind="customers.bulk"))
    assert Task.objects.count() == 3


@pytest.mark.parametrize(
    "data",
    [
        {"query": "", "action": "assign"},
        {"query": "industry=food", "action": "check"},
        {"query": "", "action": "delete"},
        {"query": "", "action": "assign", "person": "0"},
    ],
)
def test_a_wrong_action_is_refused_beside_its_field(client, cast, three, data):
    make.sign_in(client, cast.chen)
    assert client.post(reverse("customers:bulk"), data).status_code == 422
    assert not Job.objects.filter(kind="customers.bulk").exists()


# --- data protection --------------------------------------------------------------------


@pytest.fixture
def person(cast) -> Customer:
    made = make.customer(
        cast.wuhan,
        name="王秀英",
        kind="individual",
        id_number="11010519491231002X",
        phone="13900000001",
        address="武汉市武昌区中山路1号2栋303室",
    )
    made.contacts.create(name="赵小兰", remarks="住二楼")
    notes.add_note(made, by=cast.chen, kind="news", text="秀英搬家了")
    return made


CANARIES = ["13900000001", "11010519491231002X", "303室", "秀英", "小兰", "二楼"]


def test_one_persons_data_comes_whole_and_for_a_reason(client, cast, person):
    make.holidays_of(2026, 2027)
    make.complaint(cast.lin, cast.wuhan, customer=person, description="少了一件")
    make.sign_in(client, cast.chen)
    url = reverse("customers:privacy_data", args=[person.pk])
    assert client.post(url, {"data-reason": ""}).status_code == 422
    answer = client.post(url, {"data-reason": "本人到柜台申请"})
    found = json.loads(answer.content)
    assert all(one in str(found) for one in CANARIES)
    assert found["complaints.Complaint.customer"][0]["text"] == "少了一件"
    assert AuditEvent.objects.filter(action="customer.data_exported").exists()


def test_an_erased_person_is_found_nowhere_and_the_figures_stay(client, cast, person):
    make.holidays_of(2026, 2027)
    complaint = make.complaint(
        cast.lin,
        cast.wuhan,
        customer=person,
        caller_name="秀英",
        description="秀英的邮件，电话 13900000001",
    )
    make.sign_in(client, cast.chen)
    url = reverse("customers:privacy_erase", args=[person.pk])
    data = {"erase-reason": "本人书面要求", "erase-code": person.code}
    assert client.post(url, {**data, "erase-code": "x"}).status_code == 422
    refused = client.post(url, data)
    assert refused.status_code == 422
    assert "not settled" in refused.content.decode()
    person.timeline.update(is_open=False)
    Complaint.objects.update(state="archived", closed_at=now(), due_at=None)
    assert client.post(url, data).status_code == 302
    person.refresh_from_db()
    assert (person.name, person.id_number, person.id_index) == ("已删除", "", None)
    complaint.refresh_from_db()
    assert (complaint.caller_phone, complaint.text) == ("", "—")
    assert Customer.objects.filter(code=person.code).exists()
    assert not CustomerPhone.objects.filter(customer=person).exists()
    with connection.cursor() as cursor:
        for model in (Customer, Complaint):
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t")
            text = str(cursor.fetchall())
            assert not [one for one in CANARIES if one in text]
    for query in ("王秀英", "13900000001", "0001"):
        client.post(reverse("customers:search"), {"q": query})
        page = client.get(reverse("customers:search")).content.decode()
        assert "Nobody found" in page


def test_a_legal_hold_blocks_erasing_and_merging(client, cast, person):
    make.sign_in(client, cast.chen)
    client.post(reverse("customers:privacy_hold", args=[person.pk]))
    with pytest.raises(Refused, match="hold"):
        privacy.erase(person, by=cast.chen, reason="x")
    with pytest.raises(Refused, match="hold"):
        merging.merge(make.customer(cast.wuhan), person, by=cast.chen)
    client.post(reverse("customers:privacy_hold", args=[person.pk]))
    person.refresh_from_db()
    privacy.erase(person, by=cast.chen, reason="x")


def test_erasing_takes_the_merged_ones_along_and_cannot_be_undone(cast, person):
    double = make.customer(cast.wuhan, name="王秀英", kind="individual")
    row = merging.merge(person, double, by=cast.chen)
    privacy.erase(person, by=cast.chen, reason="x")
    double.refresh_from_db()
    assert double.name == "已删除"
    with pytest.raises(Refused, match="erased"):
        merging.undo(row, by=cast.chen)


def test_the_night_forgets_what_is_due_and_nothing_else(cast, person):
    old = now() - timedelta(days=800)
    prospect = make.customer(cast.wuhan, segment="prospect", name="潜在客户甲公司")
    held = make.customer(cast.wuhan, segment="prospect", legal_hold=True)
    young = make.customer(cast.wuhan, segment="prospect")
    Customer.objects.exclude(pk=young.pk).update(created_at=old)
    maybe = CustomerPhone(customer=person, level="maybe")
    maybe.set_number("+8613912341234")
    maybe.save()
    person.timeline.update(at=old)
    run_inline(enqueue("customers.retain"))
    erased = Customer.objects.exclude(erased_at=None)
    assert list(erased) == [prospect]
    assert not CustomerPhone.objects.filter(level="maybe").exists()
    held.refresh_from_db()
    assert held.erased_at is None
    assert AuditEvent.objects.filter(action="retention.kept").exists()
