"""Surveys: drawn by strata, sent or called, read with their uncertainty, acted upon."""

import io
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.urls import reverse
from django.utils.timezone import localdate, now
from hypothesis import given
from hypothesis import strategies as st

from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.programmes.teamwork import work_of
from crm.teams import services as teams
from crm.teams.models import Team
from crm.transfer import services as transfer
from customers.models import Customer, CustomerPhone, UsageDay
from customers.partitions import ensure_partition
from delivery import improving, questionnaires, round_figures, rounds, surveys
from delivery.models import Invitation, SurveyMember, SurveyRound
from delivery.survey_figures import Stratum, whole
from tests import factories as make

DAY = date(2026, 10, 5)


def stratum(size: int, asked: int, *scores: float) -> Stratum:
    squares = sum(score**2 for score in scores)
    return Stratum("x", size, asked, len(scores), sum(scores), squares)


# --- figures ----------------------------------------------------------------------------


def test_strata_count_by_how_many_they_stand_for():
    """900 with 80 and 100 with 30: 75, not the mean of the answers."""
    large = stratum(900, 4, 75, 75, 85, 85)
    small = stratum(100, 4, 25, 25, 35, 35)
    found = whole([large, small])
    assert found.score == pytest.approx(75)
    # s² = 100/3 in each; 0.9² · (1 − 4/900) · s²/4 + 0.1² · (1 − 4/100) · s²/4
    error = (0.81 * (896 / 900) * 100 / 12 + 0.01 * 0.96 * 100 / 12) ** 0.5
    assert found.interval == pytest.approx(
        (75 - 1.959964 * error, 75 + 1.959964 * error)
    )


def test_a_census_has_no_interval_and_one_answer_none():
    everybody = stratum(4, 4, 75, 75, 85, 85)
    assert whole([everybody]).interval == pytest.approx((80, 80))
    assert whole([stratum(9, 3, 50)]).interval is None
    assert whole([stratum(9, 3)]).score is None


