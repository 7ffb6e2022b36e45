"""Every route, who opens it, and one object of each kind: the tables of test_scoping.py."""

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.timezone import localdate, now

from complaints import extensions, limits
from complaints.calls import open_call
from complaints.measures import give
from complaints.models import (
    Attachment,
    BannedPhrase,
    BuckPassing,
    ChannelOutage,
    CoHandler,
    Finding,
    Macro,
    QualityCheck,
    RoutingRule,
    TextBlock,
    TopicAlert,
)
from crm.access.models import Absence, Posting
from crm.dashboards.models import AssessmentLine, AssessmentSheet, Bulletin
from crm.hooks.models import Endpoint
from crm.jobs.models import Job
from crm.org.models import CalendarDay
from crm.transfer import services as transfer
from crm.transfer.forms import EXAMPLE
from customers.grade_runs import start_run
from customers.ledger import attach_file as attach_scan
from customers.ledger import save_contract
from customers.merging import merge
from customers.models import (
    Export,
    GradeOverride,
    Organisation,
    SavedView,
)
from delivery.models import (
    CardBatch,
    CareRule,
    Check,
    Disturbance,
    Handover,
    Improvement,
    Inspection,
    ItemRisk,
    PickupSheet,
    VisitPlan,
    VisitRule,
)
from delivery.visit_log import add_photo
from delivery.visit_log import log as log_visit
from tests import factories as make
from tests import routes_campaigns, routes_house


@dataclass(frozen=True)
class Route:
    needs: str
    method: str = "get"
    of: str = ""  # the object in the address
    rows_for: str = ""  # roles that may see such rows at all; "" = all with the right
    is_lost: bool = False  # posts nothing here, so that it finds nothing
    is_national: bool = False  # needs a posting at the top, which the cast has not


