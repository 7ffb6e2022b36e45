"""Fifty rows by ORM and template, no session, no scope, no mask: the floor."""

from django.http import HttpResponse
from django.template import Context, Engine
from django.urls import path

from customers.models import Customer, UsageMonth

TEMPLATE = Engine().from_string(
    "<table>{% for row in rows %}<tr><td>{{ row.name }}</td><td>{{ row.code }}</td>"
    "<td>{{ row.get_segment_display }}</td><td>{{ row.get_kind_display }}</td>"
    "<td>{{ row.manager.full_name }}</td><td>{{ row.office.name }}</td></tr>{% endfor %}</table>"
)


def floor_list(request):
    rows = Customer.objects.select_related("office", "manager").order_by(
        "pinyin", "pk"
    )[:50]
    return HttpResponse(TEMPLATE.render(Context({"rows": rows})))


DETAIL = Engine().from_string(
    "<h1>{{ c.name }}</h1><p>{{ c.office.name }} {{ c.manager.full_name }}</p>"
    "<table>{% for m in months %}<tr><td>{{ m.month }}</td><td>{{ m.revenue }}</td></tr>"
    "{% endfor %}</table><ul>{% for e in entries %}<li>{{ e.at }} {{ e.title }}</li>{% endfor %}"
    "</ul><ul>{% for t in complaints %}<li>{{ t.ref }} {{ t.state }}</li>{% endfor %}</ul>"
)


def floor_detail(request, pk):
    """One customer with months, timeline and complaints: four queries, no rights."""
    customer = Customer.objects.select_related("office", "manager").get(pk=pk)
    context = {
        "c": customer,
        "months": UsageMonth.objects.filter(customer=customer).order_by("month")[:25],
        "entries": customer.timeline.order_by("-at")[:20],
        "complaints": customer.complaints.order_by("-opened_at")[:5],
    }
    return HttpResponse(DETAIL.render(Context(context)))


urlpatterns = [path("", floor_list), path("<int:pk>/", floor_detail)]
