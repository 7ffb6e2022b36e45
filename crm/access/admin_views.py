"""The pages of the security administrator and the system administrator."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access import forms, office_admin, services
from crm.access.capabilities import AuthedRequest, needs
from crm.access.fresh import fresh_password
from crm.access.models import PendingReset, Posting, User
from crm.access.roles import Role
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.holidays import missing_year
from crm.org.models import CalendarDay, HolidayYear, Office
from crm.org.queries import calendar_of


def users_under(by: User):
    """Accounts without a posting, and those posted somewhere `by` manages users."""
    inside = Posting.objects.filter(office__in=offices_of(by, Role.SECURITY_ADMIN))
    posted = User.objects.filter(postings__in=inside)
    return (posted | User.objects.filter(postings=None)).distinct().order_by("username")


@needs("user.manage")
def users(request: AuthedRequest) -> HttpResponse:
    rows = users_under(request.user).prefetch_related("postings__office")
    query = request.GET.get("q", "").strip()
    if query:
        rows = rows.filter(username__icontains=query) | rows.filter(
            full_name__icontains=query
        )
    waiting = Posting.objects.filter(
        approved=False, office__in=offices_of(request.user, Role.SECURITY_ADMIN)
    ).select_related("user", "office", "granted_by")
    context = {"users": rows[:200], "query": query, "waiting": waiting}
    return render(request, "access/users.html", context)


@needs("user.manage")
@fresh_password
def user_new(request: AuthedRequest) -> HttpResponse:
    form = forms.UserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user, password = services.create_user(by=request.user, **form.cleaned_data)
        return _show_password(request, user, password)
    status = 422 if form.errors else 200
    return render(request, "access/user_new.html", {"form": form}, status=status)


def _show_password(request: AuthedRequest, user: User, password: str) -> HttpResponse:
    """A one-time password is shown once, in the answer itself: it is stored nowhere."""
    return render(
        request, "access/user_password.html", {"account": user, "password": password}
    )


@needs("user.manage")
def user_edit(request: AuthedRequest, pk: int) -> HttpResponse:
    account = get_object_or_404(users_under(request.user), pk=pk)
    form = forms.UserChangeForm(request.POST or None, instance=account)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_user(account, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("access:user", pk=pk)
    return _user_page(request, account, form, forms.PostingForm(by=request.user))


def _user_page(
    request: AuthedRequest, account: User, form, posting_form
) -> HttpResponse:
    context = {
        "account": account,
        "form": form,
        "posting_form": posting_form,
        "postings": account.postings.select_related("office", "granted_by"),
        "today": localdate(),
        "sessions": account.sessions.count(),
        "pending_reset": PendingReset.objects.filter(user=account).first(),
    }
    bad = form.errors or posting_form.errors
    return render(request, "access/user.html", context, status=422 if bad else 200)


@require_POST
@needs("user.manage")
@fresh_password
def user_reset(request: AuthedRequest, pk: int) -> HttpResponse:
    account = get_object_or_404(users_under(request.user), pk=pk)
    try:
        password = services.reset_user(
            account, by=request.user, second_factor="second_factor" in request.POST
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("access:user", pk=pk)
    if password is None:
        messages.success(request, _("Noted; a second administrator must approve it."))
        return redirect("access:user", pk=pk)
    return _show_password(request, account, password)


@require_POST
@needs("user.manage")
@fresh_password
def posting_new(request: AuthedRequest, pk: int) -> HttpResponse:
    account = get_object_or_404(users_under(request.user), pk=pk)
    form = forms.PostingForm(request.POST, by=request.user)
    if form.is_valid():
        try:
            posting = services.grant_posting(
                account, by=request.user, **form.cleaned_data
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            waits = _("Granted; a second administrator must approve it.")
            messages.success(request, _("Granted.") if posting.approved else waits)
            return redirect("access:user", pk=pk)
    return _user_page(request, account, forms.UserChangeForm(instance=account), form)


@require_POST
@needs("user.manage")
@fresh_password
def posting_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Approve or end a posting; `act` is fixed by the address."""
    offices = offices_of(request.user, Role.SECURITY_ADMIN)
    posting = get_object_or_404(Posting.objects.filter(office__in=offices), pk=pk)
    try:
        if act == "approve":
            services.approve_posting(posting, by=request.user)
        else:
            services.end_posting(posting, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done."))
    return redirect("access:user", pk=posting.user_id)


@needs("office.manage")
def offices(request: AuthedRequest) -> HttpResponse:
    rows = Office.objects.filter(pk__in=_managed(request.user)).order_by("path")
    return render(request, "access/offices.html", {"offices": rows})


def _managed(user: User):
    """Offices of the administrator's subtree, closed ones too."""
    paths = [posting.office.path for posting in user.posts(Role.SYSTEM_ADMIN)]
    rows = Office.objects.none()
    for path in paths:
        rows = rows | Office.objects.filter(path__startswith=path)
    return rows.values("pk")


@needs("office.manage")
def office_new(request: AuthedRequest) -> HttpResponse:
    form = forms.OfficeForm(request.POST or None)
    place = forms.ParentForm(request.POST or request.GET or None, by=request.user)
    if request.method == "POST" and form.is_valid() and place.is_valid():
        parent = place.cleaned_data["parent"]
        office_admin.create_office(by=request.user, parent=parent, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("access:offices")
    context = {"form": form, "place": place}
    return render(
        request, "access/office.html", context, status=422 if form.errors else 200
    )


@needs("office.manage")
def office_edit(request: AuthedRequest, code: str) -> HttpResponse:
    office = get_object_or_404(
        Office.objects.filter(pk__in=_managed(request.user)), code=code
    )
    parent = Office.objects.get_parent(office)
    form = forms.OfficeForm(request.POST or None, instance=office)
    place = forms.ParentForm(
        request.POST or None,
        by=request.user,
        initial={"parent": parent.pk if parent else None},
    )
    place.fields["parent"].required = parent is not None
    if request.method == "POST" and form.is_valid() and place.is_valid():
        try:
            office = office_admin.change_office(
                office, by=request.user, **form.cleaned_data
            )
            wanted = place.cleaned_data["parent"]
            if wanted and parent and wanted.pk != parent.pk:
                office_admin.move_office(office, by=request.user, parent=wanted)
        except Refused as refusal:
            place.add_error("parent", str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("access:offices")
    bad = form.errors or place.errors
    context = {"form": form, "place": place, "office": office}
    return render(request, "access/office.html", context, status=422 if bad else 200)


@needs("calendar.manage")
def calendar(request: AuthedRequest) -> HttpResponse:
    """The calendar of one office: its hours, its exceptions, the national years."""
    offices = offices_of(request.user, Role.SYSTEM_ADMIN)
    code = request.POST.get("office") or request.GET.get("office")
    office = get_object_or_404(offices, code=code) if code else offices.first()
    return _calendar_page(request, office, forms.DayForm(), _windows_form(office))


def _windows_form(office: Office) -> forms.WindowsForm:
    in_force = calendar_of(office)
    initial = {
        f"day{day}": forms.write_spans(in_force.weekly.get(day, ())) for day in range(7)
    }
    initial["inherit"] = not office.windows.exists()
    return forms.WindowsForm(initial=initial)


def _calendar_page(
    request: AuthedRequest, office: Office, day_form, windows_form
) -> HttpResponse:
    days = CalendarDay.objects.filter(office=None) | CalendarDay.objects.filter(
        office=office
    )
    context = {
        "office": office,
        "missing_year": missing_year(),
        "offices": offices_of(request.user, Role.SYSTEM_ADMIN),
        "days": days.filter(date__year__gte=localdate().year).select_related("office"),
        "years": HolidayYear.objects.filter(year__gte=localdate().year - 1).order_by(
            "year"
        ),
        "day_form": day_form,
        "windows_form": windows_form,
    }
    bad = day_form.errors or windows_form.errors
    return render(request, "access/calendar.html", context, status=422 if bad else 200)


@require_POST
@needs("calendar.manage")
def calendar_windows(request: AuthedRequest, code: str) -> HttpResponse:
    office = get_object_or_404(offices_of(request.user, Role.SYSTEM_ADMIN), code=code)
    form = forms.WindowsForm(request.POST)
    if not form.is_valid():
        return _calendar_page(request, office, forms.DayForm(), form)
    office_admin.set_windows(
        office,
        by=request.user,
        windows=form.cleaned_data["windows"],
        inherit=form.cleaned_data["inherit"],
    )
    messages.success(request, _("Saved."))
    return redirect_to_calendar(code)


@require_POST
@needs("calendar.manage")
def calendar_day(request: AuthedRequest, code: str) -> HttpResponse:
    """Set an exception for the office, or for the country."""
    office = get_object_or_404(offices_of(request.user, Role.SYSTEM_ADMIN), code=code)
    form = forms.DayForm(request.POST)
    if not form.is_valid():
        return _calendar_page(request, office, form, _windows_form(office))
    office_admin.set_day(
        None if "national" in request.POST else office,
        by=request.user,
        day=form.cleaned_data["date"],
        is_working=form.cleaned_data["is_working"],
        name=form.cleaned_data["name"],
    )
    messages.success(request, _("Saved."))
    return redirect_to_calendar(code)


@require_POST
@needs("calendar.manage")
def calendar_day_remove(request: AuthedRequest, pk: int) -> HttpResponse:
    days = CalendarDay.objects.filter(
        office__in=offices_of(request.user, Role.SYSTEM_ADMIN)
    )
    day = get_object_or_404(days | CalendarDay.objects.filter(office=None), pk=pk)
    office_admin.remove_day(day, by=request.user)
    messages.success(request, _("Removed."))
    return redirect("access:calendar")


@require_POST
@needs("calendar.manage")
def calendar_year(request: AuthedRequest, year: int) -> HttpResponse:
    office_admin.confirm_year(year, by=request.user)
    messages.success(
        request, _("The arrangement of %(year)s is confirmed.") % {"year": year}
    )
    return redirect("access:calendar")


def redirect_to_calendar(code: str) -> HttpResponse:
    return redirect(f"{reverse('access:calendar')}?office={code}")
