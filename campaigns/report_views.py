"""The report of a season, beside another one, on the page and as a document."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from campaigns import files, reporting
from campaigns.models import PrintFile, Season
from campaigns.season_views import frame_of, season_of
from crm.access.capabilities import AuthedRequest, needs
from crm.access.scoping import offices_of

READERS = ("supervisor", "planner", "reviewer", "manager")


@needs("season.view")
def report(request: AuthedRequest, code: str) -> HttpResponse:
    """What a season came to; ?with=CODE stands beside it."""
    season = season_of(request, code)
    seen = offices_of(request.user, *READERS).under(season.office)
    office = seen.order_by("depth", "path").first()
    if office is None:
        raise Http404
    if request.method == "POST":
        params = {"office": office.code}
        files.ask(season, PrintFile.Kind.REPORT, params, by=request.user)
        messages.success(request, _("A worker makes it: load the page again shortly."))
        return redirect("campaigns:report", season.code)
    found = reporting.report(season, office)
    others = Season.objects.visible_to(request.user).exclude(pk=season.pk)
    chosen = request.GET.get("with") or (season.previous and season.previous.code)
    other = others.filter(code=chosen or "").select_related("office").first()
    context = frame_of(request, season, "report") | {
        "report": found,
        "office": office,
        "others": others,
        "other": other,
        "compared": reporting.compared(found, reporting.report(other, office))
        if other
        else [],
        "files": PrintFile.objects.filter(
            season=season, kind=PrintFile.Kind.REPORT, asked_by=request.user
        ).order_by("-asked_at")[:5],
    }
    return render(request, "campaigns/report.html", context)
