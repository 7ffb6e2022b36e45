"""The tables of delivery, one module a subject."""

from delivery.models.batches import CardBatch, CardReturn, CardSample
from delivery.models.care import CareRule
from delivery.models.disturbances import Disturbance
from delivery.models.inspections import Check, Inspection
from delivery.models.items import (
    CAUSES,
    NOT_HANDED_OVER,
    Cause,
    EventKey,
    Flaw,
    ItemEvent,
    MailItem,
    MailKey,
    Method,
    Outcome,
    Reason,
    Relation,
)
from delivery.models.people import CalendarFeed, Handover, VisitCapacity
from delivery.models.pickups import (
    PickupLine,
    PickupOrder,
    PickupSheet,
    PickupTally,
)
from delivery.models.reports import VisitDraft, VisitPhoto, VisitReport
from delivery.models.risks import ItemRisk
from delivery.models.rounds import Improvement, SurveyMember, SurveyRound
from delivery.models.scores import Band, Score, ScorePart, ScoreScheme
from delivery.models.standards import DeliveryStandard, PremiumRoute, WorkDay
from delivery.models.surveys import (
    Answer,
    Invitation,
    Question,
    Questionnaire,
    QuestionnaireVersion,
)
from delivery.models.tallies import (
    CourierTally,
    OfficeTally,
    RouteTally,
    ServiceCount,
    TallyMark,
)
from delivery.models.visits import Visit, VisitPlan, VisitRule, VisitType, Way
from delivery.models.volumes import DeliveryCapacity, VolumeDay

__all__ = [
    "Answer",
    "Band",
    "CalendarFeed",
    "CardBatch",
    "CardReturn",
    "CardSample",
    "CareRule",
    "Cause",
    "Check",
    "CourierTally",
    "DeliveryCapacity",
    "DeliveryStandard",
    "Disturbance",
    "EventKey",
    "Flaw",
    "Handover",
    "Improvement",
    "Inspection",
    "Invitation",
    "ItemEvent",
    "ItemRisk",
    "MailItem",
    "MailKey",
    "Method",
    "CAUSES",
    "NOT_HANDED_OVER",
    "OfficeTally",
    "Outcome",
    "PickupLine",
    "PickupOrder",
    "PickupSheet",
    "PickupTally",
    "PremiumRoute",
    "Question",
    "Questionnaire",
    "QuestionnaireVersion",
    "Reason",
    "Relation",
    "RouteTally",
    "Score",
    "ScorePart",
    "ScoreScheme",
    "ServiceCount",
    "SurveyMember",
    "SurveyRound",
    "TallyMark",
    "Visit",
    "VisitCapacity",
    "VisitDraft",
    "VisitPhoto",
    "VisitPlan",
    "VisitReport",
    "VisitRule",
    "VisitType",
    "VolumeDay",
    "Way",
    "WorkDay",
]
