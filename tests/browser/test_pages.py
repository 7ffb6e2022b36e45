"""Every page in both themes and sizes: axe finds nothing, nothing scrolls sideways."""

from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from django.utils.timezone import localdate, now

from campaigns.models import PrizeDraw
from complaints.calls import open_call
from complaints.findings import add
from complaints.models import Call, Complaint, Finding
from crm.dashboards.assessing import object_to, propose
from crm.dashboards.bulletins import make as make_bulletin
from crm.dashboards.models import Bulletin
from crm.dashboards.periods import span_of
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.transfer.targets import Run
from customers.models import Customer
from delivery import questionnaires
from delivery.handovers import start
from delivery.improving import improve
from delivery.models import (
    CardBatch,
    CardReturn,
    CareRule,
    Check,
    Disturbance,
    Inspection,
    ItemRisk,
    PickupSheet,
    PremiumRoute,
    VisitPlan,
    VisitRule,
)
from delivery.plans import freeze
from delivery.quality import (
    batches,
    disturbances,
    inspecting,
    pickup_import,
    sheets,
)
from delivery.surveys import answer
from delivery.visit_log import log
from tests import factories as make
from tests import routes_campaigns, routes_house
from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.browser_all, pytest.mark.timeout(600)]
PAGES = {
    "chen": [
        "/season/",
        "/season/{season}/",
        "/season/{season}/edit/",
        "/season/{season}/customers/?group=new",
        "/season/{season}/customers/{pk}/",
        "/season/{season}/plan/",
        "/season/{season}/groups/{group}/",
        "/season/{season}/documents/{document}/",
        "/season/{season}/review/",
        "/season/{season}/orders/",
        "/season/{season}/orders/new/",
        "/season/orders/{card_order}/",
        "/season/orders/{card_order}/cards/",
        "/season/runs/{print_run}/",
        "/season/{season}/outreach/",
        "/season/outreach/{campaign}/",
        "/season/outreach/{campaign}/contacts/",
        "/season/{season}/draw/",
        "/season/{season}/draw/wins/",
        "/season/{season}/report/",
        "/season/production/",
        "/season/products/",
        "/season/products/new/",
        "/season/addresses/",
        "/season/calls/",
        "/season/events/",
        "/season/gatherings/{gathering}/",
        "/season/events/{event}/",
        "/prizes/",
        "/kpi/board/",
        "/kpi/figures/",
        "/kpi/targets/",
        "/kpi/assessment/",
        "/kpi/assessment/{assessment}/",
        "/kpi/assessment/mine/",
        "/kpi/bulletins/",
        "/kpi/bulletins/{bulletin}/",
        "/kpi/figures/on_time_rate/",
        "/kpi/figures/online_share/rows/bottom/",
        "/complaints/",
        "/complaints/new/",
        "/complaints/{ref}/",
        "/complaints/{ref}/working/",
        "/complaints/limits/",
        "/programmes/",
        "/programmes/{programme}/",
        "/programmes/{programme}/walk/",
        "/programmes/walks/{walk}/",
        "/programmes/staff/",
        "/programmes/staff/{staff_event}/",
        "/programmes/requests/",
        "/programmes/requests/{unit_request}/",
        "/programmes/reports/",
        "/programmes/reports/{report}/",
        "/risks/",
        "/risks/new/",
        "/risks/{risk_kept}/",
        "/risks/plans/{emergency}/",
        "/risks/incidents/",
        "/risks/incidents/{incident}/",
        "/now/",
        "/kpi/combined/",
        "/kpi/costs/",
        "/kpi/exports/",
        "/programmes/teams/",
        "/programmes/teams/{team}/",
        "/programmes/people/",
        "/programmes/people/{user}/",
        "/programmes/supervisors/",
        "/kpi/figures/online_share/improve/",
        "/kpi/combined/weights/",
        "/wall/",
        "/library/",
        "/library/new/",
        "/library/{paper}/",
        "/library/{paper}/edit/",
        "/feedback/",
        "/feedback/{feedback}/",
        "/feedback/bulletin/",
        "/complaints/report/",
        "/complaints/claims/",
        "/complaints/findings/",
        "/complaints/routing/",
        "/complaints/suspicions/",
        "/inbox/how/",
        "/complaints/macros/",
        "/complaints/channels/",
        "/complaints/report/bulletin/",
        "/complaints/texts/",
        "/complaints/topics/",
        "/complaints/quality/",
        "/complaints/quality/sheet/",
        "/complaints/measures/",
        "/call/{call}/wrap-up/",
        "/accounts/duty/",
        "/customers/",
        "/customers/{pk}/",
        "/customers/{pk}/edit/",
        "/customers/new/",
        "/customers/today/",
        "/customers/directory/",
        "/customers/directory/{entry}/",
        "/customers/exports/",
        "/customers/retention/",
        "/customers/{pk}/privacy/",
        "/customers/corrections/",
        "/customers/lists/",
        "/customers/lists/{list}/",
        "/customers/recipients/{recipient}/",
        "/customers/quality/",
        "/customers/value/",
        "/customers/alerts/",
        "/customers/alerts/{alert}/",
        "/customers/watch/",
        "/customers/watch/new/",
        "/customers/movement/",
        "/customers/forecast/",
        "/customers/grading/",
        "/customers/grading/schemes/new/",
        "/customers/grading/schemes/{scheme}/",
        "/customers/grading/runs/{run}/",
        "/customers/duplicates/",
        "/customers/duplicates/{pair}/",
        "/visits/board/",
        "/visits/people/",
        "/visits/people/{visitor}/",
        "/visits/surveys/",
        "/visits/surveys/{round}/",
        "/visits/surveys/{round}/letters/",
        "/visits/surveys/questions/",
        "/visits/surveys/questions/{questions}/",
        "/visits/surveys/questions/{draft}/",
        "/visits/surveys/improvements/",
        "/visits/surveys/call/",
        "/visits/care/",
        "/visits/care/{care}/",
        "/visits/plans/",
        "/visits/plans/{plan}/",
        "/visits/rules/",
        "/visits/rules/{visit_rule}/",
        "/visits/handovers/",
        "/visits/handovers/{handover}/",
        "/quality/?since=2026-10-01&until=2026-10-31",
        "/quality/routes/?since=2026-10-01&until=2026-10-31",
        "/quality/routes/premium/",
        "/quality/scores/?month=2026-10",
        "/quality/scores/schemes/",
        "/quality/volume/",
        "/quality/risks/",
        "/quality/inspections/",
        "/quality/inspections/{inspection}/",
        "/quality/batches/?since=2026-10-01&until=2026-10-31",
        "/quality/batches/{batch}/",
        "/quality/items/?since=2026-10-01&until=2026-10-31",
        "/quality/items/{item}/",
        "/quality/standards/",
        "/quality/pickups/?since=2026-10-01&until=2026-10-31",
        "/quality/pickups/orders/?since=2026-10-01&until=2026-10-31",
        "/quality/pickups/sheets/",
        "/quality/pickups/sheets/{sheet}/",
        "/quality/pickups/sheets/{sheet}/bulletin/",
        "/quality/disturbances/",
        "/quality/disturbances/{disturbance}/",
        "/imports/",
        "/imports/new/",
        "/inbox/",
        "/accounts/profile/",
        "/accounts/password/",
        "/accounts/second-factor/setup/",
        "/nowhere/",
    ],
    "zhao": [
        "/kpi/figures/mine/",
        "/visits/",
        "/visits/?view=week",
        "/visits/?view=month",
        "/visits/list/?state=open",
        "/visits/calendar/",
        "/visits/new/?customer={pk}",
        "/visits/{visit}/",
        "/visits/{done}/",
    ],
    "gao": [
        "/webhooks/",
        "/accounts/offices/",
        "/accounts/offices/420106/",
        "/accounts/calendar/",
    ],
    "liang": ["/accounts/users/", "/accounts/users/new/", "/accounts/users/{user}/"],
    "tang": ["/kpi/audit/", "/customers/"],
}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}


