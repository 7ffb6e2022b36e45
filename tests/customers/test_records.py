"""The record and what hangs on it: made, changed by two at once, sent twice, refused."""

import uuid
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.fields import blind_index
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Suppression
from customers import consents, notes, records
from customers.models import Customer, CustomerPhone, Task, TimelineEntry
from customers.panels import PANELS
from customers.search import find
from tests import factories as make


@pytest.fixture
def firm(cast) -> Customer:
    return make.customer(cast.wuhan, manager=cast.zhao, name="武汉长江电子有限公司")


@pytest.fixture
def person(cast) -> Customer:
    return make.customer(
        cast.wuhan,
        name="王秀英",
        kind="individual",
        id_number="11010519491231002X",
        phone="13900000001",
        address="武汉市武昌区中山路1号2栋303室",
    )


def panel_url(customer: Customer, name: str) -> str:
    return reverse("customers:panel", args=[customer.pk, name])


def row_url(customer: Customer, name: str, row: int, action: str) -> str:
    return reverse("customers:panel_row", args=[customer.pk, name, row, action])


def form_of(client, url: str) -> dict:
    """What a browser would send back untouched."""
    form = client.get(url).context["form"]
    data = {name: form[name].value() for name in form.fields}
    lists = {name: ",".join(v) for name, v in data.items() if isinstance(v, list)}
    data |= lists
    token = {"token": str(uuid.uuid4())}
    return {k: v for k, v in data.items() if v not in (None, False)} | token


NEW = {
    "kind": "corporate",
    "segment": "contract",
    "name": "武汉东湖印刷有限公司",
    "legal_basis": "contract",
    "list_state": "none",
    "phone": "027-87654321",
    "address": "武汉市武昌区中山路1号",
}


def test_a_customer_is_made_once_however_often_the_form_is_sent(client, cast):
    make.sign_in(client, cast.zhao)
    data = {**NEW, "office": cast.wuhan.pk, "token": str(uuid.uuid4())}
    first = client.post(reverse("customers:new"), data)
    again = client.post(reverse("customers:new"), data)
    made = Customer.objects.get()
    assert first.url == again.url == made.get_absolute_url()
    assert made.code.startswith("K")
    assert made.phones.get().is_primary
    assert made.addresses.get().quality == "B"
    assert AuditEvent.objects.filter(action="customer.created").count() == 1


def test_somebody_who_may_be_known_is_asked_about_first(client, cast):
    mine = make.customer(cast.wuhan, manager=cast.zhao, name=NEW["name"])
    make.sign_in(client, cast.zhao)
    data = {**NEW, "office": cast.wuhan.pk, "token": str(uuid.uuid4())}
    asked = client.post(reverse("customers:new"), data)
    assert asked.status_code == 422
    assert mine.code in asked.content.decode()
    made = client.post(reverse("customers:new"), {**data, "anyway": "1"})
    assert client.get(made.url).status_code == 200  # the maker is its manager
    assert Customer.objects.count() == 2


