"""Programmes and walkthroughs; contests and training; requests and reports of units."""

from crm.programmes.models.people import StaffRecord
from crm.programmes.models.plans import Adoption, Pilot, Programme, Step
from crm.programmes.models.staff import Award, StaffEvent, TakingPart
from crm.programmes.models.testers import BusinessSupervisor, Trial
from crm.programmes.models.units import DutyReport, ReportDuty, UnitRequest
from crm.programmes.models.walks import Demand, Finding, Walk

__all__ = [
    "Adoption",
    "Award",
    "BusinessSupervisor",
    "Demand",
    "DutyReport",
    "Finding",
    "Pilot",
    "Programme",
    "ReportDuty",
    "StaffEvent",
    "StaffRecord",
    "Step",
    "TakingPart",
    "Trial",
    "UnitRequest",
    "Walk",
]
