"""Forums, who came, minutes; offers and whom they hold for."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from campaigns import gatherings
from campaigns.models import Gathering, Invitation, Offer
from crm.errors import Refused
from customers.models import SavedView
from tests import factories as make


def forum(cast, days: int = 0, **facts) -> Gathering:
    facts = {"kind": "forum", "name": "座谈会", "place": "二楼", **facts}
    facts["day"] = localdate() + timedelta(days=days)
    return gatherings.keep(Gathering(office=cast.wuhan, **facts), by=cast.chen)


def test_guests_come_from_a_view_or_one_by_one_each_once(cast):
    row = forum(cast)
    one = make.customer(cast.wuhan, segment="contract")
    make.customer(cast.wuhan, segment="casual")
    make.customer(cast.yichang, segment="contract")
    view = SavedView.objects.create(
        owner=cast.chen, office=cast.wuhan, name="x", query="segment=contract"
    )
    assert gatherings.invite(row, by=cast.chen, view=view) == 1
    assert gatherings.invite(row, by=cast.chen, view=view, customer=one) == 0
    assert Invitation.objects.get().customer == one


def test_somebody_next_door_is_not_invited(cast):
    row = forum(cast)
    with pytest.raises(Refused) as refusal:
        gatherings.invite(row, by=cast.chen, customer=make.customer(cast.yichang))
    assert refusal.value.code == "gathering.nobody"
    with pytest.raises(PermissionDenied):
        gatherings.invite(row, by=cast.mei, customer=make.customer(cast.yichang))


def test_attendance_and_minutes_follow_the_day(cast):
    row = forum(cast, days=1)
    gatherings.invite(row, by=cast.chen, customer=make.customer(cast.wuhan))
    guest = Invitation.objects.get()
    facts = {"answer": "comes", "said": ""}
    gatherings.note(guest, by=cast.chen, came=None, **facts)
    with pytest.raises(Refused) as refusal:
        gatherings.note(guest, by=cast.chen, came=True, **facts)
    assert refusal.value.code == "gathering.early"
    with pytest.raises(Refused):
        gatherings.hold(row, by=cast.chen, minutes="谈了价格", adjusted="")
    Gathering.objects.update(day=localdate())
    gatherings.note(guest, by=cast.chen, came=True, **facts)
    with pytest.raises(Refused) as refusal:
        gatherings.hold(row, by=cast.chen, minutes=" ", adjusted="")
    assert refusal.value.code == "gathering.minutes"
    held = gatherings.hold(
        row, by=cast.chen, minutes="谈了价格", adjusted="节前增加问候"
    )
    assert held.state == Gathering.State.HELD
    counts = gatherings.attendance([held])[held.pk]
    assert (counts["invited"], counts["coming"], counts["came"]) == (1, 1, 1)
    with pytest.raises(Refused):
        gatherings.call_off(held, by=cast.chen)


def test_what_is_called_off_takes_no_guests(cast):
    row = gatherings.call_off(forum(cast), by=cast.chen)
    with pytest.raises(Refused):
        gatherings.invite(row, by=cast.chen, customer=make.customer(cast.wuhan))


def test_an_offer_holds_for_its_office_group_and_days(cast):
    today = localdate()
    facts = {"name": "x", "words": "九五折", "first_day": today, "last_day": today}
    gatherings.keep_offer(
        Offer(office=cast.wuhan, segment="contract", **facts), by=cast.chen
    )
    meant = make.customer(cast.wuchang, segment="contract")
    assert len(gatherings.offers_for(meant)) == 1
    assert not gatherings.offers_for(meant, today + timedelta(days=1))
    assert not gatherings.offers_for(make.customer(cast.wuhan, segment="casual"))
    assert not gatherings.offers_for(make.customer(cast.yichang, segment="contract"))
    Offer.objects.update(grades=["diamond"])
    assert not gatherings.offers_for(meant)


def test_the_pages_keep_what_was_typed_and_act_once(client, cast):
    make.sign_in(client, cast.chen)
    page = reverse("campaigns:gatherings")
    sent = {
        "office": cast.wuhan.pk,
        "kind": "forum",
        "name": "座谈会",
        "day": f"{localdate()}",
        "place": "",
        "token": "0d4cfa2b-7b4c-4a36-8c2c-0a9d8a2b0001",
    }
    answer = client.post(page, sent)
    assert answer.status_code == 422
    assert "座谈会" in answer.content.decode()
    for _time in range(2):
        assert client.post(page, sent | {"place": "二楼"}).status_code == 302
    row = Gathering.objects.get()
    answer = client.post(
        reverse("campaigns:gathering_act", args=[row.pk, "invite"]), {"customer": "0"}
    )
    assert answer.status_code == 422