def visits(place, customer) -> dict[str, int]:
    """One of each kind: planned for today, done, a plan, a rule, a hand-over."""
    today = localdate()
    due, done = make.visit(customer), make.visit(customer)
    log(done, by=place.zhao, visited_on=today, result="problem", note="面单模糊")
    plan = VisitPlan.objects.create(
        name="前期走访",
        type="pre_campaign",
        office=place.wuhan,
        first_day=today,
        due_on=today,
    )
    freeze(plan, Customer.objects.filter(manager=place.zhao))
    rule = VisitRule.objects.create(office=place.wuhan, type="alert", days=5)
    other = make.user("other", ("manager", place.wuhan))
    handover = start(
        by=place.chen, office=place.wuhan, giver=place.zhao, taker=other, reason="调岗"
    )
    asked = make.survey(place.wuhan, place.chen, customer)
    answer(asked.members.get().invitation, {"r1": 2, "w": "太慢"})
    weak = asked.version.questions.first()
    improve(
        asked,
        weak,
        by=place.chen,
        office=place.wuhan,
        what="x",
        owner=place.zhao,
        due_on=today,
    )
    make.survey(place.wuhan, place.chen, make.customer(place.wuhan), way="phone")
    draft = questionnaires.make(by=place.chen, office=place.wuhan, name="draft")
    return {
        "round": asked.pk,
        "questions": asked.version.questionnaire_id,
        "draft": draft.pk,
        "visit": due.pk,
        "done": done.pk,
        "plan": plan.pk,
        "visit_rule": rule.pk,
        "care": CareRule.objects.create(
            office=place.wuhan, kind="birthday", name="x"
        ).pk,
        "handover": handover.pk,
        "visitor": place.zhao.pk,
    }


