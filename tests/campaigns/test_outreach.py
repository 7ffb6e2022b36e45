"""Outreach: a list once, each step once, stopped by what the customer does, resumed."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from campaigns import answering, outreach
from campaigns.models import (
    Campaign,
    Contact,
    OutreachStep,
    StepVariant,
    Touch,
)
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify import sending
from crm.notify.models import Message
from customers import consents
from customers.models import Customer, SavedView
from delivery.models import Visit
from tests import factories as make
from tests.seasons import issued, ordered, season


def consented(cast, **facts) -> Customer:
    customer = make.customer(cast.wuhan, manager=cast.zhao, **facts)
    consents.give_consent(customer, "marketing", by=cast.chen, how="合同条款")
    return customer


@pytest.fixture
def row(cast):
    return issued(cast)


def campaign_of(cast, row, *steps: dict, **facts) -> Campaign:
    """A campaign for all customers of Wuhan that the supervisor sees."""
    view = SavedView.objects.create(
        owner=cast.chen, office=cast.wuhan, name=f"x{next(make.numbers)}", query=""
    )
    facts = {"whom": "view", "view": view, "name": "邀约", **facts}
    made = outreach.keep(Campaign(season=row, office=cast.wuhan, **facts), by=cast.chen)
    for step in steps:
        facts = {"way": "sms", "body": "贺卡季开始了", **step}
        outreach.keep_step(OutreachStep(campaign=made, **facts), by=cast.chen)
    return made


def go(made: Campaign, cast) -> None:
    outreach.start(made, by=cast.chen)
    run_inline(Job.objects.get(kind="campaigns.gather", params__campaign=made.pk))
    turn()


def turn() -> None:
    run_inline(Job.objects.create(kind="campaigns.outreach", due_at=now()))


def later(days: int) -> None:
    """As if so many days had passed for everybody on the way."""
    span = timedelta(days=days)
    for contact in Contact.objects.all():
        Contact.objects.filter(pk=contact.pk).update(
            due_at=contact.due_at - span, entered_at=contact.entered_at - span
        )


def test_each_step_reaches_each_customer_once(cast, row):
    consented(cast)
    consented(cast)
    made = campaign_of(cast, row, {}, {"delay": 3, "body": "再次提醒"})
    go(made, cast)
    turn()
    assert Touch.objects.count() == Message.objects.filter(channel="sms").count() == 2
    later(3)
    turn()
    turn()
    assert Touch.objects.count() == 4
    made.refresh_from_db()
    assert made.size == 2
    turn()
    made.refresh_from_db()
    assert made.state == Campaign.State.DONE
    assert answering.state_counts(made) == {"done": 2}


def test_who_has_not_consented_is_not_written_to(cast, row):
    make.customer(cast.wuhan)
    made = campaign_of(cast, row, {})
    go(made, cast)
    assert Touch.objects.get().outcome == "refused"
    assert not Message.objects.filter(purpose="marketing").exists()


def test_a_consent_withdrawn_between_list_and_send_is_respected(cast, row):
    customer = consented(cast)
    made = campaign_of(cast, row, {})
    go(made, cast)
    consents.withdraw_consent(customer.consents.get(), by=cast.chen)
    while not sending.deliver_step(None):
        pass
    assert Message.objects.get(purpose="marketing").state == "suppressed"
    (figures,) = answering.step_figures(made)
    assert (figures.touched, figures.sent, figures.suppressed) == (1, 0, 1)


def test_the_cap_holds_at_the_last_gate(cast, row):
    consented(cast)
    for _number in range(3):
        go(campaign_of(cast, row, {}), cast)
    while not sending.deliver_step(None):
        pass
    states = Message.objects.filter(purpose="marketing").values_list("state", flat=True)
    assert sorted(states) == ["sent", "sent", "suppressed"]


def test_an_order_an_answer_or_a_complaint_stops_the_sequence(cast, row):
    bought, said, upset = (consented(cast) for _one in range(3))
    made = campaign_of(cast, row, {}, {"delay": 1})
    go(made, cast)
    while not sending.deliver_step(None):
        pass
    ordered(row, bought)
    contact = Contact.objects.get(customer=said)
    answering.answered(contact, by=cast.zhao, answer="interested")
    make.complaint(cast.lin, cast.wuhan, customer=upset)
    later(1)
    turn()
    stops = dict(Contact.objects.values_list("customer", "stopped_by"))
    assert stops == {bought.pk: "order", said.pk: "answer", upset.pk: "complaint"}
    (first, _second) = answering.step_figures(made)
    assert (first.response.numerator, first.conversion.numerator) == (1, 1)


def test_conditions_choose_who_gets_a_step(cast, row):
    keen, silent = consented(cast), consented(cast)
    made = campaign_of(
        cast,
        row,
        {},
        {"delay": 1, "condition": "unanswered", "body": "还没答复"},
        {"delay": 0, "condition": "answered", "way": "visit", "body": "上门"},
        stops_on_answer=False,
    )
    go(made, cast)
    answering.answered(
        Contact.objects.get(customer=keen), by=cast.zhao, answer="interested"
    )
    later(1)
    turn()
    turn()
    taken = {
        (one.contact.customer_id, one.step.position)
        for one in Touch.objects.select_related("contact", "step")
    }
    assert taken == {(keen.pk, 1), (keen.pk, 3), (silent.pk, 1), (silent.pk, 2)}
    assert Visit.objects.get(source__startswith="outreach:").customer == keen


def test_a_group_gets_its_own_words(cast, row):
    consented(cast, segment="contract")
    consented(cast, segment="casual")
    made = campaign_of(cast, row, {"body": "大家好"})
    StepVariant.objects.create(
        step=made.steps.get(), segment="contract", body="协议客户您好"
    )
    go(made, cast)
    bodies = {row.body for row in Message.objects.filter(purpose="marketing")}
    assert bodies == {"大家好", "协议客户您好"}


def test_pause_and_resume_lose_and_double_nobody(cast, row):
    for _one in range(3):
        consented(cast)
    made = campaign_of(cast, row, {}, {"delay": 1})
    go(made, cast)
    outreach.pause(made, by=cast.chen)
    later(1)
    turn()
    assert Touch.objects.count() == 3
    with pytest.raises(Refused):
        outreach.pause(made, by=cast.chen)
    outreach.resume(made, by=cast.chen)
    turn()
    assert Touch.objects.count() == 6


def test_nobody_comes_in_twice_unless_the_campaign_says_so(cast, row):
    consented(cast)
    once = campaign_of(cast, row, {})
    go(once, cast)
    turn()
    assert outreach.gather(once, 0, 10**9) == 0
    with pytest.raises(Refused):
        outreach.resume(Campaign.objects.get(pk=once.pk), by=cast.chen)
    again = campaign_of(cast, row, {}, again_days=30)
    go(again, cast)
    turn()
    assert outreach.gather(again, 0, 10**9) == 0  # not yet
    Contact.objects.filter(campaign=again).update(ended_at=now() - timedelta(days=31))
    assert outreach.gather(again, 0, 10**9) == 1
    assert outreach.gather(again, 0, 10**9) == 0
    assert Contact.objects.filter(campaign=again).count() == 2


def test_calls_are_tried_three_times_and_answers_noted_once(cast, row):
    consented(cast)
    consented(cast)
    made = campaign_of(cast, row, {"way": "call", "body": "问候并邀约"})
    go(made, cast)
    first, second = answering.open_touches(cast.zhao, "call")
    answering.called(first, by=cast.zhao, result="interested")
    with pytest.raises(Refused):
        answering.called(first, by=cast.zhao, result="no")
    for _time in range(3):
        Touch.objects.filter(pk=second.pk).update(due_at=now())
        answering.called(second, by=cast.zhao, result="nobody")
    second.refresh_from_db()
    assert (second.outcome, second.attempts) == ("nobody", 3)
    assert not answering.open_touches(cast.zhao, "call").exists()
    assert not answering.open_touches(cast.mei, "call").exists()


def test_a_campaign_wants_an_issued_season_and_a_step(cast, row):
    early = season(cast.wuhan, "2028")
    made = campaign_of(cast, early, {})
    with pytest.raises(Refused) as refusal:
        outreach.start(made, by=cast.chen)
    assert refusal.value.code == "season.draft"
    empty = campaign_of(cast, row)
    with pytest.raises(Refused) as refusal:
        outreach.start(empty, by=cast.chen)
    assert refusal.value.code == "campaign.steps"


def test_exclusions_hold_when_the_list_is_made(cast, row):
    kept, out = consented(cast), consented(cast, segment="contract")
    without = SavedView.objects.create(
        owner=cast.chen, office=cast.wuhan, name="out", query="segment=contract"
    )
    made = campaign_of(cast, row, {}, without=without)
    go(made, cast)
    assert [one.customer for one in made.contacts.all()] == [kept]
    assert out not in outreach.chosen(made)
