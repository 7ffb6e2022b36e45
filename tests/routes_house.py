"""The routes of the house's own affairs (documents and what follows from them), and one
object of each kind, for tests/routes.py."""

from django.utils.timezone import localdate, now

from crm.access.roles import Role
from crm.dashboards.models import ServiceCost
from crm.library.models import Document, Edition, Reading
from crm.programmes.models import (
    BusinessSupervisor,
    Programme,
    ReportDuty,
    StaffEvent,
    UnitRequest,
    Walk,
)
from crm.risk.models import Incident, Risk
from crm.risk.services import declare, log
from crm.teams.models import Team
from tests import factories as make


def routes(Route) -> dict:  # noqa: N803 - the class of tests/routes.py
    return {
        "library:documents": Route("library.read"),
        "library:document_new": Route("library.write"),
        "library:document": Route("library.read", of="paper"),
        "library:document_edit": Route("library.write", of="paper"),
        "library:document_act": Route("library.write", "post", "paper", is_lost=True),
        "library:confirm": Route("library.read", "post", "paper"),
        "api-document-list": Route("library.read"),
        "api-document-detail": Route("library.read", of="paper"),
        "api-document-read": Route("library.read", "post", "paper"),
        "api-programme-list": Route("programme.see"),
        "api-programme-detail": Route("programme.see", of="programme"),
        "api-programme-ranking": Route("programme.see", of="programme"),
        "api-programme-pilots": Route("programme.see", of="programme"),
        "api-team-list": Route("programme.see"),
        "api-team-detail": Route("programme.see", of="team"),
        "api-team-members": Route("programme.see", of="team"),
        "api-walk-list": Route("programme.see"),
        "api-walk-detail": Route("programme.see", of="walk", rows_for="supervisor"),
        "api-staff-event-list": Route("programme.see"),
        "api-staff-event-detail": Route("programme.see", of="staff_event"),
        "api-unit-request-list": Route("unit.ask"),
        "api-unit-request-detail": Route("unit.ask", of="unit_request"),
        "api-unit-report-list": Route("unit.ask"),
        "api-unit-report-detail": Route("unit.ask", of="report"),
        "api-risk-list": Route("risk.see"),
        "api-risk-detail": Route("risk.see", of="risk_kept"),
        "api-incident-list": Route("incident.declare"),
        "api-incident-detail": Route(
            "incident.declare", of="incident", rows_for="supervisor"
        ),
        "api-improvement-list": Route("improvement.see"),
        "api-improvement-detail": Route(
            "improvement.see", of="api_improvement", rows_for="supervisor"
        ),
        "api-bulletin-list": Route("bulletin.read"),
        "api-bulletin-detail": Route(
            "bulletin.read", of="bulletin", rows_for="supervisor"
        ),
        "api-service-cost-list": Route("cost.note"),
        "api-service-cost-detail": Route("cost.note", of="service_cost"),
        "api-assessment-list": Route("assessment.view"),
        "api-assessment-detail": Route(
            "assessment.view", of="assessment", rows_for="supervisor"
        ),
        "dashboards:combined": Route("kpi.target"),
        "dashboards:weights": Route("kpi.target"),
        "dashboards:kpi_improve": Route("improvement.manage", rows_for="supervisor"),
        "dashboards:line_improve": Route(
            "improvement.manage", of="quality_line", rows_for="supervisor"
        ),
        "front:front": Route("front.see"),
        "front:wall": Route("front.see"),
        "risk:risks": Route("risk.see"),
        "risk:breach": Route("breach.report", is_national=True),
        "risk:risk_new": Route("risk.keep"),
        "risk:risk": Route("risk.see", of="risk_kept"),
        "risk:plan": Route("risk.see", of="emergency"),
        "risk:plan_add": Route("risk.keep", "post", "plan_add"),
        "risk:contact_drop": Route("risk.keep", "post", "contact_drop"),
        "risk:incidents": Route("incident.declare"),
        "risk:incident": Route(
            "incident.declare", of="incident", rows_for="supervisor"
        ),
        "risk:incident_act": Route(
            "incident.declare", "post", "incident_act", rows_for="supervisor"
        ),
        "programmes:programmes": Route("programme.see"),
        "programmes:programme": Route("programme.see", of="programme"),
        "programmes:programme_edit": Route("programme.manage", of="programme"),
        "programmes:programme_act": Route("programme.see", "post", "act", "nobody"),
        "programmes:programme_add": Route("programme.manage", "post", "add"),
        "programmes:walk_new": Route("programme.see", of="programme"),
        "programmes:walk": Route("programme.see", of="walk", rows_for="supervisor"),
        "programmes:walk_act": Route(
            "programme.see", "post", "walk_act", rows_for="supervisor"
        ),
        "programmes:walk_improve": Route(
            "improvement.manage", "post", "walk_improve", rows_for="supervisor"
        ),
        "programmes:staff": Route("staff.manage"),
        "programmes:person": Route(
            "programme.see", of="staff_person", rows_for="supervisor"
        ),
        "programmes:person_photo": Route(
            "programme.see", of="staff_person", is_lost=True
        ),
        "programmes:teams": Route("programme.see"),
        "programmes:team": Route("programme.see", of="team"),
        "programmes:team_act": Route("staff.manage", "post", "team_act"),
        "programmes:testers": Route("staff.manage"),
        "programmes:tester": Route("staff.manage", of="tester"),
        "programmes:tester_act": Route("staff.manage", "post", "tester_act"),
        "programmes:events": Route("programme.see"),
        "programmes:event": Route("programme.see", of="staff_event"),
        "programmes:unit_requests": Route("unit.ask"),
        "programmes:unit_request": Route("unit.ask", of="unit_request"),
        "programmes:unit_request_act": Route("unit.ask", "post", "unit_request_act"),
        "programmes:reports": Route("unit.ask"),
        "programmes:report": Route("unit.ask", of="report"),
        "programmes:report_end": Route("report.manage", "post", "report_duty"),
    }


