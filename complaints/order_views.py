"""A work order's page: what it is, what was done, and what can be done now."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import (
    claims,
    doing,
    handling,
    learning,
    queue,
    services,
    surveying,
    texts,
)
from complaints.claim_forms import ClaimForm, FindingForm, HelpForm
from complaints.compensation import Rule
from complaints.form_parts import ActionForm
from complaints.forms import FileForm
from complaints.models import (
    Claim,
    Complaint,
    Milestone,
    Outcome,
    Presence,
    TextBlock,
)
from complaints.order_forms import FORMS, ChangeForm, SkipForm
from complaints.workflow import ACTIONS, open_actions
from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import Posting, User
from crm.access.once import once
from crm.errors import Refused
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.models import Customer
from customers.panel_forms import CorrectionForm
from customers.records import Clash

HERE = timedelta(seconds=30)  # who has not been seen for longer has gone
# Actions that stand open; the others are behind "more".
FIRST = {
    "accept",
    "claim",
    "contact",
    "start",
    "answer",
    "check",
    "survey",
    "archive",
    "unmerge",
}


def visible(request: AuthedRequest):
    return Complaint.objects.visible_to(request.user)


def dress(rows: list[Complaint], user: User, at) -> None:
    """What a row shows that depends on the reader and the hour."""
    for row in rows:
        row.shown_customer = row.customer.name_for(user) if row.customer else ""
        row.over, row.soon = row.is_overdue(at), row.is_due_soon(at)
    late = [row for row in rows if row.over]
    if late:  # which of its limits: one query for the page
        clocks = Milestone.objects.filter(
            complaint__in=late, met_at=None, due_at__lt=at
        )
        first = {clock.complaint_id: clock for clock in clocks.order_by("-due_at")}
        for row in late:
            row.broken = first[row.pk].get_kind_display() if row.pk in first else ""


def _allowed(user: User, complaint: Complaint, capability: str) -> bool:
    if capability == "complaint.move":
        return services.may_over(user, capability, complaint)
    return may(user, capability)


def _actions(
    user: User, complaint: Complaint, given: dict[str, ActionForm]
) -> list[dict[str, Any]]:
    """What can be done now by this reader, each with its form."""
    found = []
    for name, action in open_actions(complaint.state).items():
        if not _allowed(user, complaint, action.capability) and name != "note":
            continue
        if name == "split" and not may(user, "complaint.create"):
            continue
        if name == "claim" and complaint.owner_id == user.pk:
            continue
        if name == "return" and complaint.came_from is None:
            continue
        if name == "survey" and not text.is_mobile(complaint.caller_phone):
            continue
        form = given.get(name) or FORMS[name](
            complaint=complaint, user=user, auto_id=f"id_{name}_%s"
        )
        found.append({"name": name, "action": action, "form": form})
    return found


def money(user: User, complaint: Complaint, forms: dict[str, Any]) -> dict[str, Any]:
    """Claims, findings and helping units of the page. Three queries, one more a claim."""
    rows = list(
        complaint.claims.select_related("proposed_by", "decided_by", "recovered_from")
    )
    for claim in rows:
        claim.complaint = complaint
        claim.may_pay = may(user, "claim.pay", complaint.handling_office)
        if claim.state == Claim.State.PROPOSED:
            claim.decided_at_office = claims.deciding_office(claim)
            claim.may_decide = claims.may_decide(user, claim)
    helpers = list(complaint.helpers.select_related("office", "replied_by"))
    for row in helpers:
        row.may_reply = may(user, "complaint.move", row.office)
    tried = forms.get("tried")
    return {
        "claims": rows,
        "claim_form": forms.get("claim") or ClaimForm(),
        "tried": tried,
        "tried_rule": Rule(tried.rule).label if tried else "",
        "findings": complaint.findings.select_related("office", "user"),
        "finding_form": forms.get("finding") or FindingForm(),
        "helpers": helpers,
        "help_form": forms.get("help") or HelpForm(),
    }


def order_page(
    request: AuthedRequest, complaint: Complaint, status: int = 200, **forms: Any
) -> HttpResponse:
    at = now()
    dress([complaint], request.user, at)
    lines = list(complaint.moves.select_related("by", "office"))
    elsewhere = (m.office for m in lines if m.office_id != complaint.handling_office_id)
    complaint.came_from = next(elsewhere, None)
    actions = _actions(request.user, complaint, forms)
    outcome = Outcome.objects.filter(complaint=complaint)
    context = {
        "complaint": complaint,
        "macros": [
            row
            for row in texts.macros_of(request.user)
            if row.action in open_actions(complaint.state)
        ],
        "waits_for": _waits_for(complaint, actions),
        "blocks": texts.offered(request.user, TextBlock.Use.ANSWER, complaint),
        "outcome": outcome.select_related("checked_by").first(),
        "caller_phone": text.mask_phone(complaint.caller_phone),
        "caller_name": text.mask_name(complaint.caller_name),
        "survey": surveying.pending(complaint),
        "measures": complaint.measures.select_related("office", "owner"),
        "milestones": complaint.milestones.all(),
        "at": at,
        "moves": lines,
        "children": list(visible(request).filter(parent=complaint)[:50]),
        "duplicates": list(visible(request).filter(merged_into=complaint)[:50]),
        "files": complaint.attachments.select_related("added_by"),
        "correction_form": forms.get("correction") or CorrectionForm(),
        "file_form": forms.get("file") or FileForm(),
        "change_form": forms.get("change") or ChangeForm(instance=complaint),
        "skip_form": SkipForm(),
        **money(request.user, complaint, forms),
        "actions": [row for row in actions if row["name"] in FIRST],
        "more": [row for row in actions if row["name"] not in FIRST],
        "takes_calls": True,
        "offices": Office.objects.active().order_by("path")[:300],
        "people": _people(complaint),
        "alike": _alike(request, complaint),
        "may_move": _allowed(request.user, complaint, "complaint.move"),
        "sees_customer": complaint.customer_id
        and Customer.objects.visible_to(request.user)
        .filter(pk=complaint.customer_id)
        .exists(),
    }
    return render(request, "complaints/detail.html", context, status=status)


def _waits_for(complaint: Complaint, actions: list[dict[str, Any]]) -> str:
    """Whose turn it is, where it is not the reader's."""
    if complaint.state != "replied" or any(a["name"] == "check" for a in actions):
        return ""
    until = localtime(complaint.due_at).strftime("%Y-%m-%d %H:%M")
    said = _("Answered. A colleague of the call centre asks the customer until %(at)s.")
    return said % {"at": until}


