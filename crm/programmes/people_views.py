"""Pages of staff: the list of a supervisor, the record and badge of one person."""

from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import User
from crm.errors import Refused
from crm.programmes import people, staff
from crm.programmes.forms import PhotoForm, RecordForm
from crm.programmes.models import Award
from crm.teams.models import Team
from crm.teams.services import teams_of
from crm.web import keyset_page, picture


@needs("staff.manage")
def staff_list(request: AuthedRequest) -> HttpResponse:
    """Who is posted at or below one's offices; found by name or badge."""
    query = request.GET.get("q", "").strip()[:60]
    rows = people.posted(request.user)
    if query:
        rows = rows.filter(
            Q(user__full_name__icontains=query)
            | Q(user__username__icontains=query)
            | Q(user__staff_record__badge=query)
        )
    page = keyset_page(rows, ["pk", "pk"], request.GET.get("after", ""))
    context = {"page": page, "q": query, "query": urlencode({"q": query})}
    return render(request, "programmes/staff.html", context)


def _person(request: AuthedRequest, pk: int) -> User:
    user = get_object_or_404(User, pk=pk)
    if not people.may_see(request.user, user):
        raise Http404
    return user


@needs("programme.see")
def person(request: AuthedRequest, pk: int) -> HttpResponse:
    """One's own record, or that of somebody whom one supervises."""
    user = _person(request, pk)
    record = people.record_of(user)
    may_keep = people.may_keep(request.user, user)
    sent = request.POST if request.method == "POST" and may_keep else None
    is_photo = sent is not None and "keep_photo" in sent
    form = RecordForm(None if is_photo else sent, instance=record)
    photo = PhotoForm(sent if is_photo else None, request.FILES if is_photo else None)
    if sent is not None and (photo if is_photo else form).is_valid():
        try:
            if is_photo:
                data = photo.cleaned_data["photo"].read()
                people.keep_photo(user, by=request.user, data=data)
            else:
                seen = request.POST.get("seen", "")
                people.keep(form.save(commit=False), by=request.user, seen=seen)
            messages.success(request, _("Saved."))
            return redirect("programmes:person", pk=pk)
        except Refused as refusal:
            wrong = photo if is_photo else form
            wrong.add_error("photo" if is_photo else None, str(refusal))
    context = {
        "person": user,
        "record": people.record_of(user),
        "postings": user.postings_now,
        "form": form if may_keep else None,
        "photo": photo,
        "teams": Team.objects.visible_to(request.user)
        .filter(pk__in=teams_of(user))
        .select_related("office"),
        "awards": Award.objects.visible_to(request.user).filter(user=user),
        **staff.record_of(user),
    }
    status = 422 if form.errors or photo.errors else 200
    return render(request, "programmes/person.html", context, status=status)


@needs("programme.see")
def person_photo(request: AuthedRequest, pk: int) -> FileResponse:
    user = _person(request, pk)
    record = people.record_of(user)
    if not record.has_photo or not record.photo.exists():
        raise Http404
    return picture(record.photo)
