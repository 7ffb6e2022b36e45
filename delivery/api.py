"""The API of visits and plans: the services and forms of the pages, in JSON."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api import KEY, StrictSerializer, checked, flat, once_by_key
from customers.models import Customer
from delivery import visit_lists, visit_log, visits
from delivery.models import Visit, VisitPlan, VisitReport
from delivery.visit_forms import (
    AppointForm,
    DropForm,
    ListFilter,
    MissForm,
    PutForm,
    ReportForm,
)
from delivery.visit_words import day_because, due_because

SHOWN = ("customer__office", "visitor", "plan", "rule", "report__by")
LISTS = ("met", "needs", "shortcomings", "also")
FILTERS = [
    OpenApiParameter(name, str)
    for name in ("state", "type", "way", "who", "office", "plan", "customer")
]


class ReportOut(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username")
    result = serializers.CharField()
    need_text = serializers.CharField()
    advice = serializers.CharField()
    note = serializers.CharField()
    usage = serializers.CharField()
    next_type = serializers.CharField()

    class Meta:
        model = VisitReport
        fields = [
            *("by", "visited_on", "result", "needs", "need_text", "competitor"),
            *("satisfaction", "shortcomings", "usage", "stock_left", "advice"),
            *("note", "next_on", "next_type"),
        ]


class VisitOut(serializers.ModelSerializer):
    """`due_because` and `day_because` are the reasons as the pages word them."""

    ref = serializers.CharField()
    type = serializers.CharField()
    way = serializers.CharField()
    state = serializers.CharField()
    customer_name = serializers.SerializerMethodField()
    visitor = serializers.CharField(source="visitor.username", allow_null=True)
    due_because = serializers.SerializerMethodField()
    day_because = serializers.SerializerMethodField()
    report = ReportOut(default=None, allow_null=True)

    class Meta:
        model = Visit
        fields = [
            *("id", "ref", "type", "way", "state", "customer", "customer_name"),
            *("visitor", "plan", "first_day", "due_on", "day", "at", "minutes"),
            *("misses", "note", "due_because", "day_because", "report"),
        ]

    def get_customer_name(self, row: Visit) -> str:
        return row.customer.name_for(self.context["request"].user)

    def get_due_because(self, row: Visit) -> str:
        return due_because(row)

    def get_day_because(self, row: Visit) -> str:
        return day_because(row)


class AppointmentIn(StrictSerializer):
    """As the page's form: customer (id), day, at, minutes, type, way, note, even_so."""

    customer = serializers.IntegerField()
    day = serializers.DateField()
    at = serializers.TimeField()
    minutes = serializers.IntegerField(required=False)
    type = serializers.CharField(required=False)
    way = serializers.CharField(required=False)
    note = serializers.CharField(required=False)
    even_so = serializers.BooleanField(required=False)


STEPS: dict[str, tuple[Any, Any]] = {
    "put": (PutForm, visits.put),
    "miss": (MissForm, visits.miss),
    "drop": (DropForm, visits.drop),
}


class VisitViewSet(viewsets.ReadOnlyModelViewSet):
    """Visits that one sees, filtered as in the list; POST makes an appointment."""

    capabilities = {
        "list": "visit.view",
        "retrieve": "visit.view",
        "create": "visit.request",
        "report": "visit.log",
        "step": "visit.log",
    }
    serializer_class = VisitOut
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Visit]:
        if getattr(self, "swagger_fake_view", False):
            return Visit.objects.none()
        rows = Visit.objects.visible_to(self.request.user)
        if self.action == "list":
            form = ListFilter(self.request.query_params)
            if not form.is_valid():
                raise serializers.ValidationError(form.errors)
            return visit_lists.narrowed(rows, form.cleaned_data).select_related(*SHOWN)
        return rows.select_related(*SHOWN)

    @extend_schema(parameters=FILTERS)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(request=AppointmentIn, responses={201: VisitOut}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """An appointment; a double booking answers 409 unless `even_so`."""
        sent = AppointmentIn(data=request.data)
        sent.is_valid(raise_exception=True)
        data = flat(request.data)
        pk = data.pop("customer")
        usual = {"minutes": "60", "type": "appointment", "way": "visit"}
        form = checked(AppointForm(usual | data), data)
        customer = get_object_or_404(
            Customer.objects.visible_to(request.user), pk=pk if pk.isdecimal() else 0
        )

        def act() -> str:
            made = visits.appoint(customer, by=request.user, **form.cleaned_data)
            return str(made.pk)

        made = Visit.objects.for_list().get(pk=int(once_by_key(request, act)))
        return Response(VisitOut(made, context=self.get_serializer_context()).data, 201)

    @extend_schema(request=OpenApiTypes.OBJECT, responses=VisitOut, parameters=[KEY])
    @action(detail=True, methods=["post"])
    def report(self, request: Request, pk: str) -> Response:
        """Log the visit: the fields of the page's form; next_when is 7, 14, 30, 90, date
        or none."""
        row = self.get_object()
        data = flat(request.data, *LISTS)
        form = checked(ReportForm(data, visit=row, user=request.user), data)

        def act() -> str:
            visit_log.log(row, by=request.user, **form.given())
            return ""

        once_by_key(request, act)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="visits_step",
        request=OpenApiTypes.OBJECT,
        responses=VisitOut,
        parameters=[KEY],
    )
    @action(detail=True, methods=["post"], url_path=r"(?P<name>put|miss|drop)")
    def step(self, request: Request, pk: str, name: str) -> Response:
        """Fix its day, miss it (it is planned again), drop it."""
        row = self.get_object()
        form_class, act = STEPS[name]
        data = flat(request.data)
        form = checked(form_class(data), data)

        def once() -> str:
            act(row, by=request.user, **form.cleaned_data)
            return ""

        once_by_key(request, once)
        return Response(self.get_serializer(self.get_object()).data)


class CoverOut(serializers.Serializer):
    office = serializers.CharField(source="office.code")
    size = serializers.IntegerField()
    done = serializers.IntegerField()
    open = serializers.IntegerField()
    overdue = serializers.IntegerField()
    dropped = serializers.IntegerField()


class PlanOut(serializers.ModelSerializer):
    type = serializers.CharField()
    way = serializers.CharField()
    office = serializers.CharField(source="office.code")

    class Meta:
        model = VisitPlan
        fields = [
            *("id", "name", "type", "way", "office", "first_day", "due_on"),
            *("whom", "size", "made_at"),
        ]


class PlanViewSet(viewsets.ReadOnlyModelViewSet):
    """Plans over frozen lists; their names are visits (`/visits/?plan=…`)."""

    capabilities = dict.fromkeys(["list", "retrieve", "coverage"], "visit.plan")
    serializer_class = PlanOut
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[VisitPlan]:
        if getattr(self, "swagger_fake_view", False):
            return VisitPlan.objects.none()
        rows = VisitPlan.objects.visible_to(self.request.user)
        return rows.select_related("office")

    @extend_schema(responses=CoverOut(many=True))
    @action(detail=True, pagination_class=None)
    def coverage(self, request: Request, pk: str) -> Response:
        """How much of the list is visited, by office, each with those below it."""
        covers = visit_lists.coverage(self.get_object(), request.user)
        return Response(CoverOut(covers, many=True).data)