def paper(office, by, issuer, **facts) -> Document:
    """A document in force, with a second edition in draft."""
    facts = {"kind": "promise", "title": "对外服务承诺", "is_signed": True} | facts
    row = Document.objects.create(office=office, made_by=by, **facts)
    about = {"document": row, "text": "限时送达。", "effective_on": localdate()}
    row.current = Edition.objects.create(
        number=1,
        state="issued",
        written_by=by,
        issued_by=issuer,
        issued_at=now(),
        **about,
    )
    row.current.promises.create(content="省内特快", price="12 元", limit="次日")
    row.save()
    Edition.objects.create(number=2, written_by=by, **about)
    return row


def things(cast, where, boss, other) -> dict:
    made = paper(where, boss, other)
    Reading.objects.bulk_create(
        Reading(
            edition=made.current,
            user=user,
            office=where,
            asked_at=now(),
            due_on=localdate(),
        )
        for user in {cast.of_role(role) for role in Role.values} | {boss}
    )
    return {
        "paper": {"pk": made.pk},
        **affairs(cast, where, boss, other),
        **dangers(where, boss, other),
    }


def dangers(where, boss, other) -> dict:
    """A risk with a warning, an emergency plan, an incident on its clock."""
    risk = Risk.objects.create(
        office=where,
        kind="data",
        title="客户信息外泄",
        measures="脱敏",
        owner=boss,
        review_on=localdate(),
        kpi="complaint_rate",
        line=5,
        made_by=boss,
    )
    risk.warnings.create(
        period="2026-10", first="2026-10-01", value=7, line=5, at=now()
    )
    plan = paper(where, boss, other, kind="emergency", title="信息泄露应急预案")
    contact = plan.contacts.create(name="张工", duty="断网", phone="13900001111")
    plan.drills.create(
        held_on=localdate(),
        scenario="导出泄露",
        people=5,
        minutes=30,
        lessons="补联系人",
        noted_by=boss,
    )
    incident = Incident(
        office=where,
        kind="data",
        grade="large",
        title="疑似泄露",
        text="客户投诉收到诈骗电话。",
        plan=plan,
        noticed_at=now(),
        leader=boss,
    )
    declare(incident, by=boss)
    log(incident, by=boss, text="已停用账号")
    return {
        "risk_kept": {"pk": risk.pk},
        "emergency": {"pk": plan.pk},
        "plan_add": {"pk": plan.pk, "what": "drill"},
        "contact_drop": {"pk": plan.pk, "contact": contact.pk},
        "incident": {"pk": incident.pk},
        "incident_act": {"pk": incident.pk, "act": "log"},
    }


