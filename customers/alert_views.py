"""Alerts to answer, movers of one's portfolio, and the rules behind them."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.charts import columns
from crm.errors import Refused
from crm.web import keyset_page
from customers import alerts, watch_rules
from customers.alert_forms import (
    AlertFilter,
    AnswerForm,
    GiveForm,
    OfficeForm,
    ReportForm,
    RuleForm,
    reported,
)
from customers.alert_words import said
from customers.models import Alert, Customer, CustomerTrend, Opportunity, WatchRule
from customers.queries import add_months, months_of

MOVERS = 10


def _alerts(request: AuthedRequest) -> QuerySet[Alert]:
    related = ("rule", "customer__office", "owner", "closed_by")
    return Alert.objects.visible_to(request.user).select_related(*related)


def _alert(request: AuthedRequest, pk: int) -> Alert:
    """One alert, with whether its customer's page is open to the reader: not always so for
    who was given the alert."""
    seen = Customer.objects.visible_to(request.user).filter(pk=OuterRef("customer"))
    return get_object_or_404(
        _alerts(request).annotate(sees_customer=Exists(seen)), pk=pk
    )


@needs("alert.view")
def alert_list(request: AuthedRequest) -> HttpResponse:
    """Alerts of the customers that one sees, the gravest first; and one's own movers."""
    form = AlertFilter(request.GET)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    page = keyset_page(
        form.narrow(_alerts(request), request.user),
        ["rank", "due_on", "pk"],
        request.GET.get("after", ""),
    )
    for row in page.rows:
        row.said = said(row)
        row.shown_customer = row.customer.name_for(request.user)
        row.is_late = row.state != Alert.State.CLOSED and row.due_on < localdate()
    live = _alerts(request).exclude(state=Alert.State.CLOSED).order_by()
    counts = dict(live.values_list("level").annotate(n=Count("pk")))
    levels = sorted(WatchRule.Level.choices, reverse=True)
    context = {
        "page": page,
        "chosen": chosen,
        "tiles": [(value, label, counts.get(value, 0)) for value, label in levels],
        "reported": reported(live).count(),
        "kinds": WatchRule.Kind.choices,
        "states": Alert.State.choices,
        "outcomes": Alert.Outcome.choices,
        "movers": _movers(request),
        "month": add_months(localdate(), -1),
        "offices": offices_of(request.user, "supervisor"),
        "query": _query(form),
        "give_form": GiveForm(office=None) if may(request.user, "alert.give") else None,
    }
    return render(request, "customers/alerts.html", context)


def _query(form: AlertFilter) -> str:
    """A clean filter as an address carries it: alerts lead back to their list by it."""
    found = {name: value for name, value in form.cleaned_data.items() if value}
    return urlencode(found)


def _back(request: AuthedRequest) -> str:
    form = AlertFilter(request.GET)
    query = _query(form) if form.is_valid() else ""
    return reverse("customers:alerts") + (f"?{query}" if query else "")


def _movers(request: AuthedRequest) -> list[tuple[str, list[CustomerTrend]]]:
    """One's own customers whose month differs most from last year's, down and up."""
    user = request.user
    mine = Customer.objects.visible_to(user).filter(Q(manager=user) | Q(assistant=user))
    rows = CustomerTrend.objects.filter(customer__in=mine, base__gt=0)
    rows = rows.annotate(by=F("revenue") - F("base"))
    rows = rows.select_related("customer__office")
    found = [
        (
            _("Revenue below last year"),
            list(rows.filter(by__lt=0).order_by("by")[:MOVERS]),
        ),
        (
            _("More than last year"),
            list(rows.filter(by__gt=0).order_by("-by")[:MOVERS]),
        ),
    ]
    for _label, group in found:
        for row in group:
            row.shown_customer = row.customer.name_for(user)
            row.percent = round(100 * (row.revenue - row.base) / row.base)
    return found


@needs("alert.view")
def alert(request: AuthedRequest, pk: int) -> HttpResponse:
    """One alert: the evidence, thirteen months, what was tried; POST answers it."""
    row = _alert(request, pk)
    if request.method == "POST" and may(
        request.user, "alert.answer", row.customer.office
    ):
        form = AnswerForm(request.POST)
        if form.is_valid():
            try:
                return redirect(once(request, lambda: _answered(request, row, form)))
            except Refused as refusal:
                form.add_error(None, str(refusal))
        return _alert_page(request, row, 422, form=form)
    return _alert_page(request, row)


def _chart(customer: Customer) -> Any:
    """Revenue of thirteen months, and the year before beside it."""
    months = months_of(customer, count=25)
    return columns(
        [f"{one.month:%y-%m}" for one in months[12:]],
        [float(one.revenue) for one in months[12:]],
        unit=_("yuan"),
        label=_("Revenue by month"),
        before=[float(one.revenue) for one in months[:13]],
        before_label=_("a year before"),
    )


