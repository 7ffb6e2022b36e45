"""Ways round the masks and the scope that were tried, and what they get."""

import io
import uuid

import pytest
from django.urls import reverse

from crm.audit.models import AuditEvent
from crm.transfer import services as transfer
from customers import merging, services
from customers.models import Customer
from tests import factories as make
from tests.customers.test_records import form_of


@pytest.fixture
def person(cast) -> Customer:
    return make.customer(
        cast.wuhan, name="王秀英", kind="individual", aliases=["英子姐"]
    )


def test_a_person_is_not_made_a_firm_to_read_the_name(client, cast, person):
    make.sign_in(client, cast.lin)
    url = reverse("customers:edit", args=[person.pk])
    data = form_of(client, url)
    assert data["aliases"] == "英**"
    assert "英子姐" not in client.get(url).content.decode()
    answer = client.post(url, data | {"kind": "corporate"})
    assert "kind" in answer.context["form"].errors
    client.post(url, data | {"membership": "金卡"})
    person.refresh_from_db()
    assert (person.kind, person.aliases, person.membership) == (
        "individual",
        ["英子姐"],
        "金卡",
    )
    assert (
        client.post(url, data | {"aliases": ",".join("abcdefghijkl")}).status_code
        == 422
    )


def test_a_merge_shows_no_persons_name(client, cast, person):
    other = make.customer(cast.wuhan, name="司徒兰英", kind="individual")
    firm = make.customer(cast.wuhan, name="武汉长江电子有限公司")
    merging.merge(person, other, by=cast.chen)
    merging.merge(
        firm, make.customer(cast.wuhan, name="李梅", kind="individual"), by=None
    )
    make.sign_in(client, cast.lin)
    page = client.get(person.get_absolute_url()).content.decode()
    assert "司徒兰英" not in page
    firm.refresh_from_db()
    assert "李梅" not in firm.aliases
    taken = make.customer(cast.wuhan, name="赵小兰", kind="individual")
    merging.merge(taken, make.customer(cast.wuhan), by=None, take={"kind"})
    taken.refresh_from_db()
    assert taken.kind == "individual"


def test_endings_are_not_guessed_digit_by_digit(client, cast):
    make.customer(cast.wuhan, phone="13871234567")
    make.sign_in(client, cast.lin)
    url = reverse("customers:search")
    codes = [
        client.post(url, {"q": f"{n % 10}4567"}).status_code
        for n in range(services.LONG_ENDINGS_PER_HOUR + 1)
    ]
    assert codes[-1] == 422
    assert codes[-2] == 302
    assert client.post(url, {"q": "4567"}).status_code == 302
    api = client.post(
        reverse("api-customer-search"), {"q": "34567"}, content_type="application/json"
    )
    assert api.status_code == 409


def test_looking_for_doubles_is_audited_and_limited(client, cast, monkeypatch):
    monkeypatch.setattr("customers.duplicates.LOOKUPS_PER_HOUR", 2)
    make.customer(cast.yichang, phone="13871234567")
    make.sign_in(client, cast.lin)
    url = reverse("customers:likely")
    said = [
        client.post(url, {"phone": "13871234567"}).content.decode() for _n in range(3)
    ]
    assert "outside yours" in said[1]
    assert "outside yours" not in said[2]
    assert AuditEvent.objects.filter(action="customer.likely_looked_up").count() == 2


def test_a_preview_shows_cells_to_the_sender_only_and_masks_persons(client, cast):
    make.sign_in(client, cast.chen)
    cells = "K1,诸葛预览名,13871234567,11010519491231002X,中山路1号"
    rows = f"客户代码,客户名称,手机,身份证号,地址\n{cells}\n"
    batch = transfer.upload(
        io.BytesIO(rows.encode()),
        by=cast.chen,
        office=cast.wuhan,
        target="customers",
        file_name="x.csv",
    )
    canaries = ["诸葛预览名", "13871234567", "11010519491231002X", "中山路1号"]
    own = client.get(batch.get_absolute_url()).content.decode()
    assert not [one for one in canaries if one in own]
    make.sign_in(client, make.user("boss", ("supervisor", cast.hubei)))
    url = reverse("transfer:preview", args=[batch.pk])
    for to in ("code", "alias", "zzz", ""):
        shown = client.post(url, {f"map-{n}": to for n in range(5)}).content.decode()
        assert not [one for one in canaries if one in shown], to


def test_a_merge_of_parent_and_child_works_and_is_undone(cast):
    parent, child = make.customer(cast.wuhan), make.customer(cast.wuhan)
    child.parent = parent
    child.save()
    for survivor, loser in ((parent, child), (child, parent)):
        assert "parent" not in merging.differing(survivor, loser)
        row = merging.merge(survivor, loser, by=None, take={"parent"})
        survivor.refresh_from_db()
        assert survivor.parent is None
        merging.undo(row, by=None)
        child.refresh_from_db()
        assert child.parent == parent


def test_numbers_that_no_column_holds_are_refused_beside_the_field(client, cast):
    customer = make.customer(cast.wuhan)
    make.sign_in(client, cast.chen)
    url = reverse("customers:panel", args=[customer.pk, "contracts"])
    data = {
        "number": "HT-1",
        "starts_on": "2026-01-01",
        "ends_on": "2026-12-31",
        "billing": "cash",
        "token": str(uuid.uuid4()),
    }
    for days in ("99999", "-1", "1e3", "٣"):
        assert client.post(url, data | {"credit_days": days}).status_code in (200, 422)
    for limit in ("1e99", "-5", "NaN"):
        wrong = data | {"credit_days": "30", "credit_limit": limit}
        assert client.post(url, wrong).status_code == 422


def test_agents_tick_no_tasks(client, cast):
    customer = make.customer(cast.wuhan)
    task = make.task(customer, cast.zhao)
    make.sign_in(client, cast.lin)
    url = reverse("customers:panel_row", args=[customer.pk, "tasks", task.pk, "done"])
    assert client.post(url).status_code == 403
    task.refresh_from_db()
    assert task.done_at is None
