"""The workflow as one table (domain.md 6.3): what can be done from which state, and where
it leads; pure. Services carry the actions out, pages offer them, the API lists them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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


S = State
CLOSED = {S.ARCHIVED, S.CANCELLED, S.MERGED}
ANSWERED = {S.REPLIED, S.FOLLOW_UP}
OPEN = set(State) - CLOSED
AT_WORK = OPEN - ANSWERED


@dataclass(frozen=True)
class Action:
    """Something that people do with a work order. `after` is the state it leads to, none
    where it stays as it is; `capability` who may, over the office that has it."""

    label: Any
    icon: str
    before: frozenset[State]
    after: State | None = None
    capability: str = "complaint.move"


def _from(*states: State) -> frozenset[State]:
    return frozenset(states)


WORKED_ON = _from(
    S.ACCEPTED, S.ASSIGNED, S.VERIFYING, S.IN_PROGRESS, S.ESCALATED, S.REOPENED
)
ACTIONS: dict[str, Action] = {
    "accept": Action(_("Accept"), "check", _from(S.NEW), S.ACCEPTED),
    "claim": Action(_("Take it"), "hand", frozenset(AT_WORK)),
    "contact": Action(_("Customer contacted"), "phone", frozenset(AT_WORK)),
    "verify": Action(
        _("Verify"), "search", _from(S.ACCEPTED, S.ASSIGNED, S.REOPENED), S.VERIFYING
    ),
    "start": Action(
        _("Begin or go on"),
        "play",
        (WORKED_ON - {S.IN_PROGRESS}) | {S.SUSPENDED},
        S.IN_PROGRESS,
    ),
    "answer": Action(
        _("Answer"), "message-circle", WORKED_ON | {S.SUSPENDED}, S.REPLIED
    ),
    "suspend": Action(
        _("Wait for the customer"),
        "pause",
        _from(S.VERIFYING, S.IN_PROGRESS),
        S.SUSPENDED,
    ),
    "assign": Action(
        _("Hand over"),
        "forward",
        WORKED_ON | {S.NEW, S.RETURNED},
        S.ASSIGNED,
    ),
    "return": Action(
        _("Send back: not ours"),
        "corner-up-left",
        _from(S.ASSIGNED, S.VERIFYING),
        S.RETURNED,
    ),
    "escalate": Action(
        _("Escalate"),
        "circle-arrow-up",
        _from(S.ASSIGNED, S.VERIFYING, S.IN_PROGRESS, S.REOPENED),
        S.ESCALATED,
    ),
    "check": Action(
        _("Follow-up call"),
        "phone-call",
        _from(S.REPLIED),
        S.FOLLOW_UP,
        "complaint.check",
    ),
    "survey": Action(
        _("Send a survey link"),
        "send",
        _from(S.REPLIED),
        None,
        "complaint.check",
    ),
    "archive": Action(
        _("Archive"),
        "archive",
        _from(S.REPLIED, S.FOLLOW_UP),
        S.ARCHIVED,
        "complaint.check",
    ),
    "reopen": Action(
        _("Reopen"),
        "rotate-ccw",
        _from(S.REPLIED, S.FOLLOW_UP, S.ARCHIVED),
        S.REOPENED,
        "complaint.nudge",
    ),
    "cancel": Action(
        _("Cancel it"),
        "circle-x",
        _from(S.NEW, S.ACCEPTED, S.RETURNED, S.SUSPENDED),
        S.CANCELLED,
    ),
    "convert": Action(_("Change its type"), "shuffle", frozenset(AT_WORK)),
    "merge": Action(_("It is a duplicate"), "merge", frozenset(OPEN), S.MERGED),
    "unmerge": Action(_("Undo the merge"), "split", _from(S.MERGED)),
    "split": Action(_("Split off a part"), "split", frozenset(AT_WORK)),
    "adopt": Action(_("Put under an incident"), "network", frozenset(AT_WORK)),
    "note": Action(
        pgettext_lazy("work order", "Note"), "sticky-note", frozenset(State)
    ),
}
MOVES: dict[str, set[str]] = defaultdict(set)
for _action in ACTIONS.values():
    for _state in _action.before:
        if _action.after:
            MOVES[_state].add(_action.after)
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
    State.MERGED: ("muted", "merge"),
}


def may_move(before: str, after: str) -> bool:
    return after in MOVES[before]


def open_actions(state: str) -> dict[str, Action]:
    """What can be done from a state, in the table's order."""
    return {name: action for name, action in ACTIONS.items() if state in action.before}


def tone(state: str) -> tuple[str, str]:
    """Colour and icon of a state's badge; never colour alone."""
    return TONES.get(State(state), ("brand", "loader"))
