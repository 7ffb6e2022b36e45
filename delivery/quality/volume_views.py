"""The page of volume: four weeks ahead against capacity, and the peaks of the last year."""

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm import charts
from crm.access.capabilities import AuthedRequest, may, needs
from crm.org.models import Office
from delivery.models import CardBatch, DeliveryCapacity
from delivery.quality import volumes
from delivery.quality.forms import CapacityForm, ProductForm
from delivery.quality.views import READERS

SHOWN_BEHIND = 14
WEEKS = 53
BUSIEST = 10


@needs("delivery.view")
def volume(request: AuthedRequest) -> HttpResponse:
    """What is to be expected, by day, and how good such forecasts were; posted, what the
    office can hand out. Five queries, and the frame's."""
    form = ProductForm(request.GET, by=request.user, roles=READERS)
    if not form.is_valid():
        return render(request, "quality/volume.html", {"form": form}, status=422)
    office, product = form.cleaned_data["office"], form.cleaned_data["product"]
    capacity = DeliveryCapacity.objects.filter(office=office).first()
    most = capacity.pieces if capacity else None
    sent = request.POST if request.method == "POST" else None
    posted = CapacityForm(sent, initial={"pieces": most})
    if sent is not None and posted.is_valid():
        pieces = posted.cleaned_data["pieces"]
        volumes.set_capacity(office, pieces, by=request.user)
        messages.success(request, _("Kept."))
        return redirect(request.get_full_path())
    found = volumes.outlook(office, product)
    for row in found.ahead:
        # Of one product it would say nothing about the whole.
        row["load"] = 100 * row["deliveries"] / most if most and not product else None
    monday = localdate() - timedelta(days=localdate().weekday())
    days = volumes.days_of(office, monday - timedelta(weeks=WEEKS), localdate())
    context = {
        "form": form,
        "office": office,
        "outlook": found,
        "chart": _chart(found),
        "next_week": sum(round(row["expected"]) for row in found.ahead[:7]),
        "peak": max(found.ahead, key=lambda row: row["deliveries"], default=None),
        "capacity": capacity,
        "capacity_form": posted if may(request.user, "volume.plan", office) else None,
        "weeks": _weeks(days),
        "busiest": _busiest(office, days),
    }
    status = 422 if sent is not None else 200
    return render(request, "quality/volume.html", context, status=status)


def _chart(found: volumes.Outlook) -> Any:
    """The last two weeks as they came, with what was said of them; then those ahead."""
    behind = found.behind[-SHOWN_BEHIND:]
    if not found.ahead:
        return ""
    return charts.columns(
        [f"{row['day']:%m-%d}" for row in [*behind, *found.ahead]],
        [row["actual"] for row in behind] + [round(r["expected"]) for r in found.ahead],
        unit=_("items"),
        label=_("Items by day of acceptance"),
        ahead=len(found.ahead),
    )


def _weeks(days: dict[date, int]) -> Any:
    """A year in whole weeks, Monday to Sunday; the week that runs is left out."""
    this_week = localdate() - timedelta(days=localdate().weekday())
    sums: dict[date, int] = {}
    for day, items in days.items():
        monday = day - timedelta(days=day.weekday())
        if monday < this_week:
            sums[monday] = sums.get(monday, 0) + items
    if len(sums) < 2:
        return ""
    names = [f"{monday:%y-%m-%d}" for monday in sorted(sums)]
    values = [sums[monday] for monday in sorted(sums)]
    return charts.columns(names, values, unit=_("items"), label=_("Items by week"))


def _busiest(office: Office, days: dict[date, int]) -> list[dict[str, Any]]:
    """The days with the most items, against the mean of all, with cards posted then."""
    if not days:
        return []
    mean = sum(days.values()) / len(days)
    chosen = sorted(days, key=lambda day: (-days[day], day))[:BUSIEST]
    posted = CardBatch.objects.filter(
        office__path__startswith=office.path, posted_on__in=chosen
    )
    cards = dict(posted.order_by().values_list("posted_on").annotate(n=Sum("pieces")))
    return [
        {
            "day": day,
            "items": days[day],
            "times": days[day] / mean if mean else 0,
            "cards": cards.get(day, 0),
        }
        for day in chosen
    ]
