"""The tables of work orders, one module a subject."""

from complaints.models.calls import Call, Seat
from complaints.models.catalogue import Category
from complaints.models.clocks import Basis, Clock, Extension, Limit, Milestone, Pause
from complaints.models.work import Attachment, Complaint, ComplaintMove

__all__ = [
    "Attachment",
    "Basis",
    "Call",
    "Category",
    "Clock",
    "Complaint",
    "ComplaintMove",
    "Extension",
    "Limit",
    "Milestone",
    "Pause",
    "Seat",
]