def affairs(cast, where, boss, other) -> dict:
    """A programme with a walk, a training, a request and a report of an office."""
    run = Programme.objects.create(
        office=where,
        kind="walkthrough",
        title="流程穿越",
        text="以客户身份走流程。",
        first=localdate(),
        last=localdate(),
        state="issued",
        made_by=boss,
        issued_by=other,
        issued_at=now(),
    )
    run.steps.create(due_on=localdate(), what="检查")
    run.adoptions.create(office=where, state="filed", text="每月两次")
    walk = Walk.objects.create(
        demand=run.demands.create(process="寄递"),
        user=boss,
        office=where,
        occasion="trip",
        on=localdate(),
        state="done",
        done_at=now(),
    )
    found = walk.findings.create(kind="problem", text="排队")
    event = StaffEvent.objects.create(
        office=where, kind="training", title="x", held_on=localdate(), made_by=boss
    )
    event.parts.create(user=boss, office=where, took_part=True, score=90)
    asked = UnitRequest.objects.create(
        asking=where,
        asked=cast.hubei,
        subject="面单",
        text="缺面单",
        made_by=boss,
        made_at=now(),
        due_at=now(),
    )
    duty = ReportDuty.objects.create(
        office=where, reader=where, title="月报", made_by=boss
    )
    report = duty.reports.create(month="2026-10-01", due_on="2026-11-10")
    cost = ServiceCost.objects.create(
        office=where, month="2026-10-01", kind="staff", amount=100
    )
    tester = BusinessSupervisor.objects.create(
        office=where,
        name="监督员",
        phone="+8613900000001",
        source="public",
        applied_on=localdate(),
        about="常寄快件",
        noted_by=boss,
    )
    team = Team.objects.create(
        office=where, kind="relations", name="大客户维护组", made_by=boss
    )
    team.members.create(user=boss, since=localdate())
    return {
        "team": {"pk": team.pk},
        "team_act": {"pk": team.pk, "act": "end"},
        "programme": {"pk": run.pk},
        "act": {"pk": run.pk, "act": "no"},
        "add": {"pk": run.pk, "what": "step"},
        "walk": {"pk": walk.pk},
        "walk_act": {"pk": walk.pk, "act": "reply"},
        "walk_improve": {"pk": walk.pk, "finding": found.pk},
        "staff_event": {"pk": event.pk},
        "unit_request": {"pk": asked.pk},
        "unit_request_act": {"pk": asked.pk, "act": "close"},
        "report": {"pk": report.pk},
        "report_duty": {"pk": duty.pk},
        "staff_person": {"pk": make.user(f"staff-{where.code}", ("agent", where)).pk},
        "service_cost": {"pk": cost.pk},
        "tester": {"pk": tester.pk},
        "tester_act": {"pk": tester.pk, "act": "take"},
    }


NONE = {"pk": 99999999}
MISSING = {
    **dict.fromkeys(
        (
            *("paper", "programme", "walk", "staff_event", "unit_request", "report"),
            *(
                "report_duty",
                "staff_person",
                "tester",
                "team",
                "risk_kept",
                "emergency",
                "incident",
                "api_improvement",
                "service_cost",
            ),
        ),
        NONE,
    ),
    "plan_add": NONE | {"what": "drill"},
    "contact_drop": NONE | {"contact": 1},
    "incident_act": NONE | {"act": "log"},
    "act": NONE | {"act": "no"},
    "add": NONE | {"what": "step"},
    "walk_act": NONE | {"act": "reply"},
    "walk_improve": NONE | {"finding": 1},
    "unit_request_act": NONE | {"act": "close"},
    "tester_act": NONE | {"act": "take"},
    "team_act": NONE | {"act": "end"},
}