SEE_ITEMS = "agent handler supervisor inspector"
ROUTES = {
    "home": Route("any"),
    "health": Route("open"),
    "live": Route("open"),
    "language": Route("open", "post"),
    "access:sign_in": Route("open"),
    "access:sign_out": Route("any", "post"),
    "access:unlock": Route("any"),
    "access:second_factor": Route("any"),
    "access:second_factor_setup": Route("any"),
    "access:profile": Route("any"),
    "access:password": Route("any"),
    "access:end_session": Route("any", "post", "session"),
    "access:users": Route("user.manage"),
    "access:user_new": Route("user.manage"),
    "access:user": Route("user.manage", of="account"),
    "access:user_reset": Route("user.manage", "post", "account"),
    "access:posting_new": Route("user.manage", "post", "account"),
    "access:posting_approve": Route("user.manage", "post", "posting"),
    "access:posting_end": Route("user.manage", "post", "posting"),
    "access:offices": Route("office.manage"),
    "access:office_new": Route("office.manage"),
    "access:office": Route("office.manage", of="office"),
    "access:calendar": Route("calendar.manage"),
    "access:calendar_windows": Route("calendar.manage", "post", "office"),
    "access:calendar_day": Route("calendar.manage", "post", "office"),
    "access:day_remove": Route("calendar.manage", "post", "day"),
    "access:calendar_year": Route("calendar.manage", "post", is_national=True),
    "notify:inbox": Route("any"),
    "notify:preferences": Route("any"),
    "notify:read_all": Route("any", "post"),
    "transfer:list": Route("transfer.import"),
    "transfer:new": Route("transfer.import"),
    "transfer:detail": Route("transfer.view", of="import", rows_for="supervisor"),
    "transfer:preview": Route("transfer.view", "post", "import", "supervisor"),
    "transfer:start": Route("transfer.view", "post", "import", "supervisor"),
    "transfer:revert": Route("transfer.view", "post", "import", "supervisor"),
    "transfer:correct": Route("transfer.view", of="import", rows_for="nobody"),
    "transfer:progress": Route("transfer.view", of="import", rows_for="supervisor"),
    "transfer:rejected": Route("transfer.view", of="import", rows_for="supervisor"),
    "dashboards:board": Route("kpi.view"),
    "dashboards:compute": Route("kpi.compute", "post"),
    "dashboards:figures": Route("kpi.view"),
    "dashboards:kpi": Route("kpi.view"),
    "dashboards:rows": Route("kpi.drill"),
    "dashboards:exports": Route("kpi.view"),
    "dashboards:export_end": Route("kpi.view", "post", is_lost=True),
    "dashboards:costs": Route("cost.note"),
    "dashboards:mine": Route("figures.mine"),
    "dashboards:mine_rows": Route("figures.mine"),
    "dashboards:export": Route("kpi.view"),
    "dashboards:assessments": Route("assessment.view"),
    "dashboards:assessment": Route(
        "assessment.view", of="assessment", rows_for="supervisor"
    ),
    "dashboards:assessment_act": Route(
        "assessment.propose", "post", "assessment", is_lost=True
    ),
    "dashboards:assessment_export": Route(
        "assessment.export", "post", "assessment", is_lost=True
    ),
    "dashboards:assessment_cases": Route("assessment.propose", of="assessment"),
    "dashboards:assessment_mine": Route("assessment.mine"),
    "dashboards:assessment_rules": Route("assessment.propose", is_national=True),
    "dashboards:line_act": Route(
        "assessment.mine", "post", "assessment_line", rows_for="supervisor"
    ),
    "dashboards:bulletins": Route("bulletin.read"),
    "dashboards:bulletin": Route("bulletin.read", of="bulletin", rows_for="supervisor"),
    "dashboards:bulletin_act": Route(
        "bulletin.write", "post", "bulletin", is_lost=True
    ),
    "dashboards:bulletin_file": Route(
        "bulletin.read", of="bulletin_file", is_lost=True
    ),
    "dashboards:targets": Route("kpi.target"),
    "dashboards:targets_copy": Route("kpi.target", "post"),
    "dashboards:audit": Route("audit.view"),
    "customers:list": Route("customer.view"),
    "customers:search": Route("customer.view", "post"),
    "customers:today": Route("task.view"),
    "customers:task_done": Route("task.view", "post", "task"),
    "customers:corrections": Route("customer.correct"),
    "customers:directory": Route("directory.view"),
    "customers:organisation": Route("directory.view", of="entry"),
    "customers:hand_over": Route("directory.assign", "post", "entry"),
    "customers:organisation_answer": Route("directory.view", "post", "entry"),
    "customers:organisation_convert": Route("directory.view", "post", "entry"),
    "customers:grading": Route("grading.view"),
    "customers:scheme_new": Route("grading.edit"),
    "customers:scheme": Route("grading.view", of="scheme"),
    "customers:run_start": Route("grading.run", "post", "scheme"),
    "customers:scheme_act": Route("grading.edit", "post", "scheme_act"),
    "customers:grade_run": Route("grading.view", of="grade_run"),
    "customers:run_act": Route("grading.run", "post", "run_act"),
    "customers:override_act": Route("grading.override", "post", "override"),
    "customers:grade": Route("customer.view", of="customer"),
    "customers:alerts": Route("alert.view"),
    "customers:alert": Route("alert.view", of="alert"),
    "customers:alerts_give": Route("alert.give", "post"),
    "customers:alert_act": Route("alert.answer", "post", "alert_act"),
    "customers:alert_report": Route("alert.answer", "post", "alert"),
    "customers:watch_rules": Route("watch.view"),
    "customers:watch_rule_new": Route("watch.edit"),
    "customers:watch_usual": Route("watch.edit", "post"),
    "customers:watch_rule": Route("watch.edit", of="watch_rule"),
    "customers:movement": Route("movement.view"),
    "customers:movement_file": Route("movement.view"),
    "customers:forecast": Route("forecast.view"),
    "customers:values": Route("value.view"),
    "customers:value": Route("customer.view", of="customer"),
    "customers:data_quality": Route("quality.view"),
    "customers:recipient_lists": Route("recipients.keep"),
    "customers:recipient_list": Route("recipients.keep", of="list"),
    "customers:recipient_upload": Route("recipients.keep", "post", "list"),
    "customers:recipient_report": Route("recipients.keep", of="list"),
    "customers:recipient_back": Route("recipients.keep", "post", "list"),
    "customers:recipient_destroy": Route("recipients.keep", "post", "list"),
    "customers:recipient": Route("recipients.keep", of="recipient"),
    "customers:recipient_verdict": Route("recipients.keep", "post", "verdict"),
    "customers:tools": Route("customer.view"),
    "customers:view_save": Route("customer.view", "post"),
    "customers:view_drop": Route("customer.view", "post", "view", "supervisor"),
    "customers:bulk": Route("customer.assign", "post"),
    "customers:bulk_job": Route("customer.assign", of="bulk"),
    "customers:exports": Route("customer.export"),
    "customers:export_ask": Route("customer.export", "post"),
    "customers:export_decide": Route("customer.export_approve", "post", "export"),
    "customers:export_fetch": Route("customer.export", "post", "export", "supervisor"),
    "customers:retention": Route("customer.erase"),
    "customers:privacy": Route("customer.erase", of="customer"),
    "customers:privacy_data": Route("customer.erase", "post", "customer"),
    "customers:privacy_hold": Route("customer.erase", "post", "customer"),
    "customers:privacy_erase": Route("customer.erase", "post", "customer"),
    "customers:new": Route("customer.create"),
    "customers:likely": Route("customer.create", "post"),
    "customers:duplicates": Route("customer.merge"),
    "customers:sweep": Route("customer.merge", "post"),
    "customers:pair": Route("customer.merge", of="pair"),
    "customers:different": Route("customer.merge", "post", "pair"),
    "customers:unmerge": Route("customer.merge", "post", "merge"),
    "customers:contract_file": Route("customer.view", of="contract_file"),
    "customers:detail": Route("customer.view", of="customer"),
    "customers:edit": Route("customer.edit", of="customer"),
    "customers:summary": Route("customer.view", of="customer"),
    "customers:verify": Route("customer.edit", "post", "customer"),
    "customers:timeline": Route("customer.view", of="customer"),
    "customers:behaviour": Route("customer.view", of="customer"),
    "customers:of_customer": Route("customer.view", of="customer"),
    "customers:panel": Route("customer.view", of="panel"),
    "customers:panel_row": Route("customer.view", "post", "panel_row"),
    "customers:reveal": Route("customer.reveal", "post", "phone"),
    "complaints:list": Route("complaint.view"),
    "complaints:new": Route("complaint.create"),
    "improvement:mine": Route("feedback.submit"),
    "improvement:detail": Route(
        "feedback.submit", of="feedback", rows_for="agent supervisor"
    ),
    "improvement:decide": Route("feedback.decide", "post", "feedback"),
    "improvement:bulletin": Route("feedback.decide"),
    "call:pop": Route("complaint.create"),
    "call:ringing": Route("complaint.create"),
    "call:seat": Route("complaint.create", "post"),
    "call:form": Route("complaint.create", of="call", rows_for="agent"),
    "call:look": Route("complaint.create", "post", "call", rows_for="agent"),
    "call:keep": Route("complaint.create", "post", "call", rows_for="agent"),
    "call:find": Route("customer.lookup", "post", "call", rows_for="agent"),
    "call:answer": Route("complaint.create", of="call", rows_for="agent"),
    "call:wrap_up": Route("complaint.create", of="call", rows_for="agent"),
    "call:telephony_event": Route("open", "post"),
    "complaints:download": Route("complaint.view", of="file"),
    "complaints:for_customer": Route(
        "complaint.view", of="customer", rows_for="agent manager supervisor"
    ),
    "complaints:detail": Route("complaint.view", of="complaint"),
    "complaints:working": Route("complaint.view", of="complaint"),
    "complaints:limits": Route("limit.view"),
    "complaints:limit_add": Route("limit.edit", "post"),
    "complaints:limit_end": Route("limit.edit", "post", "limit"),
    "complaints:clock_export": Route("clock.export"),
    "complaints:extend": Route("complaint.move", "post", "clock"),
    "complaints:decide_extension": Route("complaint.extend", "post", "extension"),
    "complaints:act": Route("complaint.view", "post", "order_act"),
    "complaints:change": Route("complaint.move", "post", "complaint"),
    "complaints:reveal": Route("complaint.move", "post", "complaint"),
    "complaints:skip": Route("complaint.move", "post", "complaint"),
    "complaints:presence": Route("complaint.view", "post", "complaint"),
    "complaints:report": Route("report.view"),
    "complaints:regulator": Route("report.view"),
    "complaints:claims": Route("claim.view"),
    "complaints:claim_propose": Route("claim.propose", "post", "complaint"),
    "complaints:claim_step": Route("claim.view", "post", "claim_step"),
    "complaints:findings": Route("complaint.view"),
    "complaints:finding_add": Route("finding.add", "post", "complaint"),
    "complaints:finding_step": Route("complaint.view", "post", "finding_step"),
    "complaints:help_ask": Route("complaint.move", "post", "complaint"),
    "complaints:help_step": Route("complaint.move", "post", "help_step"),
    "complaints:next": Route("complaint.move", "post"),
    "complaints:routing": Route("routing.view"),
    "complaints:routing_usual": Route("routing.edit", "post", is_lost=True),
    "complaints:routing_add": Route("routing.edit", "post"),
    "complaints:routing_remove": Route("routing.edit", "post", "routing_rule"),
    "complaints:desk_save": Route("routing.edit", "post"),
    "complaints:suspicions": Route("complaint.judge"),
    "complaints:judge": Route("complaint.judge", "post", "suspicion"),
    "complaints:quality": Route("quality.see"),
    "complaints:quality_draw": Route("quality.draw", "post"),
    "complaints:quality_sheet": Route("quality.edit"),
    "complaints:quality_check": Route(
        "quality.see", of="check", rows_for="supervisor quality_checker"
    ),
    "complaints:quality_step": Route(
        "quality.see", "post", "check_step", rows_for="supervisor quality_checker"
    ),
    "complaints:measures": Route("measure.view"),
    "complaints:measure_step": Route("measure.view", "post", "measure_step"),
    "complaints:alike": Route("complaint.view", of="complaint"),
    "complaints:topics": Route("topic.view"),
    "complaints:topic_decide": Route("topic.decide", "post", "topic"),
    "complaints:hand_over": Route("complaint.bulk", "post"),
    "complaints:macros": Route("text.keep"),
    "complaints:macro_remove": Route("text.keep", "post", "macro", "supervisor"),
    "complaints:macro": Route("complaint.move", of="order_macro"),
    "complaints:channels": Route("outage.view"),
    "complaints:channel_open": Route("outage.keep", "post", "outage"),
    "complaints:bulletin": Route("report.view"),
    "survey": Route("open", is_lost=True),
    "delivery:visits": Route("visit.view"),
    "delivery:order": Route("visit.log", "post", is_lost=True),
    "delivery:replan": Route("visit.log", "post"),
    "delivery:today": Route("visit.view"),
    "delivery:list": Route("visit.view"),
    "delivery:new": Route("visit.request", is_lost=True),
    "delivery:for_customer": Route("customer.view", of="customer"),
    "delivery:visit": Route("visit.view", of="visit"),
    "delivery:keep": Route("visit.log", "post", "visit"),
    "delivery:photo_add": Route("visit.log", "post", "visit"),
    "delivery:become": Route("visit.log", "post", "visit_become"),
    "delivery:step": Route("visit.log", "post", "visit_step"),
    "delivery:photo": Route("visit.view", of="photo"),
    "delivery:feed": Route("visit.log"),
    "delivery:ics": Route("open", is_lost=True),
    "delivery:board": Route("visit.board"),
    "delivery:people": Route("visit.board"),
    "delivery:capacity": Route("visit.board", of="visitor"),
    "delivery:rules": Route("visit.view"),
    "delivery:rule": Route("visit.rule", of="visit_rule"),
    "delivery:care": Route("visit.view"),
    "delivery:care_rule": Route("visit.rule", of="care_rule"),
    "delivery:plans": Route("visit.plan"),
    "delivery:plan": Route("visit.plan", of="visit_plan"),
    "delivery:rounds": Route("survey.manage"),
    "delivery:round": Route("survey.manage", of="round"),
    "delivery:letters": Route("survey.manage", of="letters"),
    "delivery:questionnaires": Route("survey.manage"),
    "delivery:questionnaire": Route("survey.manage", of="questionnaire"),
    "delivery:next_call": Route("survey.call"),
    "delivery:call_done": Route(
        "survey.call", "post", "survey_member", rows_for="nobody"
    ),
    "delivery:improvements": Route("improvement.see"),
    "delivery:improvement_step": Route(
        "improvement.see", "post", "improvement_step", rows_for="supervisor"
    ),
    "delivery:handovers": Route("handover.view"),
    "delivery:handover": Route("handover.view", of="handover"),
    "quality:board": Route("delivery.view"),
    "quality:routes": Route("delivery.view"),
    "quality:volume": Route("delivery.view"),
    "quality:scores": Route("delivery.view"),
    "quality:score_schemes": Route("standard.view"),
    "quality:pickups": Route("pickup.view"),
    "quality:pickup_orders": Route("pickup.order"),
    "quality:sheets": Route("pickup.sheet"),
    "quality:sheet": Route("pickup.sheet", of="sheet"),
    "quality:sheet_csv": Route("pickup.export", "post", "sheet"),
    "quality:bulletin": Route("pickup.sheet", of="sheet"),
    "quality:sheet_step": Route("pickup.sign", "post", "sheet_step"),
    "quality:inspections": Route("inspection.view"),
    "quality:inspection": Route(
        "inspection.view", of="inspection", rows_for="supervisor inspector"
    ),
    "quality:inspection_end": Route("inspection.plan", "post", "inspection"),
    "quality:check_note": Route("inspection.plan", "post", "point"),
    "quality:check_mend": Route("improvement.manage", "post", "point"),
    "quality:check_photo": Route("inspection.view", of="point", is_lost=True),
    "quality:batches": Route("batch.view"),
    "quality:batch": Route("batch.view", of="batch"),
    "quality:risks": Route("risk.view"),
    "quality:risk_act": Route("risk.act", "post", "risk"),
    "quality:disturbances": Route("disturbance.view"),
    "quality:disturbance": Route("disturbance.view", of="disturbance"),
    "quality:disturbance_step": Route("disturbance.decide", "post", "disturbance_step"),
    "quality:premium": Route("standard.view"),
    "quality:items": Route("item.view"),
    "quality:item": Route("item.view", of="item", rows_for=SEE_ITEMS),
    "quality:for_customer": Route("customer.view", of="customer"),
    "quality:standards": Route("standard.view"),
    "quality:standard": Route("standard.view", is_lost=True),
    "complaints:texts": Route("text.keep"),
    "complaints:text_remove": Route("text.keep", "post", "block", "supervisor"),
    "complaints:text_ban": Route("text.share", "post"),
    "complaints:text_allow": Route("text.share", "post", "banned"),
    "access:duty": Route("duty.edit"),
    "access:duty_add": Route("duty.edit", "post"),
    "access:duty_remove": Route("duty.edit", "post", "absence"),
    "complaints:correct": Route("customer.correct", "post", "complaint"),
    "complaints:attach": Route("complaint.attach", "post", "complaint"),
    "api-schema": Route("any"),
    "api-customer-list": Route("customer.view"),
    "api-customer-search": Route("customer.view", "post"),
    "api-customer-worth": Route("customer.view", of="api_customer"),
    "api-customer-summary": Route("customer.view", of="api_customer"),
    "api-customer-collection": Route("customer.view", of="api_collection"),
    "api-customer-merge": Route("customer.merge", "post", "api_customer"),
    "api-customer-unmerge": Route(
        "customer.merge", "post", "api_customer", rows_for="nobody"
    ),
    "api-customer-detail": Route("customer.view", of="api_customer"),
    "api-alert-list": Route("alert.view"),
    "api-alert-detail": Route("alert.view", of="alert"),
    "api-alert-answer": Route("alert.answer", "post", "alert"),
    "api-alert-report": Route("alert.answer", "post", "alert"),
    "api-grade-run-list": Route("grading.view"),
    "api-grade-run-detail": Route("grading.view", of="grade_run"),
    "api-forecast-list": Route("forecast.view"),
    "api-movement-list": Route("movement.view"),
    "api-complaint-list": Route("complaint.view"),
    "api-complaint-history": Route("complaint.view", of="api_complaint"),
    "api-complaint-act": Route("complaint.view", "post", "api_order_act"),
    "api-claim-list": Route("claim.view"),
    "api-claim-detail": Route("claim.view", of="api_claim"),
    "api-claim-step": Route("claim.view", "post", "api_claim_step"),
    "api-finding-list": Route("complaint.view"),
    "api-finding-detail": Route("complaint.view", of="api_finding"),
    "api-measure-list": Route("measure.view"),
    "api-measure-detail": Route("measure.view", of="measure"),
    "api-measure-step": Route("measure.view", "post", "api_measure_step"),
    "api-check-list": Route("quality.see"),
    "api-check-detail": Route(
        "quality.see", of="check", rows_for="supervisor quality_checker"
    ),
    "api-topic-list": Route("topic.view"),
    "api-topic-detail": Route("topic.view", of="topic"),
    "api-kpi-list": Route("kpi.view"),
    "api-kpi-detail": Route("kpi.view"),
    "api-kpi-figures": Route("kpi.view"),
    "api-feedback-list": Route("feedback.submit"),
    "api-feedback-detail": Route(
        "feedback.submit", of="feedback", rows_for="agent supervisor"
    ),
    "api-visit-list": Route("visit.view"),
    "api-visit-detail": Route("visit.view", of="visit"),
    "api-visit-report": Route("visit.log", "post", "visit"),
    "api-visit-step": Route("visit.log", "post", "api_visit_step"),
    "api-item-list": Route("item.view"),
    "api-item-detail": Route("item.view", of="api_item", rows_for=SEE_ITEMS),
    "api-item-bring": Route("transfer.import", "post"),
    "api-quality-list": Route("delivery.view"),
    "api-quality-scores": Route("delivery.view"),
    "api-plan-list": Route("visit.plan"),
    "api-plan-detail": Route("visit.plan", of="visit_plan"),
    "api-plan-coverage": Route("visit.plan", of="visit_plan"),
    "hooks:endpoints": Route("hook.manage"),
    "hooks:endpoint": Route("hook.manage", of="endpoint"),
    "hooks:act": Route("hook.manage", "post", "endpoint"),
    "hooks:again": Route("hook.manage", "post", "dispatch"),
    "access:token_new": Route("any", "post"),
    "access:token_end": Route("any", "post", is_lost=True),
    "api-complaint-detail": Route("complaint.view", of="api_complaint"),
    **routes_campaigns.routes(Route),
    **routes_house.routes(Route),
}