def _alert_page(
    request: AuthedRequest, row: Alert, status: int = 200, **forms: Any
) -> HttpResponse:
    user, office = request.user, row.customer.office
    is_live = row.state != Alert.State.CLOSED
    may_answer = may(user, "alert.answer", office)
    open_chances = Opportunity.objects.filter(customer=row.customer).exclude(
        stage__in=["won", "lost"]
    )
    reports = list(row.reports.select_related("by", "office"))
    above = alerts.nearest_above(user, office) if may_answer and is_live else []
    context = {
        "alert": row,
        "said": said(row),
        "shown_customer": row.customer.name_for(user),
        "form": AnswerForm(),
        "may_answer": may_answer and is_live,
        "is_mine": row.owner_id == user.pk and row.state == Alert.State.TAKEN,
        "chart": _chart(row.customer),
        "back": _back(request),
        "may_give": may(user, "alert.give", office) and is_live,
        "give_form": GiveForm(office=office),
        "may_reopen": may_answer and row.closed_by_id is not None,
        "reports": reports,
        "above": above,
        "is_word": is_live and bool(alerts.reported_to(user, reports)),
        "report_form": ReportForm(auto_id="report-%s"),
        "phones": [
            phone.number_for(user)
            for phone in row.customer.phones.filter(level="known")[:2]
        ],
        "earlier": _alerts(request)
        .filter(customer=row.customer)
        .exclude(pk=row.pk)[:10],
        "chances": open_chances[:5],
        **forms,
    }
    for one in context["earlier"]:
        one.said = said(one)
    return render(request, "customers/alert.html", context, status=status)


@require_POST
@needs("alert.answer")
def alert_report(request: AuthedRequest, pk: int) -> HttpResponse:
    """Report an alert one level up, or answer who reported it."""
    row = _alert(request, pk)
    form = ReportForm(request.POST, auto_id="report-%s")
    if form.is_valid():
        is_word = "word" in request.POST
        say = alerts.answer_report if is_word else alerts.report_alert

        def act() -> str:
            say(row, by=request.user, text=form.cleaned_data["text"])
            messages.success(request, _("Sent."))
            return row.get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _alert_page(request, row, 422, report_form=form)


def _answered(request: AuthedRequest, row: Alert, form: AnswerForm) -> str:
    alerts.close_alert(row, by=request.user, **form.cleaned_data)
    messages.success(request, _("Answered."))
    return _back(request)


@require_POST
@needs("alert.answer")
def alert_act(request: AuthedRequest, pk: int, action: str) -> HttpResponse:
    """Take an alert, give it to somebody, or open it again."""
    row = get_object_or_404(_alerts(request), pk=pk)
    form = GiveForm(request.POST, office=row.customer.office)
    try:
        if action == "take":
            alerts.take_alert(row, by=request.user)
        elif action == "reopen":
            alerts.reopen_alert(row, by=request.user)
        elif action == "give" and form.is_valid():
            alerts.give_alert(row, by=request.user, to=form.cleaned_data["to"])
        elif action == "give":
            messages.error(request, _("Choose a person."))
        else:
            raise Http404
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@require_POST
@needs("alert.give")
def alerts_give(request: AuthedRequest) -> HttpResponse:
    """Give all alerts of a list, as its filter says, to one manager."""
    form = AlertFilter(request.GET)
    to = GiveForm(request.POST, office=None)
    if not form.is_valid():
        raise Http404
    if to.is_valid():
        rows = form.narrow(Alert.objects.visible_to(request.user), request.user)
        given = alerts.give_many(rows, by=request.user, to=to.cleaned_data["to"])
        messages.success(request, _("Alerts given: %(n)s") % {"n": given})
    else:
        messages.error(request, _("Choose a person."))
    return redirect(_back(request))


# --- rules ------------------------------------------------------------------------------


def _rules(request: AuthedRequest) -> QuerySet[WatchRule]:
    return WatchRule.objects.visible_to(request.user).select_related("office")


@needs("watch.view")
def rules(request: AuthedRequest) -> HttpResponse:
    """The rules that hold for one's offices, what each has raised, and false alarms."""
    found = list(_rules(request).order_by("office__path", "-level", "kind", "often"))
    own = offices_of(request.user, "supervisor")
    hits = watch_rules.hits_of(_rules(request), own)
    for row in found:
        row.hits = hits.get(row.pk)
        row.may_edit = may(request.user, "watch.edit", row.office)
    context = {"rules": found, "offices": own.filter(depth__lte=2)}
    return render(request, "customers/watch_rules.html", context)


@needs("watch.edit")
def rule_new(request: AuthedRequest) -> HttpResponse:
    return _edit(request, WatchRule(segments=["contract", "standard"]))


@needs("watch.edit")
def rule(request: AuthedRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(_rules(request), pk=pk))


def _edit(request: AuthedRequest, found: WatchRule) -> HttpResponse:
    offices = offices_of(request.user, "supervisor")
    form = RuleForm(request.POST or None, instance=found, offices=offices)
    may_edit = found.pk is None or may(request.user, "watch.edit", found.office)
    status = 200
    if request.method == "POST" and may_edit:
        status = 422
        if form.is_valid():
            try:
                return redirect(once(request, lambda: _saved(request, form)))
            except Refused as refusal:
                form.add_error(None, str(refusal))
    context = {"form": form, "rule": found, "may_edit": may_edit}
    return render(request, "customers/watch_rule.html", context, status=status)


def _saved(request: AuthedRequest, form: RuleForm) -> str:
    watch_rules.save_rule(form.instance, by=request.user)
    messages.success(request, _("Saved. The rule strikes from the coming night on."))
    return reverse("customers:watch_rules")


@require_POST
@needs("watch.edit")
def rules_usual(request: AuthedRequest) -> HttpResponse:
    """Give an office the usual rules that it lacks."""
    offices = offices_of(request.user, "supervisor").filter(depth__lte=2)
    form = OfficeForm(request.POST, offices=offices)
    if not form.is_valid():
        messages.error(request, _("Choose an office."))
        return redirect("customers:watch_rules")
    made = watch_rules.usual_rules(form.cleaned_data["office"], by=request.user)
    messages.success(request, _("Rules made: %(n)s") % {"n": made})
    return redirect("customers:watch_rules")
