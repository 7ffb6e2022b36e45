"""The API of the house's own affairs: documents, programmes, requests of units, risks,
incidents, improvements, bulletins, assessments. What pages decide, pages decide; here it is
read, confirmed, asked and declared."""

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from complaints.aftercare_api import Read
from crm.api import KEY, checked, flat, once_by_key
from crm.dashboards.models import AssessmentSheet, Bulletin, ServiceCost
from crm.library import services as library
from crm.library.models import Document
from crm.openapi import OBJECTS
from crm.programmes import units, walking
from crm.programmes.forms import RequestForm
from crm.programmes.models import (
    DutyReport,
    Programme,
    StaffEvent,
    UnitRequest,
    Walk,
)
from crm.risk.forms import IncidentForm
from crm.risk.models import Incident, Risk
from crm.risk.services import declare
from crm.teams.models import Team
from delivery.models import Improvement


def out_of(model: Any, fields: str, **named: str) -> type[serializers.ModelSerializer]:
    """A serializer of a model's own fields, and of those that are read through a key."""
    names = fields.split()
    chosen = {field.name for field in model._meta.fields if field.choices}
    body: dict[str, Any] = {
        name: serializers.CharField() for name in names if name in chosen
    } | {
        name: serializers.CharField(source=source, allow_null=True)
        for name, source in named.items()
    }
    body["Meta"] = type("Meta", (), {"model": model, "fields": [*names, *named]})
    return type(f"{model.__name__}Out", (serializers.ModelSerializer,), body)


class Seen(Read):
    """Rows of a model, as many as one sees."""

    related: tuple[str, ...] = ()

    def rows(self) -> QuerySet[Any]:
        seen = self.queryset.model.objects.visible_to(self.request.user)
        return seen.select_related(*self.related)


class DocumentViewSet(Seen):
    """Documents in force here; `read` confirms the edition in force."""

    capabilities = dict.fromkeys(("list", "retrieve", "read"), "library.read")
    queryset = Document.objects.all()
    serializer_class = out_of(
        Document,
        "id kind slot title roles is_signed",
        office="office.code",
        edition="current.number",
        text="current.text",
        effective_on="current.effective_on",
    )
    related = (
        "office",
        "current",
    )

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """One has read it; twice is once."""
        row = library.confirm(self.get_object(), by=request.user)
        return Response({"read_at": row.read_at})


class ProgrammeViewSet(Seen):
    """Programmes here and above; `ranking` gives the points of walkthroughs."""

    capabilities = dict.fromkeys(
        ("list", "retrieve", "ranking", "pilots"), "programme.see"
    )
    queryset = Programme.objects.all()
    serializer_class = out_of(
        Programme,
        "id kind title text first last state revision result",
        office="office.code",
    )
    related = ("office",)

    @extend_schema(responses=OBJECTS)
    @action(detail=True)
    def ranking(self, request: Request, pk: str) -> Response:
        """The ten best, and oneself."""
        scores = walking.ranking(self.get_object())
        shown = [
            (place, one)
            for place, one in enumerate(scores, 1)
            if place <= walking.TOP or one.user == request.user.pk
        ]
        return Response(
            [
                {
                    "place": place,
                    "name": one.name,
                    "points": one.points,
                    "walks": one.walks,
                    "self_service": one.alone,
                }
                for place, one in shown
            ]
        )

    @extend_schema(responses=OBJECTS)
    @action(detail=True)
    def pilots(self, request: Request, pk: str) -> Response:
        """Where it is tried first, and what came of it."""
        rows = self.get_object().pilots
        shown = ("touchpoint", "first", "last", "what", "verdict", "result")
        return Response(list(rows.values(*shown, place=F("office__code"))))


class TeamViewSet(Seen):
    """Teams of one's offices, those above and those below; `members` says who is in one."""

    capabilities = dict.fromkeys(("list", "retrieve", "members"), "programme.see")
    queryset = Team.objects.all()
    serializer_class = out_of(
        Team, "id kind name purpose is_entity made_on ended_on", office="office.code"
    )
    related = ("office",)

    @extend_schema(responses=OBJECTS)
    @action(detail=True)
    def members(self, request: Request, pk: str) -> Response:
        """Who is in it today; the leader first."""
        rows = self.get_object().members.active()
        shown = ("duty", "is_leader", "since")
        return Response(list(rows.values(*shown, person=F("user__username"))))


class WalkViewSet(Seen):
    """One's own walks, and those at offices that one supervises."""

    capabilities = dict.fromkeys(("list", "retrieve"), "programme.see")
    queryset = Walk.objects.all()
    serializer_class = out_of(
        Walk,
        "id mode occasion on state answer",
        process="demand.process",
        programme="demand.programme_id",
        office="office.code",
        by="user.username",
    )
    related = (
        "demand",
        "office",
        "user",
    )