def _people(complaint: Complaint) -> list[User]:
    """Whom it may be handed to: those posted at its office, above and below."""
    path = complaint.handling_office.path
    near = Q(office__path__startswith=path) | Q(
        office__path__in=ancestry(complaint.handling_office)
    )
    posted = Posting.objects.in_force(localdate()).filter(near)
    posted = posted.filter(role__in=["agent", "handler", "supervisor"])
    return list(User.objects.filter(pk__in=posted.values("user"))[:100])


def _alike(request: AuthedRequest, complaint: Complaint) -> list[Complaint]:
    """Open ones of the same caller, customer or item: likely duplicates."""
    same = Q(pk__in=[])
    if complaint.customer_id:
        same |= Q(customer=complaint.customer_id)
    if complaint.item_no:
        same |= Q(item_no=complaint.item_no)
    if complaint.caller_index:
        same |= Q(caller_index=complaint.caller_index)
    rows = visible(request).open().filter(same).exclude(pk=complaint.pk)
    return list(rows.order_by("-opened_at")[:10])


@require_POST
@needs("complaint.move")
def reveal(request: AuthedRequest, ref: str) -> HttpResponse:
    """The caller's whole number, to call back; counted and in the trail (B26)."""
    complaint = get_object_or_404(visible(request), ref=ref)
    try:
        number = services.reveal_caller(complaint, by=request.user)
    except Refused as refusal:
        return render(request, "complaints/_number.html", {"refusal": str(refusal)})
    shown = {"number": text.written_phone(number), "dial": number}
    return render(request, "complaints/_number.html", shown)