def things(cast, where, owner, agent) -> dict:
    """One object of each kind at an office, as address arguments."""
    customer = make.customer(where, manager=owner)
    complaint = make.complaint(agent, where, customer=customer)
    file = Attachment.objects.create(
        complaint=complaint,
        name="a.pdf",
        content_type="application/pdf",
        size=4,
        added_by=agent,
    )
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(b"%PDF")
    with EXAMPLE.open("rb") as source:
        batch = transfer.upload(
            source, by=None, office=where, target="usage", file_name="cdnow.csv"
        )
    account = make.user(f"temp-{where.code}", ("agent", where))
    posting = Posting.objects.get(user=account)
    day = CalendarDay.objects.create(office=where, date="2026-05-04", is_working=False)
    session = account.sessions.create(session_key=f"key-{where.code}")
    phone = customer.phones.get(level="known")
    twins = [make.customer(where, manager=owner) for _one in range(4)]
    pair = make.pair(*twins[:2])
    joined = merge(*twins[2:], by=None)
    task = make.task(customer, owner)
    entry = Organisation(office=where, state="handed", developer=owner, handed_at=now())
    entry.set_name(f"目录企业{where.code}")
    entry.save()
    boss = cast.chen if where == cast.wuhan else cast.mei
    view = SavedView.objects.create(owner=boss, office=where, name=f"v{where.code}")
    export = Export.objects.create(requested_by=boss, office=where, state="waiting")
    bulk = Job.objects.create(kind="customers.bulk", actor=boss, due_at=now())
    contract = save_contract(
        customer, by=None, number="HT-1", starts_on="2026-01-01", ends_on="2026-12-31"
    )
    scan = attach_scan(contract, by=None, name="a.pdf", data=b"%PDF-1.7")
    scheme = make.scheme(where)
    run = start_run(scheme, where, date(2026, 6, 30), by=None)
    override = GradeOverride.objects.create(
        customer=customer, code="vip", reason="x", until="2030-01-01", asked_by=boss
    )
    listed = make.recipient_list(customer)
    recipient = make.recipient(listed)
    alert = make.alert(customer)
    promise = complaint.milestones.get(kind="resolution")
    later = promise.due_at + timedelta(days=1)
    handler = cast.yong if where == cast.wuhan else boss
    limit = limits.add_limit(
        by=boss, office=where, kind="complaint", clock="first", minutes=60, days=None
    )
    rule = RoutingRule.objects.create(office=where, position=1, target="owner")
    suspicion = BuckPassing.objects.create(
        complaint=complaint, office=where, sign="idle", raised_at=now()
    )
    absence = Absence.objects.create(
        user=account, first_day="2030-01-01", last_day="2030-01-02"
    )
    claim = make.claim(complaint, boss)
    about = {"complaint": complaint, "office": where}
    finding = Finding.objects.create(
        basis="fault", share=10, note="x", found_by=boss, found_at=now(), **about
    )
    helper = CoHandler.objects.create(
        request="x", asked_by=boss, asked_at=now(), **about
    )
    bulletin = Bulletin.objects.create(
        office=where,
        title="通报",
        kind="month",
        first="2026-10-01",
        last="2026-10-31",
        kpis=["online_share"],
        made_by=agent,
    )
    assessed = AssessmentSheet.objects.create(
        office=where,
        month="2026-10-01",
        payroll_month="2026-11-01",
        object_until="2026-11-30",
        made_by=boss,
    )
    line, quality_line = (
        AssessmentLine.objects.create(
            sheet=assessed,
            source=source,
            key=source,
            direction="vertical",
            whom="unit",
            office=where,
            percent=1,
            words="x",
            url="/",
            found_on="2026-10-05",
        )
        for source in ("fault", "quality")
    )
    check = QualityCheck.objects.create(
        agent=agent, month=now().date().replace(day=1), **about
    )
    measure = give(complaint, by=boss, what="x", office=where)
    topic = TopicAlert.objects.create(
        office=where, day="2026-01-01", word="x", cases=9, usual=1, raised_at=now()
    )
    macro, staged = (
        Macro.objects.create(title="x", action="note", office=where)
        for _two in range(2)
    )
    endpoint = Endpoint.objects.create(
        name="x", url="https://www.w3.org/", office=where, events=[], created_by=boss
    )
    dispatch = endpoint.dispatches.create(
        event="test", payload={}, due_at=now(), created_at=now(), state="sent"
    )
    outage = ChannelOutage.objects.create(
        office=where, channel="web", started_at=now(), reason="x", noted_by=boss
    )
    block = TextBlock.objects.create(title="x", body="x", office=where)
    banned = BannedPhrase.objects.create(phrase=f"x{where.code}", office=where)
    extension = extensions.ask(promise, by=handler, until_at=later, reason="等待回音")
    visit, done = (make.visit(customer) for _two in range(2))
    log_visit(done, by=owner, visited_on=localdate(), result="fine")
    photo = add_photo(visit, by=owner, data=make.picture())
    visit_rule = VisitRule.objects.create(office=where, type="alert", days=5)
    asked = make.survey(where, boss, customer)
    better = Improvement.objects.create(
        round=asked,
        question=asked.version.questions.first(),
        office=where,
        what="x",
        owner=boss,
        due_on=localdate(),
        made_by=boss,
    )
    care_rule = CareRule.objects.create(office=where, kind="birthday", name="x")
    visit_plan = VisitPlan.objects.create(
        name="x", type="other", office=where, first_day=localdate(), due_on=localdate()
    )
    taker = make.user(f"taker-{where.code}", ("manager", where))
    handover = Handover.objects.create(
        office=where, giver=owner, taker=taker, reason="x", made_by=boss
    )
    disturbed = Disturbance.objects.create(
        office=where, first=localdate(), last=localdate(), note="x", made_by=boss
    )
    sheet = PickupSheet.objects.create(
        office=where, first=localdate(), last=localdate(), payroll_month=localdate()
    )
    inspection = Inspection.objects.create(
        office=where, title="视检", planned_on=localdate(), inspector=boss, made_by=boss
    )
    point = Check.objects.create(inspection=inspection, what="营业时间公示")
    cards = CardBatch.objects.create(
        office=where,
        customer=customer,
        code="B1",
        posted_on=localdate(),
        pieces=100,
        made_by=boss,
    )
    risk = ItemRisk.objects.create(
        waybill=make.waybill(next(make.numbers)),
        accepted_on=localdate(),
        customer=customer,
        office=where,
        due_at=now(),
        why="silent",
        noticed_at=now(),
    )
    return {
        "risk": {"pk": risk.pk},
        "inspection": {"pk": inspection.pk},
        "point": {"pk": inspection.pk, "check": point.pk},
        "batch": {"pk": cards.pk},
        "visit": {"pk": visit.pk},
        "visit_become": {"pk": done.pk, "what": "opportunity"},
        "visit_step": {"pk": visit.pk, "what": "miss"},
        "api_visit_step": {"pk": visit.pk, "name": "miss"},
        "photo": {"pk": photo.pk},
        "visitor": {"pk": taker.pk},
        "visit_rule": {"pk": visit_rule.pk},
        "visit_plan": {"pk": visit_plan.pk},
        "care_rule": {"pk": care_rule.pk},
        "round": {"pk": asked.pk},
        "letters": {"pk": asked.pk},
        "questionnaire": {"pk": asked.version.questionnaire_id},
        "survey_member": {"pk": asked.members.first().pk},
        "improvement_step": {"pk": better.pk, "what": "do"},
        "api_improvement": {"pk": better.pk},
        "handover": {"pk": handover.pk},
        "item": {"waybill": make.item(where)},
        "api_item": {"pk": make.item(where)},
        "sheet": {"pk": sheet.pk},
        "disturbance": {"pk": disturbed.pk},
        "disturbance_step": {"pk": disturbed.pk, "what": "approve"},
        "sheet_step": {"pk": sheet.pk, "what": "sign"},
        "call": {"token": open_call(by=agent, office=where).token},
        "feedback": {"pk": make.feedback(agent, where).pk},
        "assessment": {"pk": assessed.pk},
        "assessment_line": {"pk": line.pk, "what": "object"},
        "quality_line": {"pk": quality_line.pk},
        "bulletin": {"pk": bulletin.pk},
        "bulletin_file": {"pk": bulletin.pk, "kind": "pdf"},
        "check": {"pk": check.pk},
        "check_step": {"pk": check.pk, "step": "score"},
        "measure_step": {"pk": measure.pk, "step": "do"},
        "topic": {"pk": topic.pk},
        "macro": {"pk": macro.pk},
        "order_macro": {"ref": complaint.ref, "pk": staged.pk},
        "measure": {"pk": measure.pk},
        "api_order_act": {"ref": complaint.ref, "name": "note"},
        "api_claim": {"pk": claim.pk},
        "api_claim_step": {"pk": claim.pk, "name": "pay"},
        "api_finding": {"pk": finding.pk},
        "api_measure_step": {"pk": measure.pk, "name": "do"},
        "endpoint": {"pk": endpoint.pk},
        "dispatch": {"pk": dispatch.pk},
        "outage": {"pk": outage.pk},
        "block": {"pk": block.pk},
        "banned": {"pk": banned.pk},
        "order_act": {"ref": complaint.ref, "action": "note"},
        "claim_step": {"pk": claim.pk, "step": "pay"},
        "finding_step": {"pk": finding.pk, "step": "object"},
        "help_step": {"pk": helper.pk, "step": "rate"},
        "routing_rule": {"pk": rule.pk},
        "suspicion": {"pk": suspicion.pk},
        "absence": {"what": "absence", "pk": absence.pk},
        "limit": {"pk": limit.pk},
        "clock": {"pk": complaint.milestones.get(kind="legal").pk},
        "extension": {"pk": extension.pk},
        "alert": {"pk": alert.pk},
        "alert_act": {"pk": alert.pk, "action": "take"},
        "watch_rule": {"pk": alert.rule_id},
        "scheme": {"pk": scheme.pk},
        "scheme_act": {"pk": scheme.pk, "action": "copy"},
        "grade_run": {"pk": run.pk},
        "run_act": {"pk": run.pk, "action": "propose"},
        "override": {"pk": override.pk, "action": "end"},
        "list": {"pk": listed.pk},
        "recipient": {"pk": recipient.pk},
        "verdict": {"pk": recipient.pk, "what": "delivered"},
        "customer": {"pk": customer.pk},
        "api_customer": {"pk": customer.pk},
        "api_collection": {"pk": customer.pk, "name": "phones"},
        "complaint": {"ref": complaint.ref},
        "api_complaint": {"ref": complaint.ref},
        "phone": {"pk": customer.pk, "field": "phone", "row": phone.pk},
        "panel": {"pk": customer.pk, "name": "phones"},
        "panel_row": {
            "pk": customer.pk,
            "name": "phones",
            "row": phone.pk,
            "action": "invalid",
        },
        "pair": {"pk": pair.pk},
        "merge": {"pk": joined.pk},
        "task": {"pk": task.pk},
        "contract_file": {"pk": scan.pk},
        "view": {"pk": view.pk},
        "entry": {"pk": entry.pk},
        "export": {"pk": export.pk},
        "bulk": {"pk": bulk.pk},
        "file": {"pk": file.pk},
        "import": {"pk": batch.pk},
        "account": {"pk": account.pk},
        "posting": {"pk": posting.pk},
        "office": {"code": where.code},
        "day": {"pk": day.pk},
        "session": {"pk": session.pk},
        **routes_campaigns.things(where, customer, boss),
        **routes_house.things(cast, where, boss, account),
    }