class StaffEventViewSet(Seen):
    """Contests and training."""

    capabilities = dict.fromkeys(("list", "retrieve"), "programme.see")
    queryset = StaffEvent.objects.all()
    serializer_class = out_of(
        StaffEvent, "id kind skill title held_on hours text", office="office.code"
    )
    related = ("office",)


class UnitRequestViewSet(mixins.CreateModelMixin, Seen):
    """Requests between units: of one's own, and to it."""

    capabilities = dict.fromkeys(("list", "retrieve", "create"), "unit.ask")
    queryset = UnitRequest.objects.all()
    serializer_class = out_of(
        UnitRequest,
        "id subject text hours state made_at due_at reply replied_at rating",
        asking="asking.code",
        asked="asked.code",
    )
    related = (
        "asking",
        "asked",
    )

    @extend_schema(request=OpenApiTypes.OBJECT, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Ask a unit: asking, asked (ids of offices), subject, text, hours."""
        data = flat(request.data)
        form = checked(RequestForm(data, by=request.user), data)
        row = form.save(commit=False)
        made = once_by_key(request, lambda: str(units.ask(row, by=request.user).pk))
        return Response(self.get_serializer(self.rows().get(pk=made)).data, status=201)


class DutyReportViewSet(Seen):
    """Monthly reports that one's unit owes or gets."""

    capabilities = dict.fromkeys(("list", "retrieve"), "unit.ask")
    queryset = DutyReport.objects.all()
    serializer_class = out_of(
        DutyReport,
        "id month due_on text filed_at comment",
        title="duty.title",
        office="duty.office.code",
        reader="duty.reader.code",
    )
    related = (
        "duty__office",
        "duty__reader",
    )


class RiskViewSet(Seen):
    """The risk register."""

    capabilities = dict.fromkeys(("list", "retrieve"), "risk.see")
    queryset = Risk.objects.all()
    serializer_class = out_of(
        Risk,
        "id kind title likelihood impact weight measures review_on state kpi line",
        office="office.code",
        owner="owner.username",
    )
    related = (
        "office",
        "owner",
    )


class IncidentViewSet(mixins.CreateModelMixin, Seen):
    """Incidents: watchers of other systems declare them, too."""

    capabilities = dict.fromkeys(("list", "retrieve", "create"), "incident.declare")
    queryset = Incident.objects.all()
    serializer_class = out_of(
        Incident,
        "id kind grade title text noticed_at state contained_at closed_at cause",
        office="office.code",
        leader="leader.username",
    )
    related = (
        "office",
        "leader",
    )

    @extend_schema(request=OpenApiTypes.OBJECT, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Declare one: office (id), kind, grade, title, text, noticed_at, leader (user)."""
        data = flat(request.data)
        form = checked(IncidentForm(data, by=request.user), data)
        row = form.save(commit=False)
        row.leader = form.cleaned_data["leader"]
        made = once_by_key(request, lambda: str(declare(row, by=request.user).pk))
        seen = self.rows().filter(pk=made).first()
        shown = self.get_serializer(seen).data if seen else {"id": int(made)}
        return Response(shown, status=201)


class ImprovementViewSet(Seen):
    """Improvements: one's own, and those of the offices that one supervises."""

    capabilities = dict.fromkeys(("list", "retrieve"), "improvement.see")
    queryset = Improvement.objects.all()
    serializer_class = out_of(
        Improvement,
        "id topic what due_on kpi kpi_before kpi_after score_before done_at is_effective",
        office="office.code",
        owner="owner.username",
    )
    related = (
        "office",
        "owner",
    )


class BulletinViewSet(Seen):
    """Bulletins that one received, or writes."""

    capabilities = dict.fromkeys(("list", "retrieve"), "bulletin.read")
    queryset = Bulletin.objects.all()
    serializer_class = out_of(
        Bulletin,
        "id title kind first last state opening closing tables is_final published_at",
        office="office.code",
        number="ref",
    )
    related = ("office",)


class AssessmentViewSet(Seen):
    """Monthly assessment sheets."""

    capabilities = dict.fromkeys(("list", "retrieve"), "assessment.view")
    queryset = AssessmentSheet.objects.all()
    serializer_class = out_of(
        AssessmentSheet,
        "id month payroll_month object_until state made_at signed_at exported_at",
        office="office.code",
    )
    related = ("office",)


class ServiceCostViewSet(Seen):
    """What service cost offices, by month and kind."""

    capabilities = dict.fromkeys(("list", "retrieve"), "cost.note")
    queryset = ServiceCost.objects.all()
    serializer_class = out_of(ServiceCost, "id month kind amount", office="office.code")
    related = ("office",)
