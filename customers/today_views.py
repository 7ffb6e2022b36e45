"""Today: what a customer manager should do first (anchors.md 5.3)."""

from datetime import timedelta

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.errors import Refused
from crm.web import keyset_page
from customers import notes
from customers.alert_words import said
from customers.ledger import CONTRACT_ALERT_DAYS
from customers.models import (
    Alert,
    ContactPerson,
    Contract,
    CorrectionRequest,
    Customer,
    Task,
    TimelineEntry,
)

SHOWN = 30
ALERTS = 12
BIRTHDAYS = timedelta(days=7)


@needs("task.view")
def today(request: AuthedRequest) -> HttpResponse:
    """Alerts, tasks, birthdays, ending contracts, open complaints. 11 queries."""
    user, day = request.user, localdate()
    visible = Customer.objects.visible_to(user)
    mine = visible.filter(Q(manager=user) | Q(assistant=user))
    tasks = Task.objects.visible_to(user).filter(done_at=None).exclude(kind="alert")
    alerts = Alert.objects.visible_to(user).filter(owner=user).exclude(state="closed")
    tasks = tasks.select_related("customer__office", "assignee").order_by("due_on")
    birthdays = ContactPerson.objects.filter(
        customer__in=mine, next_birthday__range=(day, day + BIRTHDAYS)
    )
    ending = Contract.objects.filter(
        customer__in=mine,
        ended_on=None,
        ends_on__range=(day, day + timedelta(days=CONTRACT_ALERT_DAYS)),
    )
    troubles = TimelineEntry.objects.filter(
        customer__in=mine, kind="complaint", is_open=True
    )
    context = {
        "day": day,
        "tasks_total": tasks.count(),
        "alerts_total": alerts.count(),
        "alerts": list(alerts.select_related("rule", "customer__office")[:ALERTS]),
        "tasks": list(tasks[:SHOWN]),
        "birthdays": list(
            birthdays.select_related("customer__office").order_by("next_birthday")[
                :SHOWN
            ]
        ),
        "ending": list(
            ending.select_related("customer__office").order_by("ends_on")[:SHOWN]
        ),
        "troubles": list(
            troubles.select_related("customer__office").order_by("at")[:SHOWN]
        ),
    }
    for row in context["alerts"]:
        row.said, row.is_late = said(row), row.due_on < day
    for group in ("alerts", "tasks", "birthdays", "ending", "troubles"):
        for row in context[group]:
            row.shown_customer = row.customer.name_for(user)
    for row in context["birthdays"]:
        row.shown_name = row.name_for(user)
    for row in context["tasks"]:
        row.is_late = row.due_on < day
    return render(request, "customers/today.html", context)


@require_POST
@needs("task.view")
def done(request: AuthedRequest, pk: int) -> HttpResponse:
    task = get_object_or_404(Task.objects.visible_to(request.user), pk=pk)
    try:
        notes.finish_task(task, by=request.user)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("customers:today")


@needs("customer.correct")
def corrections(request: AuthedRequest) -> HttpResponse:
    """Correction requests: those I may answer, and those I raised."""
    rows = CorrectionRequest.objects.visible_to(request.user)
    rows = rows.select_related("customer__office", "raised_by", "office", "decided_by")
    state = "all" if request.GET.get("state") == "all" else "open"
    if state == "open":
        rows = rows.filter(state="open")
    page = keyset_page(rows, ["raised_at", "pk"], request.GET.get("after", ""))
    seen = set(
        Customer.objects.visible_to(request.user)
        .filter(pk__in=[row.customer_id for row in page.rows])
        .values_list("pk", flat=True)
    )
    for row in page.rows:
        row.shown_customer = row.customer.name_for(request.user)
        row.may_open = row.customer_id in seen
    context = {"page": page, "state": state}
    return render(request, "customers/corrections.html", context)