def quality(place) -> dict[str, object]:
    """Items of all kinds in October, pickups with a sheet, a disturbance to decide."""
    for day in (5, 12, 19):
        number = make.item(
            place.wuchang,
            f"2026-10-{day:02d}T09:00+08:00",
            delivered_at=f"2026-10-{day + 2:02d}T09:00+08:00",
            attempts="1",
            ratings="{4}",
            from_region="武汉",
            to_region="宜昌",
        )
    PremiumRoute.objects.create(from_region="武汉", to_region="宜昌")
    make.item(
        place.wuchang,
        f"{localdate() - timedelta(days=3)}T09:00+08:00",
        delivered_at=f"{localdate() - timedelta(days=1)}T09:00+08:00",
    )
    for kind in ("delivery.tally", "delivery.scores", "delivery.volume"):
        run_inline(enqueue(kind))
    first, last = date(2026, 10, 1), date(2026, 10, 31)
    lines = [
        [n + 2, f"P{n}", "2026-10-12T10:00+08:00", "tf"[n % 3 == 0]] for n in range(40)
    ]
    columns = ["ref", "promised_by", "said_in_time"]
    with transaction.atomic():
        pickup_import.load(Run(place.wuchang, 0), lines, columns)
    sheet = PickupSheet(office=place.wuhan, first=first, last=last)
    other = make.user("other-boss", ("supervisor", place.wuhan))
    disturbance = Disturbance(
        office=place.wuhan, first=first, last=first, cause="weather", note="暴雨"
    )
    inspection = Inspection(
        office=place.wuchang, title="视检", planned_on=last, inspector=other
    )
    inspecting.plan(inspection, by=other)
    points = [
        inspecting.add_check(inspection, Check(what=what), by=other)
        for what in ("公示", "台席")
    ]
    inspecting.note(inspection, points[0], by=other, verdict="missed", actual="无")
    batch = CardBatch(office=place.wuhan, code="HK1", posted_on=first, pieces=500)
    batches.keep(batch, by=other)
    back = CardReturn(day=last, cause="address", pieces=5)
    batches.came_back(batch, back, by=other)
    ItemRisk.objects.create(
        waybill=number,
        accepted_on=first,
        customer=make.customer(place.wuhan),
        office=place.wuchang,
        due_at=now(),
        why="silent",
        noticed_at=now(),
    )
    return {
        "inspection": inspection.pk,
        "batch": batch.pk,
        "item": number,
        "sheet": sheets.propose(sheet, by=other).pk,
        "disturbance": disturbances.propose(disturbance, by=other).pk,
    }