@needs("complaint.view")
def alike(request: AuthedRequest, ref: str) -> HttpResponse:
    """Answered cases like this one; asked for when the page stands."""
    complaint = get_object_or_404(visible(request), ref=ref)
    said = f"{complaint.text} {complaint.demand}"
    cases = learning.alike(request.user, said, but=complaint.pk)
    return render(request, "complaints/_alike.html", {"cases": cases})


@needs("complaint.view")
def detail(request: AuthedRequest, ref: str) -> HttpResponse:
    return order_page(request, get_object_or_404(visible(request).for_list(), ref=ref))


@require_POST
@needs("complaint.view")
def act(request: AuthedRequest, ref: str, action: str) -> HttpResponse:
    """One action of the table; the same form twice acts once."""
    complaint = get_object_or_404(visible(request).for_list(), ref=ref)
    if action not in FORMS:
        raise Http404
    kwargs = {"complaint": complaint, "user": request.user}
    form = FORMS[action](request.POST, auto_id=f"id_{action}_%s", **kwargs)
    if form.is_valid():
        try:
            return redirect(
                once(request, lambda: _do(request, complaint, action, form))
            )
        except Refused as refusal:
            field = {"join": "into", "answer": "at", "contact": "at"}
            name = field.get(refusal.code.split(".")[0], "")
            form.add_error(name if name in form.fields else None, str(refusal))
    return order_page(request, complaint, 422, **{action: form})


def _do(
    request: AuthedRequest, complaint: Complaint, action: str, form: ActionForm
) -> str:
    done = doing.do(complaint, action, by=request.user, **form.given())
    return left_for(request, done, ACTIONS[action].label)


def left_for(request: AuthedRequest, done: Complaint, label: Any) -> str:
    """Says what was done; the address of the work order, or the list when it has left."""
    seen = visible(request).filter(pk=done.pk).exists()
    messages.success(
        request, _("%(ref)s: %(what)s – done.") % {"ref": done.ref, "what": label}
    )
    if not seen:
        messages.success(request, _("%(ref)s has left your area.") % {"ref": done.ref})
    return done.get_absolute_url() if seen else "/complaints/"


@require_POST
@needs("complaint.move")
def change(request: AuthedRequest, ref: str) -> HttpResponse:
    """Facts of the work order; two people clash only over one field."""
    complaint = get_object_or_404(visible(request).for_list(), ref=ref)
    form = ChangeForm(request.POST, instance=Complaint(pk=complaint.pk))
    status = 422
    if form.is_valid():
        shown, typed = form.given()
        try:
            handling.change(complaint, by=request.user, shown=shown, typed=typed)
            return redirect(complaint)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        except Clash as clash:
            status = 409
            for name, there in clash.fields.items():
                said = _("Somebody else changed this meanwhile; it is now: %(there)s")
                form.add_error(name, said % {"there": there or "—"})
    return order_page(request, complaint, status, change=form)


@require_POST
@needs("complaint.move")
def take_next(request: AuthedRequest) -> HttpResponse:
    """The oldest due of one's skill; no picking."""
    found = queue.next_for(request.user)
    if found is None:
        messages.success(request, _("Nothing is waiting for you."))
        return redirect("complaints:list")
    return redirect(found)


@require_POST
@needs("complaint.move")
def skip(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = get_object_or_404(visible(request), ref=ref)
    form = SkipForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why you pass it over."))
        return redirect(complaint)
    try:
        queue.skip(complaint, by=request.user, **form.cleaned_data)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(complaint)
    return take_next(request)


@require_POST
@needs("complaint.view")
def presence(request: AuthedRequest, ref: str) -> HttpResponse:
    """I am here; and who else is. Asked for every ten seconds."""
    complaint = get_object_or_404(visible(request), ref=ref)
    at = now()
    Presence.objects.update_or_create(
        complaint=complaint,
        user=request.user,
        defaults={"seen_at": at, "is_writing": bool(request.POST.get("writing"))},
    )
    others = complaint.present.filter(seen_at__gte=at - HERE)
    others = others.exclude(user=request.user).select_related("user")
    version = request.POST.get("version", "")
    context = {
        "others": list(others[:5]),
        "is_old": version.isdecimal() and int(version[:9]) < complaint.version,
        "complaint": complaint,
    }
    return render(request, "complaints/_presence.html", context)
