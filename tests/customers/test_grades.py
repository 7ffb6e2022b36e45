"""The grade in force: by hand, on pages and in the API; what attacks it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.charts import flow
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from customers import grade_runs, grades, grading, merging
from customers.models import (
    Customer,
    CustomerGrade,
    GradeOverride,
    GradeRun,
    GradeScheme,
)
from tests import factories as make
from tests.customers.test_grading import (
    GUANGDONG,
    UNTIL,
    compute,
    make_boss,
    publish,
    scheme_of,
    used,
)


@pytest.fixture
def graded(cast) -> Customer:
    firm = make.customer(cast.wuhan, segment="contract", manager=cast.zhao)
    used(firm, 30_000, months=range(1, 10))
    publish(compute(scheme_of(cast.wuhan)), cast)
    return firm


def override(firm, cast, code="diamond", days=30):
    until = localdate() + timedelta(days=days)
    asked = grades.ask_override(
        firm, by=cast.zhao, code=code, reason="战略合作", until=until
    )
    grades.decide_override(asked, by=cast.chen, approve=True)
    return asked


def test_an_override_takes_two_people_and_survives_runs_until_its_end(graded, cast):
    held = CustomerGrade.objects.get()
    day = localdate() + timedelta(days=9)
    for wrong in ({"code": held.code}, {"code": "iron"}, {"until": localdate()}):
        facts = {"code": "diamond", "reason": "x", "until": day, **wrong}
        with pytest.raises(Refused):
            grades.ask_override(graded, by=cast.zhao, **facts)
    asked = grades.ask_override(
        graded, by=cast.chen, code="diamond", reason="x", until=day
    )
    with pytest.raises(Refused, match="Somebody else"):
        grades.decide_override(asked, by=cast.chen, approve=True)
    assert CustomerGrade.objects.get().code == held.code
    other = make_boss(cast)
    grades.decide_override(asked, by=other, approve=True)
    assert Message.objects.filter(to_user=cast.chen, key__startswith="override").count()
    with pytest.raises(Refused, match="already"):
        override(graded, cast, code="platinum")
    assert CustomerGrade.objects.get().code == "diamond"
    assert grades.entitled(graded, "dedicated_agent")
    scheme = GradeScheme.objects.get()
    publish(compute(scheme, date(2026, 10, 31)), cast)
    after = CustomerGrade.objects.get()
    assert (after.code, after.run_code) == ("diamond", held.code)
    GradeOverride.objects.update(until=localdate() - timedelta(days=1))
    for _night in range(2):
        run_inline(enqueue("customers.grade_due"))
    assert CustomerGrade.objects.get().code == held.code
    assert not grades.entitled(graded, "dedicated_agent")
    ways = [(c.before, c.after) for c in grades.changes_of(graded)]
    assert ways[:2] == [("钻石", held.name), (held.name, "钻石")]
    with pytest.raises(KeyError):
        grades.entitled(graded, "free_beer")


def test_the_night_begins_the_run_of_a_period_that_ended_once(graded):
    for _night in range(2):
        run_inline(enqueue("customers.grade_due"))
    ends = {run.until for run in GradeRun.objects.all()}
    assert grade_runs.last_period_end("quarter") in ends
    assert grade_runs.last_period_end("half_year", date(2026, 7, 1)) == date(
        2026, 6, 30
    )
    assert grade_runs.last_period_end("year", date(2026, 7, 1)) == date(2025, 12, 31)
    runs = GradeRun.objects.count()
    run_inline(enqueue("customers.grade_due"))
    assert GradeRun.objects.count() == runs


def test_a_scheme_is_written_computed_proposed_and_published_on_its_pages(client, cast):
    firms = [make.customer(cast.wuhan, segment="contract") for _n in range(5)]
    for number, firm in enumerate(firms):
        used(firm, 9_000 * 4**number, months=range(1, 10))
    make.sign_in(client, cast.chen)
    new = reverse("customers:scheme_new")
    page = client.get(new, {"preset": "guangdong"})
    form = page.context["form"]
    data = {f.html_name: f.value() for f in form if f.value() not in (None, "")}
    wrong = client.post(new, data | {"weight_brand": "11", "name": "甲"})
    assert wrong.status_code == 422
    assert "100" in str(wrong.context["form"].errors["weight_revenue"])
    for change, field in (
        ({"amount_1": "6000000"}, "amount_1"),
        ({"cap_grade": "iron"}, "cap_grade"),
        ({"table_credit": "30 days are fine"}, "table_credit"),
        ({"factors": f"{cast.wuhan.code} = viel"}, "factors"),
        ({"office": cast.yichang.pk}, "office"),
    ):
        answer = client.post(new, data | change)
        assert answer.status_code == 422
        assert field in answer.context["form"].errors
    token = {"token": "5f0c2f6e-5a52-4f0e-8f43-0d9b3f1c7a12"}
    for _time in range(2):
        assert client.post(new, data | token | {"name": "甲"}).status_code == 302
    scheme = GradeScheme.objects.get()
    assert scheme.parsed() == GUANGDONG
    start = reverse("customers:run_start", args=[scheme.pk])
    for _time in range(2):
        client.post(start, {"office": cast.wuhan.pk, "until": UNTIL})
    run = GradeRun.objects.get()
    url = run.get_absolute_url()
    assert client.get(url).status_code == 200
    make.run_jobs("customers.grade")
    page = client.get(url)
    assert sum(number for _c, _n, number in page.context["spread"]) == 5
    for code, _name, number in page.context["spread"]:
        assert len(client.get(url, {"grade": code}).context["page"].rows) == number
    for move, _label, number in page.context["moves"]:
        assert len(client.get(url, {"move": move}).context["page"].rows) == number
    assert client.get(url, {"grade": "iron"}).status_code == 404
    act = reverse("customers:run_act", args=[run.pk, "propose"])
    for _time in range(2):
        client.post(act)
    client.post(reverse("customers:run_act", args=[run.pk, "approve"]))
    run.refresh_from_db()
    assert run.state == "proposed"  # not by the same person
    make.sign_in(client, make.user("deputy", ("supervisor", cast.wuhan)))
    client.post(reverse("customers:run_act", args=[run.pk, "approve"]))
    run_inline(Job.objects.get(kind="customers.grade_publish"))
    grade = CustomerGrade.objects.get(customer=firms[-1])
    assert grade.name in client.get(firms[-1].get_absolute_url()).content.decode()
    panel = client.get(reverse("customers:grade", args=[firms[-1].pk]))
    assert panel.context["why"].grade == grade.name
    assert client.get(scheme.get_absolute_url()).context["may_edit"] is False
    asked = client.post(
        reverse("customers:grade", args=[firms[-1].pk]),
        {"code": "diamond", "until": "2020-01-01", "reason": "x"},
    )
    assert asked.status_code == 422
    assert "until" in asked.context["form"].errors


def test_the_api_gives_the_grade_with_its_reasons(client, graded, cast):
    make.sign_in(client, cast.zhao)
    url = f"/api/v1/customers/{graded.pk}/worth/"
    found = client.get(url).json()["grade"]
    assert found["code"] == CustomerGrade.objects.get().code
    points = sum(row["points"] * row["weight"] for row in found["why"]["dimensions"])
    assert Decimal(found["why"]["score"]) == Decimal(points) / 100
    other = make.customer(cast.wuhan, manager=cast.zhao)
    empty = client.get(f"/api/v1/customers/{other.pk}/worth/").json()
    assert empty == {"grade": None, "value": None}


def test_an_override_that_lost_its_scheme_or_its_grade_ends_without_harm(graded, cast):
    asked = override(graded, cast)
    bare = make.customer(cast.wuhan)
    merging.merge(bare, graded, by=None)
    asked.refresh_from_db()
    assert asked.customer == bare
    GradeOverride.objects.update(until=localdate() - timedelta(days=1))
    assert run_inline(enqueue("customers.grade_due")).state == "done"
    assert GradeOverride.objects.get().state == "ended"


def test_an_override_to_a_grade_of_another_scheme_is_refused(graded, cast):
    until = localdate() + timedelta(days=9)
    asked = grades.ask_override(
        graded, by=cast.zhao, code="diamond", reason="x", until=until
    )
    other = scheme_of(cast.wuhan, grading.PRESETS["hubei"], name="别的")
    publish(compute(other, date(2026, 10, 31)), cast)
    with pytest.raises(Refused, match="changed"):
        grades.decide_override(asked, by=cast.chen, approve=True)


def test_a_lower_office_cannot_put_the_provinces_draft_into_force(cast):
    draft = scheme_of(cast.hubei)
    with pytest.raises(PermissionDenied):
        grade_runs.start_run(draft, cast.wuhan, UNTIL, by=cast.chen)
    run = compute(draft, office=cast.wuhan)
    publish(run, cast)
    draft.refresh_from_db()
    assert draft.state == "draft"  # one office's run is not the province's word


def test_a_draft_that_is_renamed_to_a_known_name_becomes_its_next_version(cast):
    scheme_of(cast.wuhan, name="甲")
    other = scheme_of(cast.wuhan, name="乙")
    other.name = "甲"
    grade_runs.save_scheme(other, GUANGDONG, by=None)
    assert other.version == 2


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("table_revenue", "0.5: nan"),
        ("table_revenue", "inf: 50"),
        ("table_credit", "1e400: 50"),
        ("table_brand", "leader: 99999"),
        ("table_brand", "leader: nan"),
        ("ladders", "420100 = nan, 1, 0, 0, 0"),
        ("ladders", "420100 = 1e308, 4, 3, 2, 0"),
        ("factors", "420100 = inf"),
    ],
)
def test_numbers_that_are_none_are_told_beside_their_field(client, cast, field, text):
    make.sign_in(client, cast.chen)
    new = reverse("customers:scheme_new")
    form = client.get(new, {"preset": "guangdong"}).context["form"]
    data = {f.html_name: f.value() for f in form if f.value() not in (None, "")}
    answer = client.post(new, data | {field: text})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_the_first_run_of_a_new_scheme_protects_the_grade_in_force(graded, cast):
    GradeScheme.objects.update(name="旧")
    CustomerGrade.objects.update(code="diamond", run_code="diamond", rank=0)
    run = compute(scheme_of(cast.wuhan, name="新"), date(2026, 10, 31))
    row = run.assessments.get()
    assert (row.held, row.grade, row.rule, row.below) == (
        "diamond", "diamond", "protected", 1,
    )  # fmt: skip


def test_a_grade_without_a_code_and_an_unknown_office_are_told(client, cast):
    make.sign_in(client, cast.chen)
    new = reverse("customers:scheme_new")
    form = client.get(new, {"preset": "guangdong"}).context["form"]
    data = {f.html_name: f.value() for f in form if f.value() not in (None, "")}
    for change, field in (
        ({"code_1": ""}, "code_1"),
        ({"factors": "HB-XX = 0.9"}, "factors"),
        ({"amount_2": "2000000"}, "amount_2"),
        ({"score_4": "5"}, "score_4"),
    ):
        answer = client.post(new, data | change)
        assert answer.status_code == 422
        assert field in answer.context["form"].errors


def test_a_run_whose_part_fails_says_so_and_is_resumed(client, cast, monkeypatch):
    make.customer(cast.wuchang, segment="contract")
    run = grade_runs.start_run(scheme_of(cast.wuhan), cast.wuhan, UNTIL, by=None)
    run_inline(Job.objects.get(kind="customers.grade"))
    job = Job.objects.get(kind="customers.grade", state="queued")
    monkeypatch.setattr(
        "customers.grade_steps.statement", lambda *_args, **_kw: "SELECT 1 / 0"
    )
    for _attempt in range(3):
        Job.objects.update(due_at=now())
        run_inline(job)
    assert job.state == "failed"
    make.sign_in(client, cast.chen)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "division by zero" in page
    assert "Resume" in page
    polled = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "progress"}
    assert client.get(run.get_absolute_url(), **polled).headers["HX-Refresh"] == "true"
    monkeypatch.undo()
    act = reverse("customers:run_act", args=[run.pk, "resume"])
    for _twice in range(2):
        client.post(act)
    assert run_inline(job).state == "done"
    run.refresh_from_db()
    assert (run.state, run.customers) == ("computed", 1)
    with pytest.raises(Refused):
        grade_runs.resume_run(run, by=cast.chen)


def test_the_reasons_are_a_page_of_their_own_to_print(client, cast):
    customer = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    publish(compute(scheme_of(cast.wuhan)), cast)
    make.sign_in(client, cast.zhao)
    url = reverse("customers:grade", args=[customer.pk])
    page = client.get(url).content.decode()
    assert "data-print" in page
    assert '<details class="data" open>' in page
    part = client.get(url, HTTP_HX_REQUEST="true").content.decode()
    assert "data-print" not in part


def test_a_used_scheme_is_read_whole_and_changed_by_nobody(client, cast):
    scheme = scheme_of(cast.hubei)
    compute(scheme, office=cast.wuhan)
    make.sign_in(client, cast.chen)
    page = client.get(scheme.get_absolute_url())
    fields = page.context["form"].fields
    assert all(field.disabled for field in fields.values())
    assert cast.hubei.name in page.content.decode()
    assert "data-print" not in page.content.decode()
    client.post(scheme.get_absolute_url(), {"name": "anders"})
    scheme.refresh_from_db()
    assert scheme.name == "客户分级"


def test_the_flow_picture_holds_every_customer_once():
    bands = [("gold", "gold", 5, "same"), ("gold", "vip", 2, "down")]
    drawn = flow([*bands, ("<b>", "vip", 3, "new")], ["gold", "vip", "<b>"], label="x")
    assert drawn.count('<path class="band') == 3
    assert "gold 7" in drawn
    assert "vip 5" in drawn
    assert "&lt;b&gt; 3" in drawn
    assert flow([], [], label="x") == ""
