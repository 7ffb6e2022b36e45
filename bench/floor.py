"""Fifty rows by ORM and template, no session, no scope, no mask: the floor."""

from django.http import HttpResponse
from django.template import Context, Engine
from django.urls import path

from customers.models import Customer

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


urlpatterns = [path("", floor_list)]
