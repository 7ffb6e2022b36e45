"""The API of delivery quality: items and scans come in, items and figures go out."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.access.scoping import offices_of
from crm.api import AfterPages, StrictSerializer
from crm.web import keyset_page
from delivery.models import MailItem, Score
from delivery.quality import event_import, figures, item_import, pickup_import, scores
from delivery.quality.forms import ItemFilter, SpanForm
from delivery.quality.ingest import MOST_ROWS, take_in
from delivery.quality.score_forms import ScoreFilter
from delivery.quality.views import READERS, SEERS, narrowed_items, read_key, write_key

TARGETS = {
    "items": item_import.TARGET,
    "events": event_import.TARGET,
    "pickups": pickup_import.TARGET,
}
QUESTION = [
    OpenApiParameter(name, str) for name in ("office", "since", "until", "product")
]


class ItemOut(serializers.ModelSerializer):
    """`due_at`, `ripe_on` and `days` are as reckoned; `flaw` says what is impossible."""

    office = serializers.CharField(source="office.code")
    accepted = serializers.DateTimeField()
    delivered = serializers.DateTimeField(allow_null=True)
    returned = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = MailItem
        fields = [
            *("waybill", "office", "product", "relation", "from_region", "to_region"),
            *("accepted", "delivered", "returned", "due_at", "ripe_on", "days", "flaw"),
            *("status", "version"),
        ]


class RowsIn(StrictSerializer):
    """`office`: code of the office that sends; `rows`: objects with the columns of the
    import of the same name, all texts, at most a thousand."""

    office = serializers.CharField(max_length=20)
    rows = serializers.ListField(
        child=serializers.DictField(
            child=serializers.CharField(allow_blank=True, max_length=200)
        ),
        allow_empty=False,
        max_length=MOST_ROWS,
    )


class ItemViewSet(viewsets.GenericViewSet):
    """Mail items that one sees. POST brings rows in; sent twice they change nothing."""

    capabilities = {
        "list": "item.view",
        "retrieve": "item.view",
        "bring": "transfer.import",
    }
    serializer_class = ItemOut
    pagination_class = AfterPages
    lookup_value_regex = r"[\w.:+-]{1,40}"

    @extend_schema(
        parameters=[
            *QUESTION,
            *(
                OpenApiParameter(name, str)
                for name in ("which", "from_region", "to_region", "courier")
            ),
        ]
    )
    def list(self, request: Request) -> Response:
        """The list of the page: {"next": for `after`, "results": […]}."""
        form = ItemFilter(request.query_params, by=request.user, roles=SEERS)
        if not form.is_valid():
            raise exceptions.ValidationError(form.errors)
        page = keyset_page(
            narrowed_items(request.user, form).select_related("office"),
            ["accepted_on", "waybill"],
            request.query_params.get("after", ""),
            read_key=read_key,
            write_key=write_key,
        )
        rows = self.get_serializer(page.rows, many=True).data
        return Response({"next": page.next_key, "results": rows})

    def retrieve(self, request: Request, pk: str) -> Response:
        rows = MailItem.objects.visible_to(request.user).select_related("office")
        row = get_object_or_404(rows, waybill=pk)
        return Response(self.get_serializer(row).data)

    @extend_schema(
        operation_id="items_bring", request=RowsIn, responses=OpenApiTypes.OBJECT
    )
    @action(
        detail=False, methods=["post"], url_path="bring/(?P<what>items|events|pickups)"
    )
    def bring(self, request: Request, what: str) -> Response:
        """Items, events or pickups: {rows, imported, duplicates, rejected, counts}."""
        sent = RowsIn(data=request.data)
        sent.is_valid(raise_exception=True)
        target, rows = TARGETS[what], sent.validated_data["rows"]
        known = {column.name for column in target.columns}
        if unknown := {name for row in rows for name in row} - known:
            raise exceptions.ValidationError({n: ["Unknown field."] for n in unknown})
        missing = [c.name for c in target.columns if c.is_required]
        missing = [name for name in missing if not any(name in row for row in rows)]
        if missing:
            raise exceptions.ValidationError({n: ["Missing."] for n in missing})
        offices = offices_of(request.user, "supervisor", "importer")
        office = offices.filter(code=sent.validated_data["office"]).first()
        if office is None:
            raise exceptions.ValidationError({"office": ["None of yours."]})
        taken = take_in(rows, target=target, office=office, by=request.user)
        return Response(vars(taken))


class QualityViewSet(viewsets.ViewSet):
    """Figures of delivery quality of an office: numerator, denominator, value, target."""

    capabilities = {"list": "delivery.view", "scores": "delivery.view"}

    @extend_schema(
        operation_id="delivery_quality",
        parameters=QUESTION,
        responses=OpenApiTypes.OBJECT,
    )
    def list(self, request: Request) -> Response:
        """{"office", "since", "until", "unripe", "flawed", "excluded", "figures": […]}"""
        form = SpanForm(request.query_params, by=request.user, roles=READERS)
        if not form.is_valid():
            raise exceptions.ValidationError(form.errors)
        office, span = form.cleaned_data["office"], form.span
        counts = figures.counts_of(office, span)
        found: list[dict[str, Any]] = [
            {
                "name": figure.metric.name,
                "numerator": figure.share.numerator,
                "denominator": figure.share.denominator,
                "per": figure.share.per,
                "value": figure.share.value,
                "target": figure.metric.target,
                "is_few": figure.share.is_few,
            }
            for figure in figures.figures(counts)
        ]
        apart = {name: counts[name] for name in ("unripe", "flawed", "excluded")}
        days = {"since": span.first, "until": span.last}
        return Response({"office": office.code, **days, **apart, "figures": found})

    @extend_schema(
        operation_id="delivery_scores",
        parameters=[
            OpenApiParameter(name, str) for name in ("office", "month", "level")
        ],
        responses=OpenApiTypes.OBJECT,
    )
    @action(detail=False)
    def scores(self, request: Request) -> Response:
        """{"office", "month", "level", "score" of the office with its lines, "league"}"""
        form = ScoreFilter(request.query_params, by=request.user, roles=READERS)
        if not form.is_valid():
            raise exceptions.ValidationError(form.errors)
        office, month = form.cleaned_data["office"], form.cleaned_data["month"]
        # SECURITY: the form has settled that the office may be seen.
        own = Score.objects.filter(office=office, courier="", month=month).first()
        found = scores.league(office, month, form.compared, rows=MOST_ROWS)
        names = ("courier", "items", "unripe", "band", "place", "place_before")
        return Response(
            {
                "office": office.code,
                "month": f"{month:%Y-%m}",
                "level": form.compared,
                "score": own and {"value": str(own.value), "lines": own.lines},
                "league": [
                    {name: getattr(row, name) for name in names}
                    | {"office": row.office.code, "value": str(row.value)}
                    for row in found
                ],
            }
        )
