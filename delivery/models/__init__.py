"""The tables of delivery, one module a subject."""

from delivery.models.care import CareRule
from delivery.models.people import CalendarFeed, Handover, VisitCapacity
from delivery.models.reports import VisitDraft, VisitPhoto, VisitReport
from delivery.models.rounds import Improvement, SurveyMember, SurveyRound
from delivery.models.surveys import (
    Answer,
    Invitation,
    Question,
    Questionnaire,
    QuestionnaireVersion,
)
from delivery.models.visits import Visit, VisitPlan, VisitRule, VisitType, Way

__all__ = [
    "Answer",
    "CalendarFeed",
    "CareRule",
    "Handover",
    "Improvement",
    "Invitation",
    "Question",
    "Questionnaire",
    "QuestionnaireVersion",
    "SurveyMember",
    "SurveyRound",
    "Visit",
    "VisitCapacity",
    "VisitDraft",
    "VisitPhoto",
    "VisitPlan",
    "VisitReport",
    "VisitRule",
    "VisitType",
    "Way",
]