MISSING = {
    **routes_campaigns.MISSING,
    **routes_house.MISSING,
    **dict.fromkeys(
        [
            "customer",
            "api_customer",
            "alert",
            "watch_rule",
            "account",
            "posting",
            "day",
            "pair",
            "merge",
            "task",
            "view",
            "bulk",
            "entry",
            "list",
            "recipient",
            "scheme",
            "grade_run",
            "limit",
            "clock",
            "extension",
            "routing_rule",
            "suspicion",
            "feedback",
            "block",
            "outage",
            "measure",
            "api_claim",
            "api_finding",
            "endpoint",
            "macro",
            "topic",
            "banned",
            "check",
            "assessment",
            "quality_line",
            "bulletin",
            "visit",
            "visitor",
            "visit_rule",
            "visit_plan",
            "care_rule",
            "round",
            "letters",
            "questionnaire",
            "survey_member",
            "handover",
            "sheet",
            "disturbance",
            "risk",
            "inspection",
            "batch",
        ],
        {"pk": 99999999},
    ),
    "verdict": {"pk": 99999999, "what": "delivered"},
    "item": {"waybill": "EA000000000CN"},
    "point": {"pk": 99999999, "check": 1},
    "api_item": {"pk": "EA000000000CN"},
    "sheet_step": {"pk": 99999999, "what": "sign"},
    "disturbance_step": {"pk": 99999999, "what": "approve"},
    "visit_become": {"pk": 99999999, "what": "opportunity"},
    "visit_step": {"pk": 99999999, "what": "miss"},
    "improvement_step": {"pk": 99999999, "what": "do"},
    "api_visit_step": {"pk": 99999999, "name": "miss"},
    "scheme_act": {"pk": 99999999, "action": "copy"},
    "alert_act": {"pk": 99999999, "action": "take"},
    "run_act": {"pk": 99999999, "action": "propose"},
    "override": {"pk": 99999999, "action": "end"},
    "api_collection": {"pk": 99999999, "name": "phones"},
    "phone": {"pk": 99999999, "field": "phone", "row": 1},
    "panel": {"pk": 99999999, "name": "phones"},
    "panel_row": {"pk": 99999999, "name": "phones", "row": 1, "action": "invalid"},
    **dict.fromkeys(["complaint", "api_complaint"], {"ref": "C-1"}),
    **dict.fromkeys(
        ["dispatch", "file", "import", "session", "contract_file", "export", "photo"],
        {"pk": uuid.UUID(int=7)},
    ),
    "office": {"code": "nowhere"},
    "call": {"token": uuid.UUID(int=7)},
    "order_act": {"ref": "C-1", "action": "note"},
    "claim_step": {"pk": 99999999, "step": "pay"},
    "finding_step": {"pk": 99999999, "step": "object"},
    "help_step": {"pk": 99999999, "step": "rate"},
    "absence": {"what": "absence", "pk": 99999999},
    "order_macro": {"ref": "C-1", "pk": 99999999},
    "api_order_act": {"ref": "C-1", "name": "note"},
    "api_claim_step": {"pk": 99999999, "name": "pay"},
    "api_measure_step": {"pk": 99999999, "name": "do"},
    "assessment_line": {"pk": 99999999, "what": "object"},
    "bulletin_file": {"pk": 99999999, "kind": "pdf"},
    "check_step": {"pk": 99999999, "step": "score"},
    "measure_step": {"pk": 99999999, "step": "do"},
}
