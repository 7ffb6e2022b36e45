"""Teams: made, joined, led, left, ended; which are missing; what their people have in hand."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate

from crm.access.models import Posting
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.notify.models import Message
from crm.org.models import Office
from crm.programmes.teamwork import work_of
from crm.teams import services
from crm.teams.models import Team
from customers.models import KeyMonth
from tests import factories as make


@pytest.fixture
def team(cast) -> Team:
    row = Team(office=cast.wuhan, kind="relations", name="大客户维护组")
    return services.make(row, by=cast.chen)


def test_people_join_lead_and_leave_and_each_is_told_and_in_the_trail(cast, team):
    first = services.join(team, by=cast.chen, user=cast.zhao, is_leader=True)
    second = services.join(team, by=cast.chen, user=cast.yong, duty="走访")
    assert Message.objects.filter(
        to_user=cast.yong, url=team.get_absolute_url()
    ).exists()
    services.lead(team, second.pk, by=cast.chen)
    assert [m.user for m in team.members.filter(is_leader=True)] == [cast.yong]
    services.leave(team, second.pk, by=cast.chen)
    assert not team.members.filter(is_leader=True).exists()
    with pytest.raises(Refused, match="not in the team"):
        services.lead(team, second.pk, by=cast.chen)
    services.end(team, by=cast.chen)
    first.refresh_from_db()
    assert first.until == localdate()
    for late in (
        lambda: services.join(team, by=cast.chen, user=cast.lin),
        lambda: services.end(team, by=cast.chen),
    ):
        with pytest.raises(Refused, match="has ended"):
            late()
    actions = AuditEvent.objects.filter(action__startswith="team.")
    assert set(actions.values_list("action", flat=True)) == {
        *("team.made", "team.joined", "team.led", "team.left", "team.ended")
    }


def test_nobody_twice_nobody_from_elsewhere_and_one_leader(cast, team):
    services.join(team, by=cast.chen, user=cast.zhao, is_leader=True)
    with pytest.raises(Refused, match="already"):
        services.join(team, by=cast.chen, user=cast.zhao)
    with pytest.raises(Refused, match="elsewhere"):
        services.join(team, by=cast.chen, user=cast.mei)
    above = make.user("above", ("manager", cast.hubei))
    services.join(team, by=cast.chen, user=above, is_leader=True)  # R-ORG-50
    assert team.members.get(is_leader=True).user == above
    with pytest.raises(IntegrityError), transaction.atomic():
        team.members.create(user=cast.lin, is_leader=True, since=localdate())
    for by in (cast.zhao, cast.mei):
        with pytest.raises(PermissionDenied):
            services.join(team, by=by, user=cast.lin)


def test_a_name_once_and_the_second_to_change_it_is_told(cast, team):
    same = Team(office=cast.wuhan, kind="biu", name=team.name)
    with pytest.raises(Refused, match="has this name"):
        services.make(same, by=cast.chen)
    seen = team.seen
    services.change(team, by=cast.chen, seen=seen, name="维护一组")
    with pytest.raises(Refused, match="meanwhile"):
        services.change(team, by=cast.chen, seen=seen, name="维护二组")
    assert Team.objects.get().name == "维护一组"


def test_what_is_missing_is_named_until_somebody_is_in_it(cast):
    boss = make.user("boss", ("supervisor", cast.hubei))
    Office.objects.filter(pk=cast.yichang.pk).update(has_biu_team=True)
    found = dict(services.missing(boss))
    assert found["key_account"] == [cast.hubei, cast.wuhan, cast.yichang]
    assert found["biu"] == [cast.yichang]
    assert all(found[kind] == [cast.hubei] for kind in ("inspection", "follow_up"))
    assert dict(services.missing(cast.chen)) == {"key_account": [cast.wuhan]}
    row = services.make(
        Team(office=cast.wuhan, kind="key_account", name="大客户中心"), by=boss
    )
    assert services.missing(cast.chen)
    services.join(row, by=boss, user=cast.zhao)
    assert not services.missing(cast.chen)


def test_what_is_missing_opens_the_form_filled_in(client, cast):
    make.sign_in(client, cast.chen)
    url = reverse("programmes:teams")
    page = client.get(url).content.decode()
    wanted = f"?office={cast.wuhan.code}&amp;kind=key_account"
    assert wanted in page
    form = client.get(url, {"office": cast.wuhan.code, "kind": "key_account"})
    form = form.context["form"]
    assert form["office"].value() == cast.wuhan.pk
    assert form["kind"].value() == "key_account"
    assert "data-focus" in str(form["name"])
    odd = client.get(url, {"office": "x", "kind": "<b>"})
    assert odd.status_code == 200


def test_what_the_people_have_in_hand(cast, team):
    firms = [
        make.customer(cast.wuhan, manager=cast.zhao, segment="contract")
        for _n in range(3)
    ]
    make.customer(cast.wuhan)
    make.alert(firms[0])
    KeyMonth.objects.create(
        month="2026-10-01",
        customer=firms[1],
        office=cast.wuhan,
        pieces=1,
        revenue=1,
        base_pieces=1,
        base_revenue=1,
    )
    members = [
        services.join(team, by=cast.chen, user=user) for user in (cast.zhao, cast.yong)
    ]
    heads, rows = work_of(team, members)
    assert heads[:3] == ["Customers", "Key customers", "Alerts to answer"]
    assert rows == [[3, 1, 1, 0], [0, 0, 0, 0]]


def test_numbers_are_of_the_teams_offices_and_of_who_is_posted_there(
    client, cast, team
):
    above = make.user("above", ("manager", cast.hubei))
    for where in (cast.wuhan, cast.yichang):
        make.customer(where, manager=above)
    member = services.join(team, by=cast.chen, user=above)
    assert work_of(team, [member])[1][0][0] == 1  # Yichang's is not counted
    services.join(team, by=cast.chen, user=cast.zhao)
    Posting.objects.filter(user=cast.zhao).update(office=cast.yichang)
    make.sign_in(client, cast.chen)
    page = client.get(team.get_absolute_url()).content.decode()
    assert "posted elsewhere" in page
    make.sign_in(client, cast.zhao)
    page = client.get(team.get_absolute_url()).content.decode()
    assert "Alerts to answer" not in page


@pytest.mark.parametrize(
    "kind",
    ["key_account", "expansion", "follow_up", "inspection", "supervision", "biu"],
)
def test_each_kind_has_its_own_columns(cast, kind):
    row = Team(office=cast.wuhan, kind=kind, name="一组")
    services.make(row, by=cast.chen)
    member = services.join(row, by=cast.chen, user=cast.guo)
    heads, numbers = work_of(row, [member])
    assert len(numbers[0]) == len(heads)
    assert (kind == "biu") == (not heads)


def test_the_pages_make_fill_and_end_a_team(client, cast):
    make.sign_in(client, cast.chen)
    url = reverse("programmes:teams")
    data = {
        "office": cast.wuhan.pk,
        "kind": "key_account",
        "name": "大客户营销中心",
        "is_entity": "on",
        "token": "0" * 31 + "2",
    }
    assert client.post(url, data | {"name": ""}).status_code == 422
    for _twice in range(2):
        answer = client.post(url, data)
    team = Team.objects.get()
    assert answer.url == team.get_absolute_url()

    def act(what: str, **sent):
        return client.post(reverse("programmes:team_act", args=[team.pk, what]), sent)

    wrong = act("join", user="mei", duty="专员")
    assert wrong.status_code == 422
    assert "专员" in wrong.content.decode()
    act("join", user=cast.zhao.full_name, duty="主任", is_leader="on")
    page = client.get(team.get_absolute_url()).content.decode()
    assert "operating entity" in page
    assert "Alerts to answer" in page
    twice = act("join", user="zhao")
    assert "already" in twice.content.decode()
    team.refresh_from_db()
    act("change", name="大客户中心", seen=team.seen)
    assert Team.objects.get().name == "大客户中心"
    stale = act("change", name="别的", seen="1")
    assert "meanwhile" in stale.content.decode()
    assert act("lead", member="x").status_code == 302
    act("leave", member=team.members.get().pk)
    act("end")
    assert Team.objects.get().ended_on == localdate()
    assert act("dance").status_code == 404


def test_members_see_their_work_others_only_the_names(client, cast, team):
    services.join(team, by=cast.chen, user=cast.zhao)
    for user, sees in ((cast.zhao, True), (cast.lin, False)):
        make.sign_in(client, user)
        page = client.get(team.get_absolute_url()).content.decode()
        assert ("Alerts to answer" in page) is sees
        assert "Zhao" in page
        assert "Let lead" not in page
    make.sign_in(client, cast.mei)
    assert client.get(team.get_absolute_url()).status_code == 404


def test_the_list_costs_the_same_however_many_teams(client, cast):
    make.sign_in(client, cast.chen)
    url, costs = reverse("programmes:teams"), []
    for number in (1, 6):
        for n in range(number):
            row = services.make(
                Team(office=cast.wuhan, kind="front", name=f"{number}-{n}"),
                by=cast.chen,
            )
            services.join(row, by=cast.chen, user=cast.lin)
        client.get(url)
        with CaptureQueriesContext(connection) as spent:
            client.get(url)
        costs.append(len(spent))
    assert costs[0] == costs[1]


def test_the_api_names_the_members(client, cast, team):
    services.join(team, by=cast.chen, user=cast.zhao, duty="走访", is_leader=True)
    make.sign_in(client, cast.lin)
    found = client.get(reverse("api-team-list")).json()["results"]
    assert [one["name"] for one in found] == [team.name]
    (one,) = client.get(reverse("api-team-members", args=[team.pk])).json()
    assert (one["person"], one["is_leader"]) == ("zhao", True)