def test_a_mistyped_row_is_taken_off_again(client, cast, firm):
    make.sign_in(client, cast.zhao)
    second = records.add_phone(firm, "13900000002")
    contact = firm.contacts.create(name="李梅")
    first = firm.phones.get(is_primary=True)
    client.post(row_url(firm, "phones", first.pk, "remove"))
    client.post(row_url(firm, "contacts", contact.pk, "remove"))
    assert [(p.pk, p.is_primary) for p in firm.phones.all()] == [(second.pk, True)]
    assert not firm.contacts.exists()
    assert AuditEvent.objects.filter(action="customer.contact_removed").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("phone", "12345"),
        ("phone", "12"),
        ("credit_code", "91420100MA4KMGEH6T"),
        ("id_number", "110105194912310021"),
        ("office", "0"),
        ("parent_code", "nobody"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(
    client, cast, field, value
):
    make.sign_in(client, cast.zhao)
    data = {**NEW, "office": cast.wuhan.pk, "membership": "金卡", field: value}
    answer = client.post(reverse("customers:new"), data)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert "金卡" in answer.content.decode()
    assert not Customer.objects.exists()


def test_a_code_that_the_office_has_is_refused(client, cast, firm):
    make.sign_in(client, cast.zhao)
    data = {**NEW, "office": cast.wuhan.pk, "code": firm.code}
    answer = client.post(reverse("customers:new"), data)
    assert "code" in answer.context["form"].errors


def test_an_office_outside_the_posting_cannot_be_chosen(client, cast):
    make.sign_in(client, cast.zhao)
    answer = client.post(reverse("customers:new"), {**NEW, "office": cast.yichang.pk})
    assert "office" in answer.context["form"].errors
    with pytest.raises(PermissionDenied):
        records.create_customer(
            by=cast.zhao, office=cast.yichang, name="x", kind="corporate"
        )


def test_a_segment_keeps_its_history(client, cast, firm):
    make.sign_in(client, cast.chen)
    url = reverse("customers:edit", args=[firm.pk])
    data = form_of(client, url) | {"segment": "contract"}
    assert client.post(url, data).status_code == 302
    firm.refresh_from_db()
    assert firm.segment == "contract"
    change = firm.segment_changes.get()
    assert (change.before, change.after, change.by) == ("casual", "contract", cast.chen)


def test_two_people_changing_different_fields_both_stay(client, cast, firm):
    url = reverse("customers:edit", args=[firm.pk])
    make.sign_in(client, cast.chen)
    first = form_of(client, url)
    second = form_of(client, url)
    assert client.post(url, first | {"industry": "press"}).status_code == 302
    assert client.post(url, second | {"size": "large"}).status_code == 302
    firm.refresh_from_db()
    assert (firm.industry, firm.size) == ("press", "large")


def test_the_second_to_change_the_same_field_is_told_and_nothing_is_overwritten(
    client, cast, firm
):
    url = reverse("customers:edit", args=[firm.pk])
    make.sign_in(client, cast.chen)
    first, second = form_of(client, url), form_of(client, url)
    client.post(url, first | {"industry": "press"})
    answer = client.post(url, second | {"industry": "food", "membership": "金卡"})
    assert answer.status_code == 409
    assert "press" in answer.context["form"].errors["industry"][0]
    assert "金卡" in answer.content.decode()
    firm.refresh_from_db()
    assert (firm.industry, firm.membership) == ("press", "")


def test_a_masked_name_is_not_written_back(client, cast, person):
    make.sign_in(client, cast.chen)
    url = reverse("customers:edit", args=[person.pk])
    data = form_of(client, url)
    assert data["name"] == "王**"
    assert data["id_number"] == "1****************X"
    client.post(url, data | {"membership": "金卡"})
    person.refresh_from_db()
    assert (person.name, person.membership) == ("王秀英", "金卡")
    assert person.id_number == "11010519491231002X"
    client.post(url, form_of(client, url) | {"name": "王秀兰"})
    person.refresh_from_db()
    assert (person.name, person.initials) == ("王秀兰", "wxl")


def test_an_altered_form_is_refused(client, cast, firm):
    make.sign_in(client, cast.chen)
    url = reverse("customers:edit", args=[firm.pk])
    data = form_of(client, url) | {"shown": "eyJ9:x:y", "membership": "x"}
    assert client.post(url, data).status_code == 422


def test_only_supervisors_assign_managers(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = reverse("customers:edit", args=[firm.pk])
    assert "manager" not in client.get(url).context["form"].fields
    with pytest.raises(PermissionDenied):
        records.change_customer(
            firm,
            by=cast.zhao,
            before={"manager": firm.manager},
            after={"manager": None},
        )
    make.sign_in(client, cast.chen)
    other = make.user("qian", ("manager", cast.wuhan))
    data = form_of(client, url) | {"manager": other.pk, "assistant": cast.zhao.pk}
    assert client.post(url, data).status_code == 302
    firm.refresh_from_db()
    assert (firm.manager, firm.assistant) == (other, cast.zhao)
    same = form_of(client, url) | {"assistant": other.pk}
    assert "assistant" in client.post(url, same).context["form"].errors


def test_a_number_has_one_normal_form_and_one_primary(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = panel_url(firm, "phones")
    good = {"number": "0086 139-0000-0009", "type": "mobile"}
    assert client.post(url, good).status_code == 200
    twice = client.post(url, {"number": "13900000009", "type": "office"})
    assert twice.status_code == 422
    assert "already" in twice.content.decode()
    assert client.post(url, {"number": "abc", "type": "office"}).status_code == 422
    added = firm.phones.get(number_index=blind_index("+8613900000009"))
    client.post(row_url(firm, "phones", added.pk, "primary"))
    assert [p.pk for p in firm.phones.filter(is_primary=True)] == [added.pk]


def test_a_number_seen_in_a_complaint_suggests_and_never_asserts(client, cast, firm):
    make.holidays_of(2026, 2027)
    make.complaint(cast.lin, cast.wuhan, customer=firm, caller_phone="13900000077")
    seen = firm.phones.get(level="maybe")
    assert not seen.is_primary
    make.sign_in(client, cast.lin)
    card = make.look_up(client, "13900000077")
    assert "only seen in a work order" in card.content.decode()
    records.add_phone(firm, "13900000077")
    assert firm.phones.get(pk=seen.pk).level == "known"


def test_opting_out_and_withdrawing_reach_the_last_gate(client, cast, firm):
    phone = firm.phones.get()
    consents.give_consent(firm, "marketing", by=cast.zhao, how="paper")
    with pytest.raises(Refused):
        consents.give_consent(firm, "marketing", by=cast.zhao, how="paper")
    assert consents.has_consent(firm, "marketing")
    consents.withdraw_consent(firm.consents.get(), by=cast.zhao)
    assert not consents.has_consent(firm, "marketing")
    mine = Suppression.objects.filter(contact_index=phone.number_index)
    assert set(mine.values_list("purpose", flat=True)) == {"marketing"}
    make.sign_in(client, cast.zhao)
    client.post(row_url(firm, "phones", phone.pk, "opted_out"))
    assert set(mine.values_list("purpose", flat=True)) == {"marketing", "care"}


def test_notes_are_on_the_timeline_and_not_readable_in_the_table(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = reverse("customers:timeline", args=[firm.pk])
    data = {"kind": "competitor", "text": "对手每件低一元", "token": str(uuid.uuid4())}
    for _time in range(2):
        assert client.post(url, data).status_code == 200
    assert TimelineEntry.objects.get().title == "Competitor"
    assert "对手每件低一元" in client.get(url, {"kind": "note"}).content.decode()
    assert (
        "对手每件低一元" not in client.get(url, {"kind": "complaint"}).content.decode()
    )
    assert client.post(url, {"kind": "gossip", "text": "x"}).status_code == 422


def test_a_timeline_pages_without_gaps(client, cast, firm):
    for number in range(45):
        notes.add_note(firm, by=cast.zhao, kind="news", text=f"note {number:02d}")
    make.sign_in(client, cast.zhao)
    url, seen, before = reverse("customers:timeline", args=[firm.pk]), [], ""
    while True:
        found = client.get(url, {"before": before} if before else {}).context
        seen += [entry.text for entry in found["entries"]]
        before = found["next"]
        if not before:
            break
    assert len(seen) == len(set(seen)) == 45


def test_a_lunar_birthday_is_worked_out_and_kept_ahead(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = panel_url(firm, "contacts")
    bad = {"name": "李梅", "birthday_calendar": "lunar", "birthday_month": 13}
    assert client.post(url, bad).status_code == 422
    never = {
        "name": "李梅",
        "birthday_calendar": "solar",
        "birthday_month": 2,
        "birthday_day": 30,
    }
    assert client.post(url, never).status_code == 422
    good = {**never, "birthday_calendar": "lunar", "birthday_month": 8}
    assert client.post(url, good).status_code == 200
    contact = firm.contacts.get()
    assert contact.next_birthday >= localdate()
    firm.contacts.update(next_birthday=localdate() - timedelta(days=1))
    run_inline(enqueue("customers.watch"))
    contact.refresh_from_db()
    assert contact.next_birthday >= localdate()


def test_a_correction_is_asked_by_one_and_answered_once_by_another(client, cast, firm):
    make.holidays_of(2026, 2027)
    complaint = make.complaint(cast.lin, cast.wuhan, customer=firm)
    make.sign_in(client, cast.yong)  # a handler sees no customer, but the complaint
    url = reverse("complaints:correct", args=[complaint.ref])
    assert client.post(url, {"field": "phone", "wanted": ""}).status_code == 422
    data = {"field": "phone", "wanted": "电话是 13911112222"}
    assert client.post(url, data).status_code == 302
    request = firm.corrections.get()
    make.sign_in(client, cast.lin)
    shown = client.get(panel_url(firm, "corrections")).content.decode()
    assert "13911112222" not in shown
    change = row_url(firm, "corrections", request.pk, "change")
    assert client.post(change, {"applied": "yes", "reply": ""}).status_code == 422
    answer = {"applied": "yes", "reply": "已改"}
    assert client.post(change, answer).status_code == 200
    assert client.post(change, answer).status_code == 422
    request.refresh_from_db()
    assert (request.state, request.decided_by) == ("applied", cast.lin)


def test_a_lost_project_wants_an_evaluation(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = panel_url(firm, "opportunities")
    data = {"title": "标书寄递", "kind": "cooperation", "stage": "lead"}
    assert client.post(url, data).status_code == 200
    row = firm.opportunities.get()
    change = row_url(firm, "opportunities", row.pk, "change")
    assert client.post(change, {"stage": "lost"}).status_code == 422
    assert firm.opportunities.get().stage == "lead"
    done = {"stage": "lost", "evaluation": "价格高"}
    assert client.post(change, done).status_code == 200
    assert firm.timeline.get().is_open is False


def test_the_night_makes_each_task_once(cast, firm):
    Customer.objects.update(segment="contract", verified_on=date(2025, 1, 1))
    Customer.objects.update(list_state="inaccurate")
    ends = localdate() + timedelta(days=29)
    firm.contracts.create(
        office=cast.wuhan, number="HT-1", starts_on=date(2025, 1, 1), ends_on=ends
    )
    for _night in range(2):
        run_inline(enqueue("customers.watch"))
    kinds = sorted(Task.objects.values_list("kind", flat=True))
    assert kinds == ["contract", "list", "stale"]
    assert set(Task.objects.visible_to(cast.zhao)) == set(Task.objects.all())
    records.verify_customer(firm, by=cast.zhao)
    assert Task.objects.get(kind="stale").done_at


def test_other_peoples_customers_show_no_raw_value_anywhere(client, cast, person):
    """B25: canaries on every page and panel that a supervisor and an agent can open."""
    person.contacts.create(name="赵小兰", remarks="住二楼")
    notes.pin_point(person, by=None, text="请走侧门")
    raw = [
        "13900000001",
        "0000001",
        "11010519491231002X",
        "303室",
        "秀英",
        "小兰",
        "二楼",
    ]

    urls = [panel_url(person, name) for name in PANELS]
    urls += [
        reverse(f"customers:{name}", args=[person.pk])
        for name in [
            "detail",
            "edit",
            "summary",
            "timeline",
            "behaviour",
            "of_customer",
        ]
    ]
    urls += [
        reverse("customers:list"),
        reverse("api-customer-detail", args=[person.pk]),
    ]
    for who in (cast.lin, cast.chen):
        make.sign_in(client, who)
        client.post(reverse("customers:search"), {"q": "0001"})
        for url in [*urls, reverse("customers:search")]:
            body = client.get(url).content.decode()
            assert [one for one in raw if one in body] == [], (who, url)


def test_each_reveal_is_one_value_for_a_reason(client, cast, person):
    contact = person.contacts.create(name="赵小兰")
    make.sign_in(client, cast.lin)
    wanted = {
        "phone": (person.phones.get().pk, "13900000001"),
        "address": (person.addresses.get().pk, "303室"),
        "contact": (contact.pk, "赵小兰"),
        "id_number": (0, "11010519491231002X"),
    }
    for field, (row, clear) in wanted.items():
        url = reverse("customers:reveal", args=[person.pk, field, row])
        assert clear not in client.post(url, {}).content.decode()
        assert clear in client.post(url, {"reason": "callback"}).content.decode()
    foreign = make.customer(cast.wuhan).phones.get().pk
    url = reverse("customers:reveal", args=[person.pk, "phone", foreign])
    assert client.post(url, {"reason": "callback"}).status_code == 404


def test_the_page_costs_the_same_whatever_hangs_on_it(
    client, cast, firm, django_assert_num_queries, django_assert_max_num_queries
):
    make.sign_in(client, cast.zhao)
    url = firm.get_absolute_url()
    client.get(url)
    summary = reverse("customers:summary", args=[firm.pk])
    with django_assert_num_queries(9):
        client.get(url)
    with django_assert_num_queries(19):
        client.get(summary)
    for number in range(12):
        records.add_phone(firm, f"1390001{number:04d}")
        firm.contacts.create(name=f"人{number}")
        notes.pin_point(firm, by=None, text=f"point {number}")
        notes.add_note(firm, by=cast.zhao, kind="news", text="x")
    with django_assert_num_queries(9):
        client.get(url)
    with django_assert_num_queries(19):
        client.get(summary)
    panels = ("phones", "contacts", "points", "addresses", "contracts", "tasks")
    for name in panels:
        with django_assert_max_num_queries(12):
            client.get(panel_url(firm, name))


def test_a_closed_record_does_not_change(cast, firm):
    other = make.customer(cast.wuhan)
    Customer.objects.filter(pk=firm.pk).update(merged_into=other)
    with pytest.raises(Refused):
        notes.add_note(firm, by=cast.chen, kind="news", text="x")


def test_the_last_digits_are_no_way_out_of_ones_scope(client, cast):
    make.customer(cast.yichang, phone="13911118888")
    make.sign_in(client, cast.lin)
    client.post(reverse("customers:search"), {"q": "8888"})
    assert "Nobody found" in client.get(reverse("customers:search")).content.decode()
    client.post(reverse("customers:search"), {"q": "13911118888"})
    page = client.get(reverse("customers:search")).content.decode()
    assert "Outside your offices" in page
    assert AuditEvent.objects.filter(action="customer.looked_up").exists()


def test_phones_found_by_ending_are_compared_whole(cast):
    firm = make.customer(cast.wuhan, phone="13900004321")
    assert CustomerPhone.objects.get(customer=firm).last_index is not None

    assert [hit.customer for hit in find(cast.chen, "04321")] == [firm]
    assert find(cast.chen, "94321") == []


def test_a_part_opened_without_the_scripts_is_a_whole_page(client, cast):
    firm = make.customer(cast.wuhan, name="武汉长江电子有限公司", manager=cast.zhao)
    make.sign_in(client, cast.zhao)
    for address in (
        panel_url(firm, "phones"),
        reverse("customers:timeline", args=[firm.pk]),
    ):
        whole = client.get(address).content.decode()
        assert whole.count("<h1") == 1
        assert firm.get_absolute_url() in whole
        alone = client.get(address, headers={"HX-Request": "true"}).content.decode()
        assert "<h1" not in alone
    refused = client.post(panel_url(firm, "phones"), {"number": "12"})
    assert refused.status_code == 422
    assert 'value="12"' in refused.content.decode()
    assert "<h1" in refused.content.decode()