@given(
    st.lists(
        st.lists(
            st.sampled_from([0.0, 25.0, 50.0, 75.0, 100.0]), min_size=2, max_size=9
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_interval_holds_the_score_and_stays_within_the_scale(groups):
    strata = [stratum(50 * (n + 1), 9, *rows) for n, rows in enumerate(groups)]
    found = whole(strata)
    low, high = found.interval
    assert 0 <= low <= found.score + 1e-9
    assert found.score - 1e-9 <= high <= 100


# --- drawing ----------------------------------------------------------------------------


def used(customer: Customer, product: str, pieces: int = 1) -> None:
    with connection.cursor() as cursor:
        ensure_partition(cursor, DAY.replace(day=1), "customers_usageday")
    UsageDay.objects.create(
        day=DAY,
        customer=customer,
        product=product,
        region="",
        payment="",
        pieces=pieces,
        revenue=1,
        cost=0,
    )


@pytest.fixture
def pool(cast):
    """Six contract customers with 标快, two casual ones with E邮宝, in one outlet."""
    rows = [make.customer(cast.wuchang, segment="contract") for _n in range(6)]
    rows += [make.customer(cast.wuchang, segment="casual") for _n in range(2)]
    for n, row in enumerate(rows):
        used(row, "标快" if n < 6 else "E邮宝", 9)
        used(row, "函件")
    return rows


def begin(cast, **facts) -> SurveyRound:
    facts = {
        "name": "揽收满意度",
        "version": make.questionnaire(cast.wuhan, cast.chen),
        "way": "phone",
        "target": "pickup",
        "office": cast.wuhan,
        "opens_on": localdate(),
        "closes_on": localdate() + timedelta(days=9),
        "quota": 2,
        **facts,
    }
    whom = {"product": "", "since": "2026-10-01", "until": "2026-10-31"}
    row = rounds.make(SurveyRound(**facts), by=cast.chen, whom=facts.pop("whom", whom))
    run_inline(Job.objects.get(key=f"draw:{row.pk}"))
    row.refresh_from_db()
    return row


def test_each_stratum_gives_its_quota_and_knows_its_size(cast, pool):
    row = begin(cast)
    found = row.members.values_list("segment", "product", "stratum_size").order_by(
        "segment", "pk"
    )
    assert sorted(found) == [
        ("casual", "E邮宝", 2),
        ("casual", "E邮宝", 2),
        ("contract", "标快", 6),
        ("contract", "标快", 6),
    ]
    assert rounds.draw(row) == 4


def test_a_round_is_counted_before_and_ended_by_hand(cast, pool, client, sign_in):
    sign_in(cast.chen)
    version = make.questionnaire(cast.wuhan, cast.chen)
    today = localdate()
    typed = {"name": "x", "version": version.pk, "way": "phone", "target": "pickup"}
    typed |= {"office": "420100", "opens_on": f"{today}", "closes_on": f"{today}"}
    typed |= {"quota": 2, "attempts": 3, "gap_hours": 4, "repeats": 0}
    typed |= {"since": "2026-10-01", "until": "2026-10-31"}
    page = client.post(reverse("delivery:rounds"), typed)
    assert page.context["counted"] == 4
    assert not SurveyRound.objects.exists()
    made = client.post(reverse("delivery:rounds"), typed | {"sure": "1"})
    run_inline(Job.objects.get(kind="delivery.draw"))
    assert SurveyRound.objects.get().size == 4
    assert rounds.next_call(cast.lin) is not None
    client.post(made.url, {"end": "1"})
    assert rounds.next_call(cast.lin) is None


def test_an_ended_rounds_links_are_closed(cast):
    row = make.survey(cast.wuhan, cast.chen, make.customer(cast.wuhan))
    rounds.end(row, by=cast.chen)
    with pytest.raises(Refused, match="not open any more"):
        surveys.answer(row.members.get().invitation, {"r1": 5})
    with pytest.raises(PermissionDenied):
        rounds.end(row, by=cast.mei)


def test_a_census_asks_everybody_but_who_was_asked_lately(cast, pool):
    begin(cast)
    again = begin(cast, is_census=True)
    assert again.size == 4


def test_a_round_that_repeats_begins_anew_and_compares_itself(cast, pool, time_machine):
    time_machine.move_to("2026-11-30 08:00+08:00", tick=False)
    row = begin(cast, repeats=3)
    for day, count in (("2027-02-27", 1), ("2027-02-28", 2), ("2027-02-28", 2)):
        time_machine.move_to(f"{day} 08:00+08:00", tick=False)
        enqueue("delivery.repeat")
        make.run_jobs("delivery.repeat")
        assert SurveyRound.objects.count() == count
    following = SurveyRound.objects.get(before=row)
    assert following.opens_on == date(2027, 2, 28)
    assert following.whom["since"] == "2027-01-01"


def test_a_round_wants_a_published_questionnaire(cast):
    draft = questionnaires.make(by=cast.chen, office=cast.wuhan, name="x")
    with pytest.raises(Refused, match="Publish"):
        begin(cast, version=draft.versions.get())


def test_links_go_to_mobiles_and_who_has_none_is_not_reached(cast, pool):
    CustomerPhone.objects.filter(customer=pool[6]).delete()
    row = begin(cast, way="sms", is_census=True)
    states = dict(row.members.values_list("customer", "state"))
    assert states[pool[6].pk] == "unreached"
    assert list(states.values()).count("sent") == 7
    sms = Message.objects.filter(channel="sms")
    assert sms.count() == 7
    invitation = Invitation.objects.first()
    assert (
        sms.filter(key=f"round:{invitation.member.pk}")
        .get()
        .body.endswith(surveys.link(invitation))
    )


# --- calls ------------------------------------------------------------------------------


@pytest.fixture
def calls(cast):
    """Two customers to be called."""
    asked = [make.customer(cast.wuhan) for _n in range(2)]
    return make.survey(cast.wuhan, cast.chen, *asked, way="phone")


def test_two_agents_never_call_the_same_customer(cast, calls):
    other = make.user("other", ("agent", cast.wuhan))
    first, second = rounds.next_call(cast.lin), rounds.next_call(other)
    assert first.pk != second.pk
    assert rounds.next_call(cast.lin).pk == first.pk  # the one begun
    assert rounds.next_call(cast.chen) is None
    assert rounds.next_call(cast.mei) is None  # next door
    with pytest.raises(Refused, match="colleague"):
        rounds.take_down(first, by=other, given={"r1": 5})


@pytest.fixture
def callers(cast, calls) -> Team:
    """The team of the round."""
    row = Team(office=cast.wuhan, kind="follow_up", name="回访小组")
    calls.team = teams.make(row, by=cast.chen)
    calls.save()
    return row


def test_the_calls_of_a_team_are_its_members_alone_until_it_ends(
    cast, calls, callers, client, sign_in
):
    other = make.user("other", ("agent", cast.wuhan))
    assert rounds.next_call(cast.lin) is not None  # nobody is in the team yet
    SurveyMember.objects.update(taken_by=None, taken_until=None)
    member = teams.join(callers, by=cast.chen, user=other)
    assert rounds.next_call(cast.lin) is None
    page = sign_in(cast.lin).get(reverse("delivery:next_call"))
    assert page.context["waiting"] == 0
    begun = rounds.next_call(other)
    teams.leave(callers, member.pk, by=cast.chen)
    teams.join(callers, by=cast.chen, user=cast.lin)
    assert rounds.next_call(other) == begun  # what one has begun stays one's own
    teams.end(callers, by=cast.chen)
    assert rounds.next_call(other) == begun
    rounds.attempt(begun, by=other, code="refused")
    assert rounds.next_call(other) is not None


def test_what_the_team_cannot_reach_is_called_by_others(cast, calls, callers):
    """A team of the province with people of Yichang only: Wuhan's agents call Wuhan."""
    callers.office = cast.hubei
    callers.save()
    boss = make.user("boss", ("supervisor", cast.hubei))
    teams.join(callers, by=boss, user=cast.mei)
    assert rounds.next_call(cast.mei) is None
    assert rounds.next_call(cast.lin) is not None


def test_who_called_is_credited_with_the_answer(cast, calls, callers):
    member = teams.join(callers, by=cast.chen, user=cast.lin)
    call = rounds.next_call(cast.lin)
    rounds.take_down(call, by=cast.lin, given={"r1": 5})
    heads, numbers = work_of(callers, [member])
    assert (len(heads), numbers) == (1, [[1]])


def test_a_team_calls_in_a_round_of_calls_only(cast, sign_in):
    team = teams.make(
        Team(office=cast.wuhan, kind="follow_up", name="回访小组"), by=cast.chen
    )
    other = teams.make(
        Team(office=cast.wuhan, kind="project", name="项目组"), by=cast.chen
    )
    client = sign_in(cast.chen)
    form = client.get(reverse("delivery:rounds")).context["form"]
    assert list(form.fields["team"].queryset) == [team]
    data = {"way": "sms", "team": team.pk}
    answer = client.post(reverse("delivery:rounds"), data)
    assert "team" in answer.context["form"].errors
    answer = client.post(reverse("delivery:rounds"), {"way": "phone", "team": other.pk})
    assert "team" in answer.context["form"].errors


def test_who_is_not_reached_is_tried_again_after_the_gap_and_not_for_ever(
    cast, calls, time_machine
):
    SurveyMember.objects.exclude(pk=calls.members.first().pk).delete()
    at = now()
    for number in range(1, 4):
        member = rounds.next_call(cast.lin)
        rounds.attempt(member, by=cast.lin, code="busy")
        assert rounds.next_call(cast.lin) is None
        at += timedelta(hours=calls.gap_hours, minutes=1)
        time_machine.move_to(at, tick=False)
        state = calls.members.get().state
        assert state == ("waiting" if number < 3 else "unreached")
    assert rounds.next_call(cast.lin) is None


@pytest.mark.parametrize(
    ("code", "state"), [("wrong", "unreached"), ("refused", "refused")]
)
def test_a_wrong_number_and_a_refusal_end_it(cast, calls, code, state):
    member = rounds.next_call(cast.lin)
    rounds.attempt(member, by=cast.lin, code=code)
    member.refresh_from_db()
    assert member.state == state
    with pytest.raises(Refused, match="finished"):
        rounds.attempt(member, by=cast.lin, code=code)


def test_an_agent_works_through_the_list_by_keyboard(cast, calls, client, sign_in):
    sign_in(cast.lin)
    page = client.get(reverse("delivery:next_call"))
    member = page.context["member"]
    assert "您好" in page.content.decode() or "Hello" in page.content.decode()
    done = reverse("delivery:call_done", args=[member.pk])
    assert client.post(done, {}).status_code == 422  # the rating is missing
    client.post(done, {"r1": "2", "w": "上门太晚"})
    member.refresh_from_db()
    assert (member.state, member.invitation.rating) == ("answered", 2)
    page = client.get(reverse("delivery:next_call"))
    following = page.context["member"]
    assert following.pk != member.pk
    done = reverse("delivery:call_done", args=[following.pk])
    for wrong in ("", "2020-01-01T10:00", "0001-01-01T00:00", "2099-01-01T10:00"):
        refused = client.post(done, {"code": "later", "later": wrong})
        assert refused.status_code == 422
        assert refused.context["later"].errors["later"]
    ahead = f"{localdate() + timedelta(days=1)}T10:00"
    client.post(done, {"code": "later", "later": ahead})
    following.refresh_from_db()
    assert following.attempts == 0  # the customer's own wish is none
    page = client.get(reverse("delivery:next_call"))
    assert page.context["waiting"] == 1
    assert client.post(done, {"r1": "5"}).status_code == 404  # let go of


# --- letters between units ----------------------------------------------------------------


def test_units_write_about_each_other_and_the_rated_get_their_figure(cast):
    whom = {"units": ["420100", "420500"], "rated": ["420100", "420106"]}
    row = begin(cast, way="units", office=cast.wuhan, whom=whom)
    pairs = set(row.members.values_list("unit__code", "office__code"))
    assert pairs == {("420100", "420106"), ("420500", "420100"), ("420500", "420106")}
    news = Message.objects.inbox_of(cast.chen).filter(subject=rounds.LETTER)
    assert news.count() == 1
    for member in row.members.select_related("invitation", "unit"):
        if member.unit == cast.yichang:
            surveys.answer(member.invitation, {"r1": 4})
    span = (localdate(), localdate() + timedelta(days=30))
    offices = [cast.wuhan, cast.wuchang]
    found = round_figures.unit_quality(*span, offices, ways=("units",))
    assert found[cast.wuhan.pk].response == 100
    assert found[cast.wuchang.pk].response == 50
    assert found[cast.wuchang.pk].score == 75


# --- questionnaires -----------------------------------------------------------------------


def lines(*rows: dict) -> dict:
    """What the editor posts."""
    typed = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": 0, "intro": "Hello"}
    for n, row in enumerate(rows):
        usual = {"kind": "rating", "is_required": "on", "text_zh": "", "values": ""}
        for name, value in {**usual, **row}.items():
            typed[f"form-{n}-{name}"] = value
    return typed


@pytest.fixture
def editor(cast, client, sign_in):
    sign_in(cast.chen)
    made = client.post(
        reverse("delivery:questionnaires"), {"name": "速递", "office": "420100"}
    )
    return lambda typed: client.post(made.url, typed)


def test_a_questionnaire_is_written_published_and_versioned(cast, editor, client):
    poor = {"kind": "words", "text": "Why?", "after": "1", "values": "1,2"}
    saved = editor(lines({"text": "How was it?"}, poor) | {"publish": "1"})
    assert saved.status_code == 302
    row = questionnaires.Questionnaire.objects.get(name="速递")
    first = row.versions.get()
    rating, why = first.questions.all()
    assert (why.only_if, why.only_values) == (rating.code, [1, 2])
    assert first.published_at is not None
    page = client.get(saved.url)
    assert "asked only after 1, 2" in page.content.decode()
    editor({"edit": "1"})
    second = row.versions.get(number=2)
    assert [q.code for q in second.questions.all()] == [rating.code, why.code]
    with pytest.raises(Refused, match="published"):
        questionnaires.publish(first, by=cast.chen)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "Write one question"),
        ([{"text": "a", "after": "1", "values": "1"}], "earlier one"),
        ([{"text": "a"}, {"text": "b", "after": "1"}], "after which answers"),
        ([{"text": "a", "values": "7"}], "Numbers from 0 to 5"),
        ([{"text": "a", "kind": "words"}], "rating of 1 to 5"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_lost(editor, rows, said):
    page = editor(lines(*rows) | {"publish": "1"})
    assert page.status_code == 422
    assert said in page.content.decode()
    for row in rows:
        assert f'value="{row["text"]}"' in page.content.decode()


def test_a_foreign_questionnaire_is_neither_seen_nor_changed(
    cast, editor, client, sign_in
):
    row = questionnaires.Questionnaire.objects.get(name="速递")
    sign_in(cast.mei)
    assert (
        client.get(reverse("delivery:questionnaire", args=[row.pk])).status_code == 404
    )
    with pytest.raises(PermissionDenied):
        questionnaires.draft_of(row, by=cast.mei)


# --- improvements -------------------------------------------------------------------------


def test_a_weak_item_becomes_an_improvement_and_the_next_round_tells(
    cast, client, sign_in
):
    customer, other = make.customer(cast.wuhan), make.customer(cast.wuhan)
    first = make.survey(cast.wuhan, cast.chen, customer, other)
    for member in first.members.all():
        surveys.answer(member.invitation, {"r1": 2})
    sign_in(cast.chen)
    page = client.get(first.get_absolute_url())
    (item,) = page.context["items"]
    assert item.is_weak
    typed = {
        "question": item.question.pk,
        "what": "揽收前电话预约",
        "office": "420100",
        "owner": cast.zhao.username,
        "due_on": f"{localdate() + timedelta(days=20)}",
    }
    wrong = client.post(first.get_absolute_url(), typed | {"due_on": "2020-01-01"})
    assert wrong.status_code == 422
    owner_field = typed | {"owner": cast.zhao.pk}
    client.post(first.get_absolute_url(), owner_field)
    row = first.improvements.get()
    assert row.score_before == 25
    with pytest.raises(Refused):
        improving.judge(row, by=cast.chen, helps=True, words="好")
    improving.finish(row, by=cast.zhao, words="已推行")
    with pytest.raises(PermissionDenied):
        improving.judge(row, by=cast.zhao, helps=True, words="好")
    row.refresh_from_db()
    later = make.survey(
        cast.wuhan, cast.chen, make.customer(cast.wuhan), version=first.version
    )
    surveys.answer(later.members.get().invitation, {"r1": 4})
    assert improving.score_since(row, cast.chen) == 75
    improving.judge(row, by=cast.chen, helps=True, words="提高")
    row.refresh_from_db()
    assert row.is_effective


def test_the_page_of_a_round_shows_words_without_names(cast, client, sign_in):
    customer = make.customer(cast.wuhan)
    row = make.survey(cast.wuhan, cast.chen, customer, benchmark=80)
    surveys.answer(row.members.get().invitation, {"r1": 5, "w": "很好"})
    sign_in(cast.chen)
    page = client.get(row.get_absolute_url())
    assert "很好" in page.content.decode()
    assert customer.name not in page.content.decode()
    assert page.context["beyond"] == 20
    for by in ("segment", "product", "outlet"):
        assert client.get(f"{row.get_absolute_url()}?by={by}").status_code == 200
    assert client.get(f"{row.get_absolute_url()}?by=name").status_code == 404


# --- results from outside -------------------------------------------------------------------


def imported(cast, rows: list[tuple]):
    """An import of such a file, by the real pipeline."""
    head = "工单号,回访日期,满意度,调查目标,网点代码,客户代码,业务品种,意见"
    text = "\n".join([head, *[",".join(row) for row in rows]])
    batch = transfer.upload(
        io.BytesIO(text.encode()),
        by=cast.chen,
        office=cast.wuhan,
        target="followups",
        file_name="回访.csv",
    )
    batch = transfer.start_import(batch, by=cast.chen, mapping=batch.mapping)
    run_inline(batch.job)
    batch.refresh_from_db()
    return batch


def test_outside_results_count_for_the_outlet_once_and_can_be_taken_back(cast):
    make.holidays_of(2026)
    customer = make.customer(cast.wuchang, code="K-1", segment="contract")
    rows = [
        ("P1", "2026-01-05", "非常满意", "揽收服务", "420106", "K-1", "标快", ""),
        ("P2", "2026-02-05", "2", "pickup", "420106", "", "标快", "等了两小时"),
        ("P3", "2026-03-05", "", "pickup", "", "", "", ""),
        ("P2", "2026-03-06", "5", "pickup", "", "", "", ""),  # the same order again
        ("P4", "2026-03-06", "7", "pickup", "", "", "", ""),
        ("P5", "2026-03-06", "5", "pickup", "420500", "", "", ""),
    ]
    batch = imported(cast, rows)
    assert batch.rejections.count() == 2
    found = SurveyRound.objects.get()
    assert (found.size, found.opens_on, found.closes_on) == (
        3,
        date(2026, 1, 5),
        date(2026, 3, 5),
    )
    states = dict(found.members.values_list("ref", "state"))
    assert states == {"P1": "answered", "P2": "answered", "P3": "unreached"}
    assert found.members.get(ref="P1").customer == customer
    quality = round_figures.unit_quality(
        date(2026, 1, 1), date(2026, 3, 31), [cast.wuchang]
    )
    assert quality[cast.wuchang.pk].score == 62.5  # of 5 and 2
    imported(cast, rows[:2])
    assert SurveyMember.objects.count() == 3
    run_inline(transfer.revert_import(batch, by=cast.chen).job)
    assert not SurveyMember.objects.exists()
    assert not Invitation.objects.exists()
