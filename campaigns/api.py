"""The API of the card season: figures, orders, outreach go out; offers and stages come in."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import answering, figures, pipeline, reporting
from campaigns.models import Campaign, CardOrder, OrderStage, Season
from campaigns.season_views import READERS
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.api import AfterPages, StrictSerializer
from crm.errors import Refused
from crm.web import keyset_page


def _user(request: Any) -> User:
    """Who asks: the API lets nobody in without signing in, which DRF's types do not say."""
    return request.user


class SeasonOut(serializers.ModelSerializer):
    office = serializers.CharField(source="office.code")
    previous = serializers.CharField(source="previous.code", allow_null=True)

    class Meta:
        model = Season
        fields = [
            *("code", "name", "office", "previous", "state", "first_day", "last_day"),
            *("posting_on", "draw_on", "retention_target", "new_target"),
            "follow_up_target",
        ]


class SeasonViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Seasons that one sees; each with its figures, by office."""

    capabilities = {
        "list": "season.view",
        "retrieve": "season.view",
        "report": "season.view",
    }
    serializer_class = SeasonOut
    lookup_field = "code"
    lookup_value_regex = r"[-\w]{1,20}"

    def get_queryset(self) -> Any:
        rows = Season.objects.visible_to(_user(self.request))
        return rows.select_related("office", "previous")

    @extend_schema(parameters=[OpenApiParameter("office", str)])
    def retrieve(self, request: Request, code: str) -> Response:
        """A season with the counts of an office and what is below (`office`, its code), and
        its rates: numerator, denominator, unrounded value, target."""
        season = get_object_or_404(self.get_queryset(), code=code)
        seen = _offices(request, season)
        wanted = request.query_params.get("office")
        office = seen.filter(code=wanted).first() if wanted else seen.first()
        if office is None:
            raise exceptions.NotFound
        counts = figures.counts_of(season, office)
        return Response(
            self.get_serializer(season).data
            | {
                "figures_of": office.code,
                "counts": {
                    name: getattr(counts, name)
                    for name in (
                        *("base", "kept", "lost", "new", "won_back", "followed"),
                        *("orders", "pieces", "revenue"),
                    )
                },
                "rates": _rates(season, counts),
            }
        )

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["get"])
    def report(self, request: Request, code: str) -> Response:
        """What the season came to at the reader's highest office: money, satisfaction,
        stock left over, reasons of those lost."""
        season = get_object_or_404(self.get_queryset(), code=code)
        office = _offices(request, season).order_by("depth", "path").first()
        if office is None:
            raise exceptions.NotFound
        found = reporting.report(season, office)
        money = found.money
        return Response(
            {
                "office": office.code,
                "rates": _rates(season, found.counts),
                "revenue": money.revenue,
                "cost": money.cost,
                "return_on_cost": money.roi,
                "satisfaction": {
                    "before": found.felt.before,
                    "after": found.felt.after,
                },
                "stock_left": found.stock.pieces,
                "lost": [{"reason": name, "customers": n} for name, n in found.lost],
            }
        )


def _offices(request: Request, season: Season) -> Any:
    """The reader's offices within the season's."""
    rows = offices_of(_user(request), *READERS)
    return rows.filter(path__startswith=season.office.path)


def _rates(season: Season, counts: figures.SeasonCounts) -> list[dict[str, Any]]:
    found = []
    for name, (read, _target) in figures.RATES.items():
        share = read(counts, season)
        found.append(
            {
                "kpi": name,
                "numerator": share.numerator,
                "denominator": share.denominator,
                "value": share.value,
                "target": figures.target_of(name, season),
            }
        )
    return found


class StageOut(serializers.ModelSerializer):
    office = serializers.CharField(source="office.code")
    owner = serializers.CharField(source="owner.username", allow_null=True)

    class Meta:
        model = OrderStage
        fields = [
            *("id", "position", "stage", "office", "owner", "due_on", "began_at"),
            *("done_at", "pieces_in", "pieces_out"),
        ]


class OrderOut(serializers.ModelSerializer):
    season = serializers.CharField(source="season.code")
    customer = serializers.CharField(source="customer.code")
    office = serializers.CharField(source="customer.office.code")
    product = serializers.CharField(source="product.code", allow_null=True)

    class Meta:
        model = CardOrder
        fields = [
            *("id", "ref", "season", "customer", "office", "product", "ordered_on"),
            *("pieces", "price", "revenue", "state", "contract_number"),
        ]


class PiecesIn(StrictSerializer):
    pieces = serializers.IntegerField(
        min_value=0, max_value=100_000_000, required=False
    )


class OrderViewSet(viewsets.GenericViewSet):
    """Card orders that one sees; stages are begun and finished here."""

    capabilities = {
        "list": "order.view",
        "retrieve": "order.view",
        "stage": "stage.do",
    }
    serializer_class = OrderOut
    pagination_class = AfterPages
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> Any:
        rows = CardOrder.objects.visible_to(_user(self.request))
        return rows.select_related("season", "customer__office", "product")

    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in ("season", "state")]
    )
    def list(self, request: Request) -> Response:
        """{"next": for `after`, "results": […]}, newest first."""
        rows = self.get_queryset()
        if season := request.query_params.get("season"):
            rows = rows.filter(season__code=season)
        if state := request.query_params.get("state"):
            if state not in CardOrder.State.values:
                raise exceptions.ValidationError({"state": ["unknown"]})
            rows = rows.filter(state=state)
        page = keyset_page(
            rows, ["-ordered_on", "-pk"], request.query_params.get("after", "")
        )
        return Response(
            {
                "next": page.next_key,
                "results": self.get_serializer(page.rows, many=True).data,
            }
        )

    def retrieve(self, request: Request, pk: str) -> Response:
        """An order with its stages."""
        row = get_object_or_404(self.get_queryset(), pk=pk)
        stages = row.stages.select_related("office", "owner")
        return Response(
            self.get_serializer(row).data | {"stages": StageOut(stages, many=True).data}
        )

    @extend_schema(request=PiecesIn, responses=StageOut)
    @action(
        detail=True,
        methods=["post"],
        url_path=r"stages/(?P<name>[a-z_]{1,9})/(?P<what>begin|finish)",
    )
    def stage(self, request: Request, pk: str, name: str, what: str) -> Response:
        """Begin or finish a stage by its name. Twice is once."""
        row = get_object_or_404(
            OrderStage.objects.visible_to(_user(request)),
            order=pk,
            stage=name,
        )
        given = PiecesIn(data=request.data)
        given.is_valid(raise_exception=True)
        act = pipeline.begin if what == "begin" else pipeline.finish
        try:
            done = act(
                row, by=_user(request), pieces=given.validated_data.get("pieces")
            )
        except Refused as refusal:
            raise exceptions.ValidationError({"pieces": [str(refusal)]}) from refusal
        return Response(StageOut(done).data)


class CampaignViewSet(viewsets.GenericViewSet):
    """Outreach campaigns that one sees, with the figures of their steps."""

    capabilities = {"list": "campaign.view", "retrieve": "campaign.view"}
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> Any:
        rows = Campaign.objects.visible_to(_user(self.request))
        return rows.select_related("season", "office")

    @extend_schema(operation_id="outreach_list", responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        page = keyset_page(
            self.get_queryset(),
            ["-made_at", "-pk"],
            request.query_params.get("after", ""),
        )
        rows = [_campaign(row) for row in page.rows]
        return Response({"next": page.next_key, "results": rows})

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Contacts by state; each step: touched, sent, waiting, suppressed, refused,
        answers, orders."""
        row = get_object_or_404(self.get_queryset(), pk=pk)
        steps = [
            {
                "position": one.step.position,
                "way": one.step.way,
                "touched": one.touched,
                "sent": one.sent,
                "waiting": one.waiting,
                "suppressed": one.suppressed,
                "refused": one.refused,
                "answers": one.response.numerator,
                "orders": one.conversion.numerator,
            }
            for one in answering.step_figures(row)
        ]
        counts = answering.state_counts(row)
        return Response(_campaign(row) | {"contacts": counts, "steps": steps})


def _campaign(row: Campaign) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "season": row.season.code,
        "office": row.office.code,
        "state": row.state,
        "size": row.size,
    }
