"""Compensation by rule, approval by level; findings with objection; units that help."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from complaints import claims, findings
from complaints.compensation import Case, Missing, suggest
from complaints.models import Claim, CoHandler, Complaint, Finding
from crm.audit.models import AuditEvent
from crm.errors import Refused
from customers.models import CustomerGrade
from tests import factories as make

U, INSURED, X, Z = "universal", "express_insured", "express_uninsured", "zhejiang"


def case(regime, damage="lost", **facts) -> Case:
    money = {
        name: D(str(value)) if isinstance(value, int | float) else value
        for name, value in {"postage": 12, **facts}.items()
    }
    return Case(regime=regime, damage=damage, **money)


@pytest.mark.parametrize(
    ("given", "amount", "ceiling", "rule"),
    [
        (case(U, mail="ordinary", loss=500), 0, 0, "ordinary"),
        (case(U, insured=800), 800, 800, "insured_lost"),
        (case(U, "part", insured=800, total=1000, loss=300), 240, 800, "insured_part"),
        (case(U, "part", insured=800, total=200, loss=300), 800, 800, "insured_part"),
        (case(U, "part", insured=1, total=3, loss=1), "0.33", 1, "insured_part"),
        (case(U, loss=500), 36, 36, "times_postage"),
        (case(U, loss=20), 20, 36, "times_postage"),
        (case(U, "part", loss=500), 36, 36, "times_postage"),
        (case(U, mail="registered"), 36, 36, "registered"),
        (case(U, "part", mail="registered", loss=5), 5, 36, "times_postage"),
        (case(INSURED, insured=2000), 2000, 2000, "agreed"),
        (
            case(INSURED, "part", insured=2000, total=4000, loss=1000),
            500,
            2000,
            "agreed",
        ),
        (case(X, loss=300), 300, None, "civil"),
        (case(Z, declared=500), 500, 500, "declared"),
        (case(Z, "part", declared=500, loss=120), 120, 500, "declared"),
        (case(Z, loss=90), 90, 90, "proved"),
        (case(Z), 120, 120, "charges"),
        (case(Z, postage=200), 800, 800, "charges"),
        (case(U, "delay"), 12, 12, "fee_back"),
        (case(U, loss=500, excuse="force"), 0, 0, "none"),
        (case(U, insured=800, excuse="force"), 800, 800, "insured_lost"),
        (case(U, insured=800, excuse="nature"), 0, 0, "none"),
        (case(X, loss=300, excuse="customer"), 0, 0, "none"),
    ],
)
def test_the_table_of_the_law(given, amount, ceiling, rule):
    found = suggest(given)
    assert (found.amount, found.rule) == (D(str(amount)), rule)
    assert found.ceiling == (None if ceiling is None else D(ceiling))
    assert found.version == "2015-04"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (case(U), "loss"),
        (case(U, "part", insured=800, loss=3), "total"),
        (case(U, "part", insured=800, total=0, loss=3), "total"),
        (case(INSURED), "insured"),
        (case(X), "loss"),
    ],
)
def test_what_is_missing_is_named(given, field):
    with pytest.raises(Missing) as missing:
        suggest(given)
    assert missing.value.field == field


def test_no_rule_is_older_than_the_law():
    with pytest.raises(StopIteration):
        suggest(Case(U, "lost", D(1), loss=D(1), on=date(2001, 1, 1)))


@pytest.fixture
def order(cast):
    make.holidays_of(2026, 2027)
    return make.complaint(cast.lin, cast.wuhan)


def test_a_claim_goes_from_rule_to_recovery_each_step_by_whoever_may(cast, order):
    claim = make.claim(order, cast.yong)
    assert (claim.amount, claim.ceiling, claim.rule) == (60, 60, "times_postage")
    with pytest.raises(PermissionDenied):
        claims.decide(claim, by=cast.yong, grants=True, decision="")
    claims.decide(claim, by=cast.chen, grants=True, decision="同意")
    with pytest.raises(Refused, match="gone on meanwhile"):
        claims.decide(claim, by=cast.chen, grants=False, decision="")
    claims.pay(claim, by=cast.chen, voucher="V-1")
    with pytest.raises(Refused, match="At most"):
        claims.recover(claim, by=cast.chen, amount=D(61), office=cast.wuchang)
    claims.recover(claim, by=cast.chen, amount=D(40), office=cast.wuchang)
    claim.refresh_from_db()
    assert (claim.state, claim.recovered) == ("recovered", 40)
    actions = AuditEvent.objects.filter(action__startswith="claim.")
    assert list(actions.order_by("pk").values_list("action", flat=True)) == [
        "claim.proposed",
        "claim.approved",
        "claim.paid",
        "claim.recovered",
    ]


@pytest.mark.parametrize(
    ("loss", "amount", "office"),
    [(900, None, "wuchang"), (3000, None, "wuhan"), (9000, None, "hubei")],
)
def test_the_amount_says_who_decides(cast, loss, amount, office):
    make.holidays_of(2026, 2027)
    row = make.complaint(cast.lin, cast.wuhan, customer=make.customer(cast.wuchang))
    claim = make.claim(row, cast.chen, regime="express_uninsured", loss=D(loss))
    assert claims.deciding_office(claim) == getattr(cast, office)
    assert not claims.may_decide(cast.chen, claim)  # who proposed


def test_more_than_the_rule_gives_is_for_the_province_and_says_why(cast, order):
    with pytest.raises(Refused, match="differs from the rule"):
        make.claim(order, cast.yong, amount=D(70))
    claim = make.claim(order, cast.yong, amount=D(70), reason="客户为重点单位")
    assert claim.is_over_limit
    boss = make.user("province", ("supervisor", cast.hubei))
    with pytest.raises(PermissionDenied):
        claims.decide(claim, by=cast.chen, grants=True, decision="")
    with pytest.raises(Refused, match="under way"):
        make.claim(order, cast.yong)
    claims.decide(claim, by=boss, grants=False, decision="依据不足")
    assert make.claim(order, cast.yong).state == "proposed"


def test_key_accounts_are_decided_first_and_the_unusual_stands_out(cast, order, client):
    key = make.customer(cast.wuhan)
    CustomerGrade.objects.create(
        customer=key,
        code="gold",
        name="金",
        rank=1,
        benefits=["green_channel"],
        since=now(),
    )
    make.claim(order, cast.yong)
    green = make.claim(make.complaint(cast.lin, cast.wuhan, customer=key), cast.yong)
    high = make.claim(
        make.complaint(cast.lin, cast.wuhan),
        cast.yong,
        regime="express_uninsured",
        loss=D(900),
    )
    assert (green.is_green, high.is_unusual) == (True, True)
    make.sign_in(client, cast.chen)
    url = reverse("complaints:claims")
    assert next(iter(client.get(url).context["page"].rows)) == green
    assert list(client.get(url, {"view": "unusual"}).context["page"].rows) == [high]
    assert client.get(url, {"view": "mine"}).status_code == 404
    make.sign_in(client, cast.mei)
    assert not client.get(url).context["page"].rows


def test_the_database_refuses_what_must_not_be(cast, order):
    claim = make.claim(order, cast.yong)
    for wrong in (
        {"decided_by": cast.yong},
        {"amount": D(5)},
        {"recovered": D(500)},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Claim.objects.filter(pk=claim.pk).update(**wrong)


def test_the_page_reckons_and_asks_for_what_is_missing(cast, client, order):
    make.sign_in(client, cast.yong)
    url = reverse("complaints:claim_propose", args=[order.ref])
    data = {
        "regime": "universal",
        "mail": "recorded",
        "damage": "lost",
        "postage": "20",
    }
    missing = client.post(url, data)
    assert missing.status_code == 422
    assert "The rule needs this value." in missing.content.decode()
    tried = client.post(url, {**data, "loss": "100", "try": "1"})
    assert "60.00" in tried.content.decode()
    assert not Claim.objects.exists()
    wrong = client.post(url, {**data, "loss": "-1"})
    assert wrong.status_code == 422
    client.post(url, {**data, "loss": "100"})
    claim = Claim.objects.get()
    step = reverse("complaints:claim_step", args=[claim.pk, "grant"])
    assert client.post(step, {"decision": ""}).status_code == 403
    make.sign_in(client, cast.chen)
    client.post(step, {"decision": ""})
    claim.refresh_from_db()
    assert claim.state == "approved"
    bad = reverse("complaints:claim_step", args=[claim.pk, "burn"])
    assert client.post(bad).status_code == 404


# --- findings ---------------------------------------------------------------------------


def test_shares_add_up_to_a_whole_and_each_may_object(cast, order):
    found = findings.add(
        order, by=cast.chen, basis="fault", office=cast.wuchang, share=60, note="迟投"
    )
    with pytest.raises(Refused, match="would be 110"):
        findings.add(
            order, by=cast.chen, basis="fault", office=cast.wuhan, share=50, note="x"
        )
    findings.add(
        order, by=cast.chen, basis="duty", office=cast.wuhan, share=50, note="未督办"
    )
    with pytest.raises(PermissionDenied):
        findings.object_to(found, by=cast.mei, objection="x")
    with pytest.raises(PermissionDenied):
        findings.add(
            order, by=cast.lin, basis="fault", office=cast.wuhan, share=1, note="x"
        )
    unit = make.user("unit", ("supervisor", cast.wuchang))
    findings.object_to(found, by=unit, objection="暴雨封路")
    with pytest.raises(PermissionDenied):  # who found it does not rule
        findings.rule(found, by=cast.chen, upholds=True, ruling="x")
    other = make.user("other", ("supervisor", cast.wuhan))
    findings.rule(found, by=other, upholds=False, ruling="属不可抗力")
    found.refresh_from_db()
    assert found.state == "lifted"
    with pytest.raises(Refused, match="not open any more"):
        findings.object_to(found, by=unit, objection="again")


def test_a_person_sees_the_finding_about_them_and_answers(cast, order, client):
    found = findings.add(
        order,
        by=cast.chen,
        basis="fault",
        office=cast.wuhan,
        user=cast.yong,
        share=100,
        note="未按址投递",
    )
    with pytest.raises(Refused, match="does not work there"):
        findings.add(
            order,
            by=cast.chen,
            basis="duty",
            office=cast.wuhan,
            user=cast.mei,
            share=1,
            note="x",
        )
    make.sign_in(client, cast.yong)
    page = client.get(reverse("complaints:findings")).content.decode()
    assert "未按址投递" in page
    step = reverse("complaints:finding_step", args=[found.pk, "object"])
    client.post(step, {"text": "收件人要求放门卫"})
    assert Finding.objects.get().state == "objected"


def test_a_unit_that_helps_sees_it_answers_and_is_rated(cast, order, client):
    assert order.pk not in visible_to(cast.mei)
    helper = findings.ask_help(
        order, by=cast.yong, office=cast.yichang, request="查签收"
    )
    assert order.pk in visible_to(cast.mei)
    with pytest.raises(Refused, match="asked already"):
        findings.ask_help(order, by=cast.yong, office=cast.yichang, request="再查")
    with pytest.raises(Refused, match="once"):
        findings.rate(helper, by=cast.yong, rating=5)
    make.sign_in(client, cast.mei)
    client.post(
        reverse("complaints:help_step", args=[helper.pk, "reply"]), {"text": "本人签收"}
    )
    make.sign_in(client, cast.yong)
    rate = reverse("complaints:help_step", args=[helper.pk, "rate"])
    client.post(rate, {"rating": "9"})
    client.post(rate, {"rating": "4"})
    row = CoHandler.objects.get()
    assert (row.reply, row.rating) == ("本人签收", 4)


def visible_to(user) -> list[int]:
    fresh = type(user).objects.get(pk=user.pk)
    return list(Complaint.objects.visible_to(fresh).values_list("pk", flat=True))
