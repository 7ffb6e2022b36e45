"""The API of figures: definitions, one figure of one office, the units below it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.access.capabilities import may
from crm.dashboards import boards, people
from crm.dashboards.boards import Cell
from crm.dashboards.forms import FiguresForm
from crm.dashboards.reckoned import BY_NAME, KPIS
from crm.dashboards.registry import UNITS, Kpi, plain

ASKED = [
    OpenApiParameter(
        "office", str, description="Code; the highest of one's own without."
    ),
    OpenApiParameter(
        "kind", str, description="day, week, ten_days, month, …; a month."
    ),
    OpenApiParameter("day", OpenApiTypes.DATE, description="A day in the period."),
]


class KpiOut(serializers.Serializer):
    """A definition, as `_definition` writes it."""

    kpi = serializers.CharField()
    label = serializers.CharField()
    group = serializers.CharField()
    numerator = serializers.CharField()
    denominator = serializers.CharField()
    left_out = serializers.CharField()
    calendar = serializers.CharField()
    unit = serializers.CharField()
    low_is_good = serializers.BooleanField()
    target = serializers.FloatField(allow_null=True)
    source = serializers.CharField()
    owner = serializers.CharField()
    version = serializers.IntegerField()
    changes = serializers.ListField(child=serializers.DictField())


def _definition(kpi: Kpi) -> dict[str, Any]:
    return {
        "kpi": kpi.name,
        "label": str(kpi),
        "group": kpi.group,
        "numerator": str(kpi.top.words),
        "denominator": str(kpi.bottom.words),
        "left_out": str(kpi.excludes),
        "calendar": str(kpi.calendar),
        "unit": str(UNITS[kpi.unit]) if kpi.unit != "ratio" else f"per {kpi.per}",
        "low_is_good": kpi.is_low_good,
        "target": kpi.target,
        "source": kpi.rule,
        "owner": str(kpi.owner),
        "version": kpi.version,
        "changes": [{"on": day, "what": str(words)} for day, words in kpi.changes],
    }


def _figure(cell: Cell) -> dict[str, Any]:
    hidden = cell.is_hidden
    return {
        "kpi": cell.kpi.name,
        "numerator": None if hidden else plain(cell.share.numerator),
        "denominator": None if hidden else plain(cell.share.denominator),
        "value": cell.value,
        "target": cell.target,
        "is_met": cell.is_met,
        "benchmark": cell.benchmark,
        "before": cell.previous,
        "last_year": cell.year_before,
        "is_hidden": hidden,
    }


def _person(line: people.Line) -> dict[str, Any]:
    return {
        "user": line.user.username if line.user else None,
        "numerator": plain(line.share.numerator),
        "denominator": plain(line.share.denominator),
        "value": line.value,
    }


class KpiViewSet(viewsets.GenericViewSet):
    """Definitions of figures; and what they came to at an office in a period."""

    capabilities = {
        "list": "kpi.view",
        "retrieve": "kpi.view",
        "figures": "kpi.view",
    }
    pagination_class = None
    lookup_value_regex = r"[a-z0-9_]{1,40}"

    @extend_schema(
        operation_id="kpis_list",
        responses=KpiOut(many=True),
    )
    def list(self, request: Request) -> Response:
        """Every definition, with its version."""
        return Response([_definition(kpi) for kpi in KPIS])

    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=ASKED)
    def retrieve(self, request: Request, pk: str) -> Response:
        """A definition, its figure, the units one level down in order, and the people behind
        it for whom may see them."""
        kpi = BY_NAME.get(pk)
        if kpi is None:
            raise exceptions.NotFound
        asked, hide = self._asked(request)
        office, span = asked["office"], asked["span"]
        cells, here = boards.board(
            office, span, only_aggregates=hide, kpis=boards.family_of(kpi)
        )
        own = next((cell for cell in cells if cell.kpi == kpi), None)
        lines = boards.league(kpi, office, span, only_aggregates=hide)
        units = [
            {
                "office": line.office.code,
                "rank": line.rank,
                "rank_before": line.rank_before,
                "band": line.band,
                "value": line.value,
                "numerator": None if line.is_hidden else plain(line.share.numerator),
                "denominator": None
                if line.is_hidden
                else plain(line.share.denominator),
            }
            for line in lines
        ]
        figure = _figure(own) if own else None
        answer = _definition(kpi) | self._period(asked, here.is_final)
        persons = [] if hide else people.people(kpi, office, span)
        answer |= {"people": [_person(line) for line in persons[: people.MOST]]}
        return Response(answer | {"figure": figure, "units": units})

    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=ASKED)
    @action(detail=False, methods=["get"])
    def figures(self, request: Request) -> Response:
        """All figures of an office in a period."""
        asked, hide = self._asked(request)
        cells, here = boards.board(asked["office"], asked["span"], only_aggregates=hide)
        answer = self._period(asked, here.is_final)
        return Response(answer | {"figures": [_figure(cell) for cell in cells]})

    def _asked(self, request: Request) -> tuple[dict[str, Any], bool]:
        """The checked question, and whether cells of fewer than five are hidden."""
        user: Any = request.user
        form = FiguresForm(request.query_params, by=user)
        if not form.is_valid():
            raise exceptions.ValidationError(form.errors)
        asked = form.cleaned_data
        return asked, not may(user, "kpi.drill", asked["office"])

    def _period(self, asked: dict[str, Any], is_final: bool) -> dict[str, Any]:
        span = asked["span"]
        return {
            "office": asked["office"].code,
            "kind": span.kind,
            "first": span.first,
            "last": span.last,
            "is_final": is_final,
        }