def card_season(place, customer) -> dict[str, object]:
    """A season with all that hangs on it, its draw matched."""
    made = routes_campaigns.things(place.wuhan, customer, place.chen)
    PrizeDraw.objects.update(matched_at=now())
    found = {
        name: made[name]["pk"]
        for name in (*("card_order", "print_run", "campaign", "gathering", "event"),)
    }
    return found | {
        "season": made["season"]["code"],
        "group": made["season_group"]["pk"],
        "document": made["season_document"]["pk"],
    }


def bulletin(place) -> int:
    """A draft with a figure, units in order and one below target."""
    at = now()
    Call.objects.bulk_create(
        Call(office=office, call_id=f"b{n}-{office.pk}", rang_at=at, ended_at=at)
        for office in (place.wuhan, place.wuchang)
        for n in range(40)
    )
    span = span_of("month", localdate())
    row = Bulletin(
        office=place.wuhan,
        title="服务质量通报",
        kind=span.kind,
        first=span.first,
        last=span.last,
        kpis=["service_level", "abandon_rate"],
    )
    return make_bulletin(row, by=place.chen, units=[place.wuchang]).pk


def assessment(place) -> int:
    """A proposal with a fault that is objected to."""
    about = {"basis": "fault", "office": place.wuhan, "share": 50, "note": "x"}
    found = add(Complaint.objects.get(), by=place.chen, **about)
    month_ago = now() - timedelta(days=31)
    Finding.objects.filter(pk=found.pk).update(found_at=month_ago)
    month = localdate() - timedelta(days=31)
    boss = make.user("assessor", ("supervisor", place.wuhan))
    sheet = propose(place.wuhan, month, by=boss)
    object_to(sheet.lines.first(), by=place.chen, objection="不属实")
    return sheet.pk


def house(place) -> dict[str, dict]:
    return routes_house.things(place, place.wuhan, place.chen, place.lin)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(("theme", "language"), [("light", "zh-hans"), ("dark", "en")])
def test_pages_are_accessible_and_fit(site, place, width, theme, language):
    customer = make.customer(place.wuhan, manager=place.zhao)
    make.complaint(place.lin, place.wuhan, customer=customer)
    listed = make.recipient_list(customer)
    run = make.grade_run(place.wuhan)
    names = {
        "bulletin": bulletin(place),
        "assessment": assessment(place),
        "list": listed.pk,
        "recipient": make.recipient(listed, postcode="510000").pk,
        "scheme": run.scheme_id,
        "run": run.pk,
        "ref": Complaint.objects.get().ref,
        "pk": customer.pk,
        "user": place.lin.pk,
        "entry": make.entry(place.wuhan).pk,
        "pair": make.pair(customer, make.customer(place.wuhan)).pk,
        "alert": make.alert(customer).pk,
        **{name: of["pk"] for name, of in house(place).items()},
        "feedback": make.feedback(place.lin, place.wuhan).pk,
        "call": open_call(by=place.chen, office=place.wuhan).token,
        **visits(place, customer),
        **quality(place),
        **card_season(place, customer),
    }
    make.judged(customer)
    site.set_viewport_size({"width": width, "height": 900})
    for cookie, value in (("theme", theme), ("language", language)):
        site.context.add_cookies([{"name": cookie, "value": value, "url": site.base}])
    faults = []
    for who, addresses in PAGES.items():
        site.context.clear_cookies(name="sid")
        sign_in(site, who)
        for address in ["/accounts/sign-in/"] * (who == "chen") + addresses:
            site.goto(site.base + address.format(**names), wait_until="networkidle")
            found = Axe().run(site, options=RULES)
            faults += [
                f"{address}: {rule['id']} {[node['target'] for node in rule['nodes']][:3]}"
                for rule in found.response["violations"]
            ]
            wide = site.evaluate("document.documentElement.scrollWidth > innerWidth")
            if wide:
                faults.append(f"{address}: scrolls sideways at {width}")
    assert faults == []
