from crm.dashboards.models.assessment import (
    AssessmentLine,
    AssessmentRule,
    AssessmentSheet,
)
from crm.dashboards.models.bulletins import Bulletin, Receipt
from crm.dashboards.models.combined import Opinion, Weighting
from crm.dashboards.models.costs import ServiceCost
from crm.dashboards.models.figures import Figure, FigureRun, KpiSnapshot, Target
from crm.dashboards.models.standing import StandingExport

__all__ = [
    "AssessmentLine",
    "AssessmentRule",
    "AssessmentSheet",
    "Bulletin",
    "Figure",
    "FigureRun",
    "KpiSnapshot",
    "Opinion",
    "Receipt",
    "ServiceCost",
    "StandingExport",
    "Target",
    "Weighting",
]
