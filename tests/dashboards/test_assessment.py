"""The monthly assessment: what it reads, who objects, rules and signs, what finance gets."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints import findings, passing
from complaints.models import BuckPassing, Complaint, QualityCheck
from crm.audit.models import AuditEvent
from crm.dashboards import assessing
from crm.dashboards.models import AssessmentLine, AssessmentRule, AssessmentSheet
from crm.errors import Refused
from crm.org.models import Office
from delivery.models import Check, Improvement, Inspection
from tests import factories as make

NEXT = "2026-12-01 09:00+08:00"  # the month after


@pytest.fixture(autouse=True)
def november(time_machine):
    time_machine.move_to("2026-11-23 10:00+08:00", tick=True)
    return time_machine


@pytest.fixture
def boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


@pytest.fixture
def second(cast):
    return make.user("second", ("supervisor", cast.hubei))


@pytest.fixture
def order(cast) -> Complaint:
    row = make.complaint(cast.lin, cast.wuhan)
    Complaint.objects.filter(pk=row.pk).update(owner=cast.yong)
    row.refresh_from_db()
    return row


def fault(cast, order, **facts):
    about = {"basis": "fault", "office": cast.wuhan, "share": 50, "note": "未按址投递"}
    return findings.add(order, by=cast.chen, **(about | facts))


def proposed(cast, boss, november) -> AssessmentSheet:
    november.move_to(NEXT, tick=True)
    return assessing.propose(cast.hubei, localdate() - timedelta(days=5), by=boss)


def lines(sheet: AssessmentSheet) -> set[tuple]:
    return {
        (line.source, line.whom, line.user and line.user.username, line.percent)
        for line in sheet.lines.select_related("user")
    }


def test_each_source_gives_its_lines(cast, boss, order, november):
    fault(cast, order, user=cast.yong)
    fault(cast, order, basis="duty", share=100, team="投递一班")
    suspicion = BuckPassing.objects.create(
        complaint=order, office=cast.wuhan, sign="bounces", raised_at=now()
    )
    passing.judge(suspicion, by=cast.chen, confirms=True, note="两次退回")
    QualityCheck.objects.create(
        complaint=order,
        agent=cast.lin,
        office=cast.wuhan,
        month="2026-11-01",
        state="scored",
        score=60,
        checked_by=cast.shen,
        checked_at=now(),
    )
    inspection = Inspection.objects.create(
        office=cast.yichang,
        title="网点检查",
        planned_on=localdate(),
        inspector=cast.guo,
        made_by=cast.chen,
        state="done",
        ended_at=now(),
    )
    for verdict in ("missed", "met"):
        Check.objects.create(
            inspection=inspection, what="公示", verdict=verdict, noted_at=now()
        )
    case = make.complaint(cast.lin, cast.wuhan)
    Complaint.objects.filter(pk=case.pk).update(
        is_forwarded=True,
        is_upheld=True,
        state="archived",
        closed_at=now(),
        due_at=None,
    )
    sheet = proposed(cast, boss, november)
    assert lines(sheet) == {
        ("fault", "person", cast.yong.username, Decimal("1.00")),  # 2 % × 50 %
        ("passing", "person", cast.yong.username, Decimal("3.00")),
        ("passing", "team", None, Decimal("1.00")),
        ("passing", "leader", cast.chen.username, Decimal("1.00")),
        ("quality", "person", cast.lin.username, Decimal("1.00")),
        ("inspection", "unit", None, Decimal("0.30")),
        ("regulator", "leader", cast.chen.username, Decimal("2.00")),
    }
    directions = dict(sheet.lines.values_list("source", "direction"))
    assert directions["inspection"] == directions["regulator"] == "external"
    assert directions["fault"] == "vertical"
    assert f"{sheet.payroll_month}" == "2026-12-01"
    told = assessing.agenda(sheet)
    assert [line.source for line in told["key_items"]] == ["quality"]
    assert [one.pk for one in told["cases"]] == [case.pk]


@pytest.mark.parametrize(
    ("kind", "sources"),
    [
        ("key_account", {"duty"}),
        ("marketing", {"duty"}),
        ("operations", {"duty"}),
        ("processing", {"fault", "duty"}),
    ],
)
def test_departments_answer_for_duty_and_support_units_for_both(
    cast, boss, order, november, kind, sources
):
    Office.objects.filter(pk=cast.wuhan.pk).update(kind=kind)
    fault(cast, order)
    fault(cast, order, basis="duty", share=100)
    rows = proposed(cast, boss, november).lines.all()
    assert {line.source for line in rows} == sources
    assert {line.direction for line in rows} == {"horizontal"}


def test_an_error_of_quality_becomes_an_item_that_somebody_sees_to(
    client, cast, boss, order, november
):
    fault(cast, order)
    QualityCheck.objects.create(
        complaint=order,
        agent=cast.lin,
        office=cast.wuhan,
        month="2026-11-01",
        state="scored",
        score=60,
        checked_by=cast.shen,
        checked_at=now(),
    )
    sheet = proposed(cast, boss, november)
    line = sheet.lines.get(source="quality")
    make.sign_in(client, boss)
    url = reverse("dashboards:line_improve", args=[line.pk])
    data = {"m0-what": "录音复听两次", "m0-owner": cast.yong.username}
    data |= {"m0-due_on": f"{localdate() + timedelta(9)}", "token": "0" * 31 + "4"}
    late = client.post(url, data | {"m0-due_on": "2026-01-01"})
    assert late.status_code == 422
    assert "录音复听两次" in late.content.decode()
    for _twice in range(2):
        assert client.post(url, data).status_code == 302
    made = Improvement.objects.get()
    assert (made.owner, made.topic, made.url) == (cast.yong, line.words, line.url)
    with pytest.raises(Refused, match="open already"):
        assessing.manage(line, by=boss, what="x", owner=cast.yong, due_on=localdate())
    (managed,) = assessing.agenda(sheet)["key_items"]
    assert managed.improvement == made
    page = client.get(sheet.get_absolute_url()).content.decode()
    assert "录音复听两次" in page
    assert "Have it seen to" not in page
    other = sheet.lines.exclude(source="quality").first()
    with pytest.raises(Refused, match="errors of quality"):
        assessing.manage(other, by=boss, what="x", owner=cast.yong, due_on=localdate())
    make.sign_in(client, cast.mei)
    assert client.get(url).status_code == 404


def test_what_was_lifted_or_of_another_month_is_not_read(cast, boss, order, november):
    found = fault(cast, order)
    findings.object_to(found, by=cast.chen, objection="不属实")
    judge = make.user("judge", ("supervisor", cast.hubei))
    findings.rule(found, by=judge, upholds=False, ruling="属实有误")
    november.move_to(NEXT, tick=True)
    with pytest.raises(Refused) as refusal:
        assessing.propose(cast.hubei, localdate() - timedelta(days=5), by=boss)
    assert refusal.value.code == "sheet.empty"
    assert not AssessmentSheet.objects.exists()


def test_a_running_month_and_a_second_sheet_are_refused(cast, boss, order, november):
    fault(cast, order)
    with pytest.raises(Refused) as refusal:
        assessing.propose(cast.hubei, localdate(), by=boss)
    assert refusal.value.code == "sheet.month"
    sheet = proposed(cast, boss, november)
    with pytest.raises(Refused) as refusal:
        assessing.propose(cast.hubei, sheet.month, by=boss)
    assert refusal.value.code == "sheet.again"
    assessing.drop(sheet, by=boss)
    assert assessing.propose(cast.hubei, sheet.month, by=boss).lines.count() == 1


def test_objection_ruling_signature_and_the_file_for_finance(
    client, cast, boss, second, order, november
):
    fault(cast, order, user=cast.yong)
    fault(cast, order, basis="duty", share=100)
    sheet = proposed(cast, boss, november)
    person = sheet.lines.get(whom="person")
    with pytest.raises(PermissionDenied):
        assessing.object_to(person, by=cast.mei, objection="x")
    assessing.object_to(person, by=cast.yong, objection="客户电话要求放门卫")
    with pytest.raises(Refused) as refusal:
        assessing.rule(person, by=boss, upholds=True, ruling="x")
    assert refusal.value.code == "line.judge"
    with pytest.raises(Refused) as refusal:
        assessing.sign(sheet, by=second)
    assert refusal.value.code == "sheet.days"
    november.move_to("2026-12-09 09:00+08:00", tick=True)
    with pytest.raises(Refused) as refusal:
        assessing.sign(sheet, by=second)
    assert refusal.value.code == "sheet.open"
    assessing.rule(person, by=second, upholds=False, ruling="有录音")
    with pytest.raises(Refused) as refusal:
        assessing.sign(sheet, by=boss)
    assert refusal.value.code == "sheet.own"
    finance = make.user("finance", ("finance", cast.hubei))
    with pytest.raises(Refused) as refusal:
        assessing.export(sheet, by=finance)
    assert refusal.value.code == "sheet.unsigned"
    signed = assessing.sign(sheet, by=second)
    make.sign_in(client, finance)
    url = reverse("dashboards:assessment_export", args=[signed.pk])
    answer = client.post(url)
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(rows) == 2  # the head and the unit: the person's was lifted
    assert '"2026-12"' in rows[1]
    assert '"0.50"' in rows[1]
    assert AuditEvent.objects.filter(action="assessment.exported").count() == 1


def test_nobody_rules_on_or_signs_what_concerns_them(
    cast, boss, second, order, november
):
    found = fault(cast, order, user=cast.yong)
    sheet = proposed(cast, boss, november)
    line = sheet.lines.get()
    AssessmentLine.objects.filter(pk=line.pk).update(user=second, whom="leader")
    assessing.object_to(line, by=cast.chen, objection="x")
    with pytest.raises(Refused) as refusal:
        assessing.rule(line, by=second, upholds=False, ruling="x")
    assert refusal.value.code == "line.judge"
    AssessmentLine.objects.filter(pk=line.pk).update(state="stands")
    november.move_to("2026-12-09 09:00+08:00", tick=True)
    with pytest.raises(Refused) as refusal:
        assessing.sign(sheet, by=second)
    assert refusal.value.code == "sheet.own"
    assert found.pk


def test_nobody_is_charged_by_two_sheets_of_a_month(cast, boss, order, november):
    fault(cast, order)
    sheet = proposed(cast, boss, november)
    with pytest.raises(Refused) as refusal:
        assessing.propose(cast.wuhan, sheet.month, by=cast.chen)
    assert refusal.value.code == "sheet.again"


def test_a_lifted_buck_passing_costs_nobody(cast, boss, order, november):
    suspicion = BuckPassing.objects.create(
        complaint=order, office=cast.wuhan, sign="bounces", raised_at=now()
    )
    passing.judge(suspicion, by=boss, confirms=True, note="两次退回")
    made = order.findings.get(basis="duty")
    findings.object_to(made, by=cast.chen, objection="不是我局")
    judge = make.user("judge", ("supervisor", cast.hubei))
    findings.rule(made, by=judge, upholds=False, ruling="属实")
    fault(cast, order)
    assert {one[0] for one in lines(proposed(cast, boss, november))} == {"fault"}


def test_who_proposed_it_does_not_wipe_out_objections(
    cast, boss, second, order, november
):
    fault(cast, order)
    sheet = proposed(cast, boss, november)
    assessing.object_to(sheet.lines.get(), by=cast.chen, objection="x")
    with pytest.raises(Refused):
        assessing.drop(sheet, by=boss)
    assert assessing.drop(sheet, by=second).state == "dropped"


def test_finance_sees_a_sheet_when_it_is_signed(
    client, cast, boss, second, order, november
):
    fault(cast, order)
    sheet = proposed(cast, boss, november)
    make.sign_in(client, make.user("finance", ("finance", cast.hubei)))
    assert client.get(sheet.get_absolute_url()).status_code == 404
    AssessmentSheet.objects.filter(pk=sheet.pk).update(state="signed", signed_by=second)
    assert client.get(sheet.get_absolute_url()).status_code == 200
    cases = reverse("dashboards:assessment_cases", args=[sheet.pk])
    assert client.get(cases).status_code == 403


def test_objections_come_within_their_days(cast, boss, order, november):
    fault(cast, order)
    sheet = proposed(cast, boss, november)
    november.move_to("2026-12-07 09:00+08:00", tick=True)
    with pytest.raises(Refused) as refusal:
        assessing.object_to(sheet.lines.get(), by=cast.chen, objection="x")
    assert refusal.value.code == "line.late"


def test_no_more_than_the_law_lets_is_deducted(cast, boss, order, november):
    AssessmentRule.objects.filter(source="fault", whom="person").update(percent=50)
    fault(cast, order, user=cast.yong)
    other = make.complaint(cast.lin, cast.wuhan)
    fault(cast, other, user=cast.yong)
    fault(cast, other, user=cast.mei, office=cast.yichang, share=20)
    owed = assessing.owed(proposed(cast, boss, november))
    sums = {one["line"].user.username: (one["sum"], one["percent"]) for one in owed}
    assert sums == {cast.yong.username: (50, 20), cast.mei.username: (10, 10)}
    AssessmentLine.objects.filter(user=cast.mei).update(user=cast.yong)
    both = assessing.owed(AssessmentSheet.objects.get())
    assert sum(one["percent"] for one in both) == 20  # of one person, of two units


def test_a_line_without_evidence_cannot_be(cast, boss, order, november):
    fault(cast, order)
    sheet = proposed(cast, boss, november)
    for facts in ({"words": ""}, {"url": ""}, {"percent": 101}, {"whom": "person"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            AssessmentLine.objects.filter(sheet=sheet).update(**facts)


def test_the_pages_lead_from_the_proposal_to_the_ruling(
    client, cast, boss, second, order, november
):
    fault(cast, order, user=cast.yong)
    november.move_to(NEXT, tick=True)
    make.sign_in(client, boss)
    home = reverse("dashboards:assessments")
    for month, status in (("2026-13", 422), ("2026-12", 422), ("2026-11", 302)):
        sent = {"office": cast.hubei.pk, "month": month}
        assert client.post(home, sent).status_code == status
    assert client.post(home, sent).status_code == 422  # sent again
    sheet = AssessmentSheet.objects.get()
    page = client.get(sheet.get_absolute_url())
    assert order.ref in page.content.decode()
    assert not page.context["may_sign"]
    line = sheet.lines.get()
    make.sign_in(client, cast.yong)
    mine = client.get(reverse("dashboards:assessment_mine")).content.decode()
    assert order.ref in mine
    object_ = reverse("dashboards:line_act", args=[line.pk, "object"])
    client.post(object_, {"words": ""})
    line.refresh_from_db()
    assert line.state == "stands"
    for _time in range(2):
        client.post(object_, {"words": "不属实"})
    line.refresh_from_db()
    assert (line.state, line.objection) == ("objected", "不属实")
    lift = reverse("dashboards:line_act", args=[line.pk, "lift"])
    assert client.post(lift, {"words": "x"}).status_code == 403
    make.sign_in(client, second)
    client.post(lift, {"words": "有录音"})
    line.refresh_from_db()
    assert (line.state, line.ruled_by) == ("lifted", second)


def test_a_sisters_sheet_and_lines_are_closed(client, cast, boss, order, november):
    fault(cast, order, user=cast.yong)
    sheet = proposed(cast, boss, november)
    make.sign_in(client, cast.chen)  # the sheet is the province's
    assert client.get(sheet.get_absolute_url()).status_code == 404
    for who in (cast.mei, cast.lin):
        make.sign_in(client, who)
        mine = client.get(reverse("dashboards:assessment_mine")).content.decode()
        assert order.ref not in mine
        act = reverse("dashboards:line_act", args=[sheet.lines.get().pk, "object"])
        assert client.post(act, {"words": "x"}).status_code == 404


def test_rules_are_the_whole_houses(client, cast, boss):
    url = reverse("dashboards:assessment_rules")
    make.sign_in(client, cast.chen)
    assert client.get(url).status_code == 403
    make.sign_in(client, boss)
    rules = list(AssessmentRule.objects.all())
    sent = {"form-TOTAL_FORMS": len(rules), "form-INITIAL_FORMS": len(rules)}
    for n, one in enumerate(rules):
        sent |= {f"form-{n}-id": one.pk, f"form-{n}-percent": f"{one.percent}"}
    assert client.post(url, sent | {"form-0-percent": "101"}).status_code == 422
    assert client.post(url, sent | {"form-0-percent": "4"}).status_code == 302
    rules[0].refresh_from_db()
    assert rules[0].percent == 4
