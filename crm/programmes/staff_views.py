"""Pages of contests, training and awards; what each has taken part in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import subtree
from crm.errors import Refused
from crm.programmes import staff
from crm.programmes.forms import AwardForm, EventForm, PartFormSet
from crm.programmes.models import Award, StaffEvent, TakingPart
from crm.text import number_of
from crm.web import keyset_page

MOST = 100  # people on one page


@needs("programme.see")
def events(request: AuthedRequest) -> HttpResponse:
    """Contests and training here, one's own record; announce one, give an award."""
    user = request.user
    may_manage = may(user, "staff.manage")
    sent = request.POST if request.method == "POST" and may_manage else None
    if sent is not None and (done := answered(request)):
        return redirect(done)
    is_award = sent is not None and "give" in sent
    form = EventForm(None if is_award else sent, by=user) if may_manage else None
    award = AwardForm(sent if is_award else None, by=user) if may_manage else None
    if sent is not None and (award if is_award else form).is_valid():
        try:
            return redirect(_made(request, form, award, is_award=is_award))
        except Refused as refusal:
            wrong, field = (award, "person") if is_award else (form, "roles")
            wrong.add_error(field, str(refusal))
    rows = StaffEvent.objects.visible_to(user).select_related("office")
    awards = Award.objects.visible_to(user).select_related("office", "user")
    context = {
        "page": keyset_page(rows, ["-held_on", "-pk"], request.GET.get("after", "")),
        "form": form,
        "award": award,
        "awards": awards[:50],
        "today": localdate(),
        **staff.record_of(user),
    }
    is_wrong = any(one is not None and one.errors for one in (form, award))
    status = 422 if is_wrong else 200
    return render(request, "programmes/events.html", context, status=status)


def _made(request: AuthedRequest, form, award, *, is_award: bool) -> str:
    def act() -> str:
        if is_award:
            made = award.save(commit=False)
            made.user = award.cleaned_data["person"]
            staff.give(made, by=request.user)
            return request.path
        roles = form.cleaned_data["roles"]
        event = form.save(commit=False)
        return staff.announce(event, by=request.user, roles=roles).get_absolute_url()

    return once(request, act)


@needs("programme.see")
def event(request: AuthedRequest, pk: int) -> HttpResponse:
    """One contest or training: who takes part, noted by who supervises them."""
    rows = StaffEvent.objects.visible_to(request.user).select_related("office")
    row = get_object_or_404(rows, pk=pk)
    seen = row.parts.visible_to(request.user).select_related("user", "office")
    # SECURITY: noted by the supervisors of the people, whoever announced it.
    after = number_of(request.GET.get("after", ""), 0)
    mine = row.parts.filter(subtree(request.user, "supervisor"), pk__gt=after)
    mine = mine.order_by("pk")
    sent = request.POST if request.method == "POST" else None
    may_note = row.held_on <= localdate() and mine.exists()
    forms = PartFormSet(sent, queryset=mine[:MOST]) if may_note else None
    if sent is not None and forms is not None and forms.is_valid():
        lines = {
            form.instance.pk: (
                form.cleaned_data["took_part"],
                form.cleaned_data["score"],
            )
            for form in forms
            if form.has_changed()
        }
        try:
            staff.note(row, by=request.user, lines=lines)
            messages.success(request, _("Saved."))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect(request.get_full_path())
    people = dict(
        TakingPart.objects.filter(pk__in=mine[:MOST].values("pk")).values_list(
            "pk", "user__full_name"
        )
    )
    for form in forms or []:
        form.who = people.get(form.instance.pk, "")
    context = {
        "event": row,
        "forms": forms,
        "next": max(people, default=0) if mine[MOST:].exists() else 0,
        "own": row.parts.filter(user=request.user).first(),
        "summary": staff.summary(row, seen),
        "best": seen.exclude(score=None).order_by("-score", "pk")[:10],
    }
    status = 422 if forms is not None and forms.total_error_count() else 200
    return render(request, "programmes/event.html", context, status=status)
