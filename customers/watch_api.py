"""The API of judgement: alerts and their answers, grading runs, movement, forecast."""

from django.db.models import QuerySet, Sum
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.access.scoping import offices_of
from crm.api import KEY, StrictSerializer, once_by_key
from crm.org.models import Office
from customers import alerts
from customers.alert_forms import AlertFilter, MovementFilter
from customers.alert_words import said
from customers.forecast import outlook
from customers.key_months import movements
from customers.models import Alert, AlertReport, GradeRun

OFFICE = OpenApiParameter("office", str, description="Code of an office of yours")


class AlertReportOut(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username")
    office = serializers.CharField(source="office.code", allow_null=True)

    class Meta:
        model = AlertReport
        fields = ["at", "by", "is_from_above", "office", "text"]


class AlertOut(serializers.ModelSerializer):
    kind = serializers.CharField(source="rule.kind")
    reason = serializers.SerializerMethodField()
    owner = serializers.CharField(source="owner.username", allow_null=True)
    reports = AlertReportOut(many=True)

    class Meta:
        model = Alert
        fields = [
            *("id", "customer", "kind", "level", "reason", "evidence", "raised_at"),
            *("due_on", "owner", "state", "outcome", "note", "closed_at", "reports"),
        ]

    def get_reason(self, row: Alert) -> str:
        return said(row)


class AnswerIn(StrictSerializer):
    outcome = serializers.ChoiceField(choices=[str(one) for one in Alert.BY_HAND])
    note = serializers.CharField(max_length=300)


class ReportIn(StrictSerializer):
    text = serializers.CharField(min_length=2, max_length=500)


class AlertViewSet(viewsets.ReadOnlyModelViewSet):
    """Alerts of the customers that one sees; `level`, `kind`, `state`, `outcome`, `rule`,
    `reported=1` and `whose=mine` filter them."""

    capabilities = {
        "list": "alert.view",
        "retrieve": "alert.view",
        "answer": "alert.answer",
        "report": "alert.answer",
    }
    serializer_class = AlertOut
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Alert]:
        if getattr(self, "swagger_fake_view", False):
            return Alert.objects.none()
        user = self.request.user
        rows = Alert.objects.visible_to(user).select_related("rule", "owner")
        rows = rows.prefetch_related("reports__by", "reports__office")
        if self.action != "list":
            return rows
        form = AlertFilter(self.request.query_params)
        if not form.is_valid():
            raise serializers.ValidationError(form.errors)
        return form.narrow(rows, user)

    @extend_schema(request=AnswerIn, responses=AlertOut)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Close an alert with what came of it; a closed one answers 409."""
        row = (
            self.get_object()
        )  # a foreign one is told like a missing one, before all else
        sent = AnswerIn(data=request.data)
        sent.is_valid(raise_exception=True)
        alerts.close_alert(row, by=request.user, **sent.validated_data)
        return Response(AlertOut(self.get_object()).data)

    @extend_schema(request=ReportIn, responses=AlertOut, parameters=[KEY])
    @action(detail=True, methods=["post"])
    def report(self, request: Request, pk: str) -> Response:
        """Report an alert one level up; 409 where it is closed or nobody is above."""
        row = self.get_object()
        sent = ReportIn(data=request.data)
        sent.is_valid(raise_exception=True)

        def act() -> str:
            made = alerts.report_alert(row, by=request.user, **sent.validated_data)
            return str(made.pk)

        once_by_key(request, act)
        return Response(AlertOut(self.get_object()).data)


class GradeRunOut(serializers.ModelSerializer):
    scheme = serializers.CharField(source="scheme.__str__")
    office = serializers.CharField(source="office.code")

    class Meta:
        model = GradeRun
        fields = [
            *("id", "scheme", "office", "until", "state", "shards", "shards_done"),
            *("customers", "published_at"),
        ]


class GradeRunViewSet(viewsets.ReadOnlyModelViewSet):
    """Grading runs of one's offices; one of them with who moves from where to where."""

    capabilities = {"list": "grading.view", "retrieve": "grading.view"}
    serializer_class = GradeRunOut
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[GradeRun]:
        if getattr(self, "swagger_fake_view", False):
            return GradeRun.objects.none()
        rows = GradeRun.objects.visible_to(self.request.user)
        return rows.select_related("scheme", "office")

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def retrieve(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        own = run.tallies.filter(office__in=offices_of(request.user, "supervisor"))
        flows = own.values("was", "grade", "move").annotate(customers=Sum("customers"))
        return Response(
            GradeRunOut(run).data | {"flows": list(flows.order_by("grade"))}
        )


def _office(request: Request) -> Office:
    """The office asked for, else the first of one's own. 404 for one that is not."""
    own = offices_of(request.user, "supervisor")
    if code := request.query_params.get("office"):
        return get_object_or_404(own, code=code)
    return get_object_or_404(own[:1])


class ForecastViewSet(viewsets.ViewSet):
    capabilities = {"list": "forecast.view"}

    @extend_schema(
        parameters=[OFFICE, OpenApiParameter("product", str)],
        responses=OpenApiTypes.OBJECT,
    )
    def list(self, request: Request) -> Response:
        """Pieces by month: said a month ahead, came, and last year's; errors in percent."""
        product = request.query_params.get("product", "")
        found = outlook(_office(request), product)
        return Response(
            {
                "months": found.months,
                "error": found.error,
                "naive_error": found.naive_error,
            }
        )


class MovementViewSet(viewsets.ViewSet):
    capabilities = {"list": "movement.view"}

    @extend_schema(
        parameters=[OFFICE, OpenApiParameter("month", str, required=True)],
        responses=OpenApiTypes.OBJECT,
    )
    def list(self, request: Request) -> Response:
        """Key contract customers of a month (YYYY-MM) by owning office."""
        form = MovementFilter({"month": request.query_params.get("month", "")})
        if not form.is_valid() or form.cleaned_data["month"] is None:
            raise serializers.ValidationError({"month": ["YYYY-MM"]})
        month = form.cleaned_data["month"]
        office = _office(request)
        by_path = movements(office, month)
        codes = dict(
            Office.objects.filter(path__in=by_path).values_list("path", "code")
        )
        rows = [{"office": codes[path], **vars(row)} for path, row in by_path.items()]
        return Response({"month": f"{month:%Y-%m}", "offices": rows})
