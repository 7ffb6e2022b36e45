"""Roles, and what each may do: the one table that services, menus and tests read.

A right comes from a posting's role, the rows from that same posting's office. No
posting, no right. Source: reliability.md 4.2, widened by the modules.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    AGENT = "agent", _("Call agent")
    HANDLER = "handler", _("Outlet handler")
    MANAGER = "manager", _("Customer manager")
    SUPERVISOR = "supervisor", _("Supervisor")
    ANALYST = "analyst", _("Analyst")
    IMPORTER = "importer", _("Import operator")
    QUALITY_CHECKER = "quality_checker", _("Quality checker")
    INSPECTOR = "inspector", _("Inspector")
    FINANCE = "finance", _("Finance")
    PLANNER = "planner", _("Campaign planner")
    REVIEWER = "reviewer", _("Service reviewer")
    SYSTEM_ADMIN = "system_admin", _("System administrator")
    SECURITY_ADMIN = "security_admin", _("Security administrator")
    AUDITOR = "auditor", _("Auditor")


A, H, M, S = Role.AGENT, Role.HANDLER, Role.MANAGER, Role.SUPERVISOR
Q, P = Role.QUALITY_CHECKER, Role.PLANNER
CAPABILITIES: dict[str, set[Role]] = {
    "customer.view": {A, M, S},
    "customer.lookup": {A, M, S},  # exact phone, any bureau, minimum card, audited
    "customer.reveal": {A, M, S},
    "customer.create": {A, M, S},
    "customer.edit": {A, M, S},
    "customer.correct": {A, H, M, S},  # ask for a correction, from any department
    "customer.assign": {S},  # managers, offices, segments by hand
    "customer.merge": {S},
    "customer.export": {M, S},
    "customer.export_approve": {S},
    "customer.erase": {S},
    "contract.edit": {M, S},
    "directory.view": {M, S},
    "directory.assign": {S},
    "task.view": {M, S},
    "complaint.view": {A, H, M, S, Q},
    "complaint.create": {A, M, S},
    "complaint.move": {A, H, S},
    "complaint.bulk": {S},  # many handed over at once
    "complaint.attach": {A, H, M, S},
    "complaint.nudge": {A, M, S},
    "complaint.check": {A, S},  # follow-up and archive: not by who answered
    "complaint.judge": {S},  # buck-passing
    "quality.see": {A, S, Q},  # agents: what is scored of them
    "quality.check": {S, Q},
    "quality.draw": {S, Q},
    "quality.rule": {S},  # an appeal; neither who checked nor who was checked
    "quality.edit": {S},
    "measure.view": {H, S, Q},
    "measure.do": {H, S},
    "measure.judge": {S, Q},  # not by who did it
    "topic.view": {S, Role.ANALYST},
    "topic.decide": {S},
    "outage.view": {A, S},
    "outage.keep": {S},
    "text.keep": {A, H, S},
    "text.share": {S},  # texts for all of an office, and what is never said
    "report.view": {S},
    "claim.propose": {A, H, S},
    "claim.view": {A, H, S},
    "claim.decide": {S},
    "claim.pay": {S},
    "finding.add": {S},
    "finding.object": {S},  # and the person concerned
    "finding.rule": {S},
    "duty.edit": {S},
    "routing.view": {A, H, S},
    "routing.edit": {S},
    "complaint.extend": {S},
    "clock.export": {S},
    "limit.view": {A, H, S},
    "limit.edit": {S},
    # Everybody at the front line and behind it has a say (R-CMP-41).
    "feedback.submit": {A, H, M, S, Q, Role.ANALYST, Role.IMPORTER},
    "feedback.decide": {S},
    "library.read": set(Role),  # rules are for everybody
    "library.write": {S},  # issued by another
    "programme.see": set(Role),  # walkthroughs are open to all staff (R-KPI-49)
    "programme.manage": {S},  # issued by another
    "walk.answer": {S},
    "staff.manage": {S},  # contests, training, awards
    "unit.ask": {H, S},  # who speaks for a unit
    "report.manage": {S},
    "risk.see": {S},
    "risk.keep": {S},
    "breach.report": {Role.AUDITOR},  # of the whole house
    "incident.declare": {A, H, S},  # led by who is named, or supervises
    "front.see": {S},
    "kpi.view": {S, Role.ANALYST},
    "kpi.compute": {S},
    "kpi.drill": {S},
    "assessment.propose": {S},  # signed by another
    "assessment.view": {S, Role.FINANCE},
    "assessment.export": {Role.FINANCE},
    "figures.mine": {A, H, M, Q, Role.INSPECTOR},
    "assessment.mine": {A, H, M, S, Q, Role.INSPECTOR},
    "bulletin.write": {S},
    "bulletin.read": {A, H, M, S, Role.ANALYST, Q, Role.INSPECTOR},
    "kpi.target": {S},  # of the units below one's own; the top sets its own
    "cost.note": {S, Role.FINANCE},  # what service costs an office
    "transfer.import": {S, Role.IMPORTER},
    "transfer.view": {M, S, Role.IMPORTER},
    "recipients.keep": {M, S},  # lists that customers entrust to us
    "quality.view": {M, S},
    "value.view": {M, S},
    "grading.view": {S},
    "grading.edit": {S},
    "grading.run": {S},
    "grading.approve": {S},
    "grading.override": {M, S},
    "alert.view": {M, S},
    "alert.answer": {M, S},
    "alert.give": {S},
    "watch.view": {S},
    "watch.edit": {S},
    "movement.view": {S},
    "forecast.view": {S},
    "visit.view": {M, S},
    "visit.log": {M, S},
    "visit.request": {A, M, S},  # an appointment that the customer asks for
    "visit.give": {S},
    "visit.rule": {S},
    "visit.plan": {S},
    "visit.board": {S},
    "survey.manage": {S},
    "survey.call": {A, S},
    "improvement.see": {A, H, M, S, Q, Role.INSPECTOR},  # what one sees to oneself
    "improvement.manage": {
        S,
        Role.INSPECTOR,
    },  # judged by neither who did it nor its owner
    "delivery.view": {S, Role.ANALYST},
    "volume.plan": {S},
    "item.view": {A, H, M, S, Role.INSPECTOR},
    "item.lookup": {A},  # any waybill by its whole number, audited
    "item.export": {S},
    "pickup.view": {S, Role.ANALYST},
    "pickup.order": {A, H, S, Role.INSPECTOR},
    "pickup.sheet": {S, Role.FINANCE},
    "pickup.propose": {S},
    "pickup.base": {S, Role.FINANCE},
    "pickup.sign": {S},  # not by who proposed
    "pickup.export": {Role.FINANCE},
    "disturbance.view": {A, S, Role.INSPECTOR},
    "disturbance.note": {S},
    "disturbance.decide": {S},  # not by who noted it
    "inspection.view": {H, S, Role.INSPECTOR},
    "inspection.plan": {S, Role.INSPECTOR},  # and carry out
    "batch.view": {M, S, Role.INSPECTOR},
    "batch.keep": {M, S},
    "batch.sample": {M, S, Role.INSPECTOR},
    "risk.view": {H, M, S},
    "risk.act": {H, S},
    "standard.view": {H, S, Role.ANALYST, Role.INSPECTOR},
    "standard.edit": {S},
    "handover.view": {M, S},
    "handover.start": {S},
    "season.view": {M, S, P, Role.REVIEWER},
    "season.plan": {S, P},
    "season.review": {Role.REVIEWER},  # countersign; not by who started it
    "season.issue": {S},
    "member.view": {M, S, P},
    "member.note": {M, S},
    "order.view": {H, M, S, P},
    "order.named": {A, H, M, S, P},  # an order or error that a complaint names
    "order.keep": {M, S},
    "stage.do": {H, M, S, P},
    "product.edit": {S, P},
    "campaign.view": {M, S, P},
    "campaign.plan": {S, P},
    "touch.do": {M, S},  # calls and letters of outreach
    "gathering.view": {M, S, P},
    "gathering.plan": {S, P},  # forums and offers
    "gathering.note": {M, S},
    "address.judge": {H, S},  # what a section says of an address before it is printed
    "print.run": {M, S},
    "card.reveal": {M, S},  # a prize code is a bearer's right
    "draw.enter": {S, P},  # numbers: confirmed by another than who entered
    "win.view": {M, S, P},
    "win.note": {M, S},
    "hook.manage": {Role.SYSTEM_ADMIN},
    "office.manage": {Role.SYSTEM_ADMIN},
    "calendar.manage": {Role.SYSTEM_ADMIN},
    "user.manage": {Role.SECURITY_ADMIN},
    "audit.view": {Role.AUDITOR},
}
# Nobody may hold two of these three (separation of administration).
APART = {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDITOR}
# Granting one of these needs a second security administrator.
UPPER_ROLES = APART | {Role.SUPERVISOR}
