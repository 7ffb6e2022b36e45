"""The tables of work orders, one module a subject."""

from complaints.models.calls import Call, Seat
from complaints.models.catalogue import Category
from complaints.models.claims import Claim, CoHandler, Finding
from complaints.models.clocks import Basis, Clock, Extension, Limit, Milestone, Pause
from complaints.models.counts import OrderCount
from complaints.models.handling import (
    BuckPassing,
    Desk,
    Joining,
    Outcome,
    Presence,
    RoutingRule,
)
from complaints.models.learning import CaseTerms, Term, TermDay, TopicAlert
from complaints.models.outages import ChannelOutage
from complaints.models.quality import (
    CorrectiveAction,
    QualityCheck,
    QualityPoint,
    QualitySheet,
)
from complaints.models.texts import BannedPhrase, Macro, TextBlock
from complaints.models.work import Attachment, Complaint, ComplaintMove

__all__ = [
    "Attachment",
    "BannedPhrase",
    "Basis",
    "BuckPassing",
    "Call",
    "CaseTerms",
    "Category",
    "ChannelOutage",
    "Claim",
    "Clock",
    "CoHandler",
    "Complaint",
    "ComplaintMove",
    "CorrectiveAction",
    "Desk",
    "Extension",
    "Finding",
    "Joining",
    "Limit",
    "Macro",
    "Milestone",
    "OrderCount",
    "Outcome",
    "Pause",
    "Presence",
    "QualityCheck",
    "QualityPoint",
    "QualitySheet",
    "RoutingRule",
    "Seat",
    "Term",
    "TermDay",
    "TextBlock",
    "TopicAlert",
]
