"""The states of a work order and the moves between them (domain.md 6.3); pure."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    NEW = "new", _("New")
    ACCEPTED = "accepted", _("Accepted")
    ASSIGNED = "assigned", _("Assigned")
    VERIFYING = "verifying", _("Verifying")
    IN_PROGRESS = "in_progress", _("In progress")
    REPLIED = "replied", _("Replied")
    FOLLOW_UP = "follow_up", _("Follow-up")
    ARCHIVED = "archived", _("Archived")
    RETURNED = "returned", _("Returned")
    SUSPENDED = "suspended", _("Waiting for customer")
    ESCALATED = "escalated", _("Escalated")
    REOPENED = "reopened", _("Reopened")
    CANCELLED = "cancelled", _("Cancelled")
    MERGED = "merged", _("Merged")


CLOSED = {State.ARCHIVED, State.CANCELLED, State.MERGED}
MOVES: dict[str, tuple[str, ...]] = {
    State.NEW: (State.ACCEPTED, State.CANCELLED),
    State.ACCEPTED: (State.ASSIGNED, State.IN_PROGRESS, State.CANCELLED),
    State.ASSIGNED: (
        State.VERIFYING,
        State.IN_PROGRESS,
        State.RETURNED,
        State.ESCALATED,
    ),
    State.RETURNED: (State.ASSIGNED, State.CANCELLED),
    State.VERIFYING: (State.IN_PROGRESS, State.SUSPENDED, State.ESCALATED),
    State.IN_PROGRESS: (State.REPLIED, State.SUSPENDED, State.ESCALATED),
    State.SUSPENDED: (State.IN_PROGRESS, State.CANCELLED),
    State.ESCALATED: (State.IN_PROGRESS, State.REPLIED),
    State.REPLIED: (State.FOLLOW_UP, State.REOPENED),
    State.FOLLOW_UP: (State.ARCHIVED, State.REOPENED),
    State.REOPENED: (State.IN_PROGRESS, State.ESCALATED),
    State.ARCHIVED: (State.REOPENED,),
    State.CANCELLED: (),
    State.MERGED: (),
}
TONES = {
    State.NEW: ("info", "circle-dot"),
    State.SUSPENDED: ("warn", "clock"),
    State.RETURNED: ("warn", "corner-up-left"),
    State.ESCALATED: ("bad", "circle-arrow-up"),
    State.REOPENED: ("bad", "rotate-ccw"),
    State.REPLIED: ("ok", "message-circle"),
    State.FOLLOW_UP: ("ok", "phone"),
    State.ARCHIVED: ("muted", "circle-check"),
    State.CANCELLED: ("muted", "circle-x"),
}


def may_move(before: str, after: str) -> bool:
    return after in MOVES[before]


def tone(state: str) -> tuple[str, str]:
    """Colour and icon of a state's badge; never colour alone."""
    return TONES.get(State(state), ("brand", "loader"))
