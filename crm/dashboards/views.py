"""Home, the KPI board, the audit trail's screen, and health."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseTrouble
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from complaints import counting
from crm import charts
from crm.access.capabilities import AuthedRequest, may, needs
from crm.audit.models import AuditEvent
from crm.dashboards import queries, retention
from crm.dashboards.forms import BoardForm
from crm.jobs import health
from crm.jobs.models import Job
from crm.menu import first_of
from crm.notify.sending import oldest_waiting
from crm.org.holidays import missing_year
from crm.web import is_degraded, keyset_page
from customers.queries import SMALLEST_CELL


def home(request: AuthedRequest) -> HttpResponse:
    """The first page that the user's postings open."""
    entry = first_of(request.user)
    return redirect(entry.url_name if entry else "access:profile")


@needs("kpi.view")
def board(request: AuthedRequest) -> HttpResponse:
    form = BoardForm(request.GET, by=request.user)
    context = {
        "form": form,
        "is_degraded": is_degraded(),
        "missing_year": missing_year(),
    }
    if not form.is_valid():
        return render(request, "dashboards/board.html", context, status=422)
    office, base = form.cleaned_data["office"], form.cleaned_data["base"]
    current = form.cleaned_data["current"]
    job = Job.objects.filter(
        kind="dashboards.retention", params__office=office.code, actor=request.user
    ).order_by("-pk")[:1]
    may_drill = may(request.user, "kpi.drill", office)
    found = queries.board(office, base, current, only_aggregates=not may_drill)
    complaints = counting.figures(office)
    drill = urlencode({"office": office.code, "base": base, "current": current})
    context |= {
        "board": found,
        "complaints": complaints,
        "groups": _group_bars(found.counts, drill if may_drill else ""),
        "categories": _category_bars(complaints, office.code if may_drill else ""),
        "base": base,
        "current": current,
        "drill": drill,
        "may_drill": may_drill,
        "smallest_cell": SMALLEST_CELL,
        "may_compute": may(request.user, "kpi.compute", office),
        "job": job[0] if job else None,
    }
    return render(request, "dashboards/board.html", context)


def _group_bars(counts, drill: str):
    """The groups behind both rates; each opens exactly its customers."""
    base_url = reverse("customers:list")
    rows = [
        (_("Base"), counts.base, "base"),
        (_("Retained"), counts.retained, "retained"),
        (_("Lost"), counts.base - counts.retained, "lost"),
        (pgettext("customers", "New"), counts.new, "new"),
        (_("of them won back"), counts.won_back, "won_back"),
    ]
    drawn = [
        (n, v, f"{base_url}?group={g}&{drill}" if drill else "") for n, v, g in rows
    ]
    return charts.bars(drawn, label=_("Customers behind the rates"))


def _category_bars(figures: counting.OrderFigures, office_code: str):
    url = reverse("complaints:list")
    rows = []
    for value, label, count in figures.by_category:
        query = urlencode(
            {"office": office_code, "view": "all", "category": value, "days": 30}
        )
        rows.append((label, count, f"{url}?{query}" if office_code else ""))
    return charts.bars(rows, label=_("Complaints by category, 30 days"))


@require_POST
@needs("kpi.compute")
def compute(request: AuthedRequest) -> HttpResponse:
    """The button: queue the retention job for the board's dates."""
    form = BoardForm(request.POST, by=request.user)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    messages.success(
        request, _("Computing: the time of the snapshot changes when it is done.")
    )
    retention.ask_for_retention(
        chosen["office"], chosen["base"], chosen["current"], by=request.user
    )
    names = ("base_first", "base_last", "current_first", "current_last")
    query = {"office": chosen["office"].code, **{name: chosen[name] for name in names}}
    return redirect(f"{request.path.removesuffix('compute/')}?{urlencode(query)}")


@needs("audit.view")
def audit_trail(request: AuthedRequest) -> HttpResponse:
    """The trail, newest first. Auditors read all of it; the rest of the place, nothing."""
    rows = AuditEvent.objects.select_related("actor", "seal")
    action = request.GET.get("action", "").strip()[:60]
    actor = request.GET.get("actor", "").strip()[:60]
    if action:
        rows = rows.filter(action__startswith=action)
    if actor:
        rows = rows.filter(actor_name=actor)
    if request.GET.get("result") == "denied":
        rows = rows.filter(result="denied")
    page = keyset_page(rows, ["-at", "-pk"], request.GET.get("after", ""))
    context = {
        "page": page,
        "action": action,
        "actor": actor,
        "result": request.GET.get("result"),
    }
    context["title"] = _("Audit trail")
    return render(request, "dashboards/audit.html", context)


@login_not_required
def health_report(request: HttpRequest) -> HttpResponse:
    """200 when all is well, 503 with the reason when not. Tells nothing of the data."""
    try:
        oldest = oldest_waiting()
    except DatabaseTrouble:
        oldest = None  # the report says that the database is down
    report = health.report(outbox_oldest=oldest)
    return JsonResponse(report.as_dict(), status=200 if report.is_well else 503)


@login_not_required
def live(request: HttpRequest) -> HttpResponse:
    """Web and database only: what a proxy asks."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseTrouble:
        return JsonResponse({"status": "database down"}, status=503)
    return JsonResponse({"status": "ok"})
