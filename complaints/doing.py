"""Every action of the workflow table by its name: for pages, macros and the API."""

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction

from complaints import closing, handling, joining, surveying
from complaints.models import Complaint, Macro
from complaints.texts import filled
from crm.access.models import User

DOERS: dict[str, Callable[..., Complaint]] = {
    "claim": handling.claim,
    "contact": handling.contact,
    "answer": handling.answer,
    "assign": handling.assign,
    "return": handling.give_back,
    "escalate": handling.escalate,
    "convert": handling.convert,
    "note": handling.add_note,
    "check": closing.check,
    "survey": surveying.send,
    "archive": closing.archive,
    "reopen": closing.reopen,
    "merge": joining.merge,
    "unmerge": joining.unmerge,
    "split": joining.split,
    "adopt": joining.adopt,
}


def do(complaint: Complaint, action: str, *, by: User, **given: Any) -> Complaint:
    """Do one action with what its form gave; raises what the action raises."""
    if action == "split":
        given["token"] = uuid.uuid4()  # the form's own token is the guard
    if action in DOERS:
        return DOERS[action](complaint, by=by, **given)
    return handling.step(complaint, action, by=by, **given)


def changes_of(macro: Macro, complaint: Complaint) -> dict[str, Any]:
    """The facts that a macro would change, by column, rows as their ids."""
    wanted = {"severity": macro.severity, "subcategory": macro.subcategory_id}
    there = {"severity": complaint.severity, "subcategory": complaint.subcategory_id}
    return {n: v for n, v in wanted.items() if v and v != there[n]}


def staged(macro: Macro, complaint: Complaint, by: User) -> dict[str, str]:
    """What the form of the macro's action is filled with."""
    words = filled(macro.text, by, complaint)
    office = f"{macro.target.code} {macro.target.name}" if macro.target else ""
    return {"text": words, "note": words, "office": office}


@transaction.atomic
def run_macro(
    macro: Macro, complaint: Complaint, *, by: User, shown: dict[str, Any], **given: Any
) -> Complaint:
    """Make the changes of a macro that was shown, then its action: all or nothing. Raises
    customers.records.Clash where somebody changed one of the facts meanwhile."""
    typed = changes_of(macro, complaint)
    if typed:
        before = {name: shown.get(name) for name in typed}
        complaint = handling.change(complaint, by=by, shown=before, typed=typed)
    return do(complaint, macro.action, by=by, **given)
