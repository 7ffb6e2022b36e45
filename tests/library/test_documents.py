"""Documents: written by one, issued by another, read by everybody whom they concern."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.access.models import Posting
from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import listed, read
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.library import services
from crm.library.models import Document, Edition, Reading
from crm.notify.models import Message
from tests import factories as make

URL = "library:documents"
PROMISE = {"content": "省内特快", "price": "12 元", "limit": "次日 18:00"}


@pytest.fixture
def boss(cast):
    return make.user("second", ("supervisor", cast.wuhan))


def written(cast, **facts) -> Document:
    facts = {"kind": "promise", "title": "服务承诺", "is_signed": True} | facts
    row = Document(office=cast.wuhan, **facts)
    draft = Edition(text="限时送达。", effective_on=localdate())
    return services.write(row, draft, by=cast.chen, promises=[PROMISE])


def issued(cast, boss, **facts) -> Document:
    row = written(cast, **facts)
    services.issue(row.editions.get(), by=boss, version=1)
    return Document.objects.get(pk=row.pk)


def sent(**changes) -> dict:
    lines = {
        "promise-TOTAL_FORMS": 2,
        "promise-INITIAL_FORMS": 0,
        **{f"promise-0-{name}": value for name, value in PROMISE.items()},
    }
    about = {"text-text": "新内容", "text-effective_on": f"{localdate()}"}
    about |= {
        "kind": "promise",
        "title": "服务承诺",
        "roles": "agent",
        "is_signed": "on",
    }
    return lines | about | changes


def test_whoever_wrote_it_cannot_issue_it(cast, boss):
    row = written(cast)
    draft = row.editions.get()
    with pytest.raises(Refused) as refusal:
        services.issue(draft, by=cast.chen, version=1)
    assert refusal.value.code == "edition.same"
    with pytest.raises(IntegrityError), transaction.atomic():
        Edition.objects.filter(pk=draft.pk).update(
            state="issued", issued_by=cast.chen, issued_at=now()
        )
    services.issue(draft, by=boss, version=1)
    services.issue(draft, by=boss, version=1)  # sent twice
    assert Document.objects.get().current == draft
    assert Reading.objects.count() == Reading.objects.values("user").distinct().count()


def test_a_draft_is_nobodys_but_its_writers(cast, client):
    row = written(cast)
    make.sign_in(client, cast.lin)
    assert client.get(row.get_absolute_url()).status_code == 404
    make.sign_in(client, cast.mei)
    assert client.get(row.get_absolute_url()).status_code == 404
    make.sign_in(client, cast.chen)
    assert client.get(row.get_absolute_url()).status_code == 200


def test_everybody_concerned_is_asked_once_and_confirms(cast, boss, client):
    row = issued(cast, boss, roles=["agent"])
    assert [one.user for one in Reading.objects.all()] == [cast.lin]
    assert Message.objects.filter(to_user=cast.lin, subject=services.PUBLISHED).exists()
    make.sign_in(client, cast.lin)
    assert "服务承诺" in client.get(reverse(URL)).content.decode()
    for _twice in range(2):
        client.post(reverse("library:confirm", args=[row.pk]))
    assert Reading.objects.get().read_at is not None
    make.sign_in(client, cast.yong)  # reads it, was not asked
    answer = client.post(reverse("library:confirm", args=[row.pk]), follow=True)
    assert "You need not confirm this." in answer.content.decode()


def test_who_comes_is_asked_and_who_leaves_is_not_waited_for(cast, boss):
    issued(cast, boss, roles=["agent"])
    new = make.user("new", ("agent", cast.wuchang))
    Posting.objects.filter(user=cast.lin).update(valid_to=localdate() - timedelta(1))
    for _twice in range(2):
        run_inline(enqueue("library.ask"))
    assert [one.user for one in Reading.objects.all()] == [new]
    Reading.objects.update(due_on=localdate() - timedelta(1))
    for _twice in range(2):
        run_inline(enqueue("library.ask"))
    assert Message.objects.filter(to_user=new, subject=services.LATE).count() == 1


def test_the_next_edition_replaces_it_and_asks_again(cast, boss, client):
    row = issued(cast, boss, roles=["agent"])
    services.confirm(row, by=cast.lin)
    make.sign_in(client, cast.chen)
    url = reverse("library:document_edit", args=[row.pk])
    assert client.get(url).status_code == 200
    assert row.editions.count() == 1  # looking writes nothing
    assert client.post(url, sent(version=0)).status_code == 302
    answer = client.post(url, sent(version=0, **{"text-text": "我的话"}))
    assert answer.status_code == 422
    assert "Somebody has changed this" in answer.content.decode()
    assert "我的话" in answer.content.decode()
    draft = row.editions.get(state="draft")
    act = reverse("library:document_act", args=[row.pk])
    make.sign_in(client, boss)
    answer = client.post(act, {"act": "issue", "version": 1}, follow=True)
    assert "It is issued." in answer.content.decode()
    row = Document.objects.get()
    assert row.current == draft
    assert row.editions.get(number=1).state == "replaced"
    assert Reading.objects.filter(edition=draft, read_at=None).count() == 1
    assert not services.waiting_for(cast.lin).filter(edition__number=1).exists()


def test_a_promise_without_its_price_is_told_and_nothing_is_lost(cast, client):
    make.sign_in(client, cast.chen)
    about = {"office": cast.wuhan.pk, "kind": "promise", "title": "<i>承诺</i>"}
    bad = client.post(
        reverse("library:document_new"), sent(**about, **{"promise-0-price": ""})
    )
    page = bad.content.decode()
    assert bad.status_code == 422
    assert "Write the service, its price and its time limit." in page
    assert "&lt;i&gt;承诺" in page
    assert not Document.objects.exists()
    token = {"token": "8f14e45f-ceea-467f-a0e6-0242ac120003"}
    for _twice in range(2):
        answer = client.post(reverse("library:document_new"), sent(**about, **token))
        assert answer.status_code == 302
    assert Document.objects.get().editions.get().promises.count() == 1


def test_what_changed_since_it_was_read_is_not_issued(cast, boss):
    draft = written(cast).editions.get()
    Edition.objects.filter(pk=draft.pk).update(version=2)
    with pytest.raises(Refused) as refusal:
        services.issue(draft, by=boss, version=1)
    assert refusal.value.code == "edition.changed"


def test_what_was_written_days_ago_holds_from_its_issue_on(cast, boss):
    draft = written(cast).editions.get()
    Edition.objects.update(effective_on=localdate() - timedelta(3))
    services.issue(draft, by=boss, version=1)
    assert Edition.objects.get().effective_on == localdate()


def test_promises_without_a_promise_are_not_issued(cast, boss):
    draft = written(cast).editions.get()
    draft.promises.all().delete()
    with pytest.raises(Refused, match="at least one promise"):
        services.issue(draft, by=boss, version=1)


def test_what_must_exist_is_missed_until_it_holds_here_or_above(cast, boss):
    assert len(services.missing_slots(cast.wuchang)) == len(Document.Slot.choices)
    row = issued(cast, boss, kind="policy", slot="security", is_signed=False)
    assert len(services.missing_slots(cast.wuchang)) == len(Document.Slot.choices) - 1
    assert len(services.missing_slots(cast.yichang)) == len(Document.Slot.choices)
    services.withdraw(row, by=boss)
    assert len(services.missing_slots(cast.wuchang)) == len(Document.Slot.choices)
    with pytest.raises(Refused):
        services.withdraw(row, by=boss)


def test_awareness_is_who_confirmed_of_who_was_asked(cast, boss):
    row = issued(cast, boss)
    services.confirm(row, by=cast.lin)
    kpi, today = BY_NAME["promise_awareness"], localdate()
    span = span_of("month", today)
    share = read([cast.hubei], span, [kpi])[cast.hubei.pk][kpi.name]
    asked = Reading.objects.count()
    assert (share.numerator, share.denominator) == (1, asked)
    assert listed(kpi, "top", cast.hubei, span).count() == 1
    last = read([cast.hubei], span.previous, [kpi])[cast.hubei.pk][kpi.name]
    assert last.denominator == 0  # it did not hold then


def test_a_supervisor_sees_who_read_it_of_their_own_people_only(cast, client):
    top, other = (make.user(n, ("supervisor", cast.hubei)) for n in ("top", "other"))
    row = Document(office=cast.hubei, kind="rule", title="省办法", is_signed=True)
    draft = Edition(text="条文", effective_on=localdate())
    services.write(row, draft, by=top)
    services.issue(draft, by=other, version=1)
    make.sign_in(client, cast.chen)
    page = client.get(row.get_absolute_url()).content.decode()
    assert cast.lin.full_name in page
    assert cast.mei.full_name not in page
    make.sign_in(client, cast.lin)
    assert (
        cast.yong.full_name not in client.get(row.get_absolute_url()).content.decode()
    )


def test_title_and_readers_are_corrected_and_a_mistaken_draft_thrown_away(
    cast, boss, client
):
    row = issued(cast, boss, roles=["agent"])
    make.sign_in(client, cast.chen)
    url = reverse("library:document_edit", args=[row.pk])
    more = {"version": 0, "title": "对外承诺", "roles": ["agent", "handler"]}
    assert client.post(url, sent(**more)).status_code == 302
    row.refresh_from_db()
    assert row.title == "对外承诺"
    assert {one.user for one in Reading.objects.all()} == {cast.lin, cast.yong}
    act = reverse("library:document_act", args=[row.pk])
    client.post(act, {"act": "drop"})
    assert Document.objects.filter(pk=row.pk).exists()  # it was issued once
    draft = written(cast, slot="security")
    client.post(reverse("library:document_act", args=[draft.pk]), {"act": "drop"})
    assert not Document.objects.filter(pk=draft.pk).exists()
    assert written(cast, slot="security").pk
