"""The API of what belongs to work orders: claims, findings, corrective actions, quality
checks, topics; and of front-line feedback."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from complaints import claims
from complaints.claim_forms import ClaimForm
from complaints.claim_views import CLAIM_STEPS, findings_of
from complaints.compensation import Missing
from complaints.models import (
    Claim,
    Complaint,
    CorrectiveAction,
    Finding,
    QualityCheck,
    TopicAlert,
)
from complaints.quality_views import MEASURE_STEPS
from crm.api import KEY, StrictSerializer, checked, flat, once_by_key
from crm.improvement.models import Feedback
from crm.improvement.services import submit


class ClaimOut(serializers.ModelSerializer):
    state = serializers.CharField()
    work_order = serializers.CharField(source="complaint.ref")
    proposed_by = serializers.CharField(source="proposed_by.username")
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True)

    class Meta:
        model = Claim
        fields = [
            *("id", "work_order", "state", "rule", "rule_version", "suggested"),
            *("amount", "reason", "is_over_limit", "is_unusual", "is_green"),
            *("proposed_by", "proposed_at", "decided_by", "decided_at", "paid_at"),
            *("voucher", "recovered"),
        ]


class FindingOut(serializers.ModelSerializer):
    state = serializers.CharField()
    work_order = serializers.CharField(source="complaint.ref")
    office = serializers.CharField(source="office.code")
    user = serializers.CharField(source="user.username", allow_null=True)

    class Meta:
        model = Finding
        fields = [
            *("id", "work_order", "basis", "office", "team", "user", "share"),
            *("note", "state", "found_at", "objection", "ruling", "ruled_at"),
        ]


class MeasureOut(serializers.ModelSerializer):
    work_order = serializers.CharField(source="complaint.ref")
    office = serializers.CharField(source="office.code")
    owner = serializers.CharField(source="owner.username", allow_null=True)

    class Meta:
        model = CorrectiveAction
        fields = [
            *("id", "work_order", "what", "office", "owner", "due_on", "done_at"),
            *("done_note", "is_effective", "judged_at", "judged_note"),
        ]


class CheckOut(serializers.ModelSerializer):
    state = serializers.CharField()
    work_order = serializers.CharField(source="complaint.ref")
    agent = serializers.CharField(source="agent.username")

    class Meta:
        model = QualityCheck
        fields = [
            *("id", "work_order", "agent", "month", "state", "score", "is_fatal"),
            *("note", "checked_at", "appeal", "ruling", "coach_by", "coached_at"),
        ]


class TopicOut(serializers.ModelSerializer):
    state = serializers.CharField()
    office = serializers.CharField(source="office.code")

    class Meta:
        model = TopicAlert
        fields = ["id", "office", "day", "word", "cases", "usual", "state", "note"]


class FeedbackOut(serializers.ModelSerializer):
    state = serializers.CharField()
    kind = serializers.CharField()
    office = serializers.CharField(source="office.code")
    by = serializers.CharField(source="by.username")

    class Meta:
        model = Feedback
        fields = [
            *("id", "kind", "title", "text", "by", "office", "at", "state"),
            *("department", "due_at", "closed_at", "points"),
        ]


class FeedbackIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=Feedback.Kind.choices)
    title = serializers.CharField(max_length=80)
    text = serializers.CharField(min_length=5, max_length=4000)


class Read(viewsets.ReadOnlyModelViewSet):
    """Rows that one sees: `list` and `retrieve`."""

    lookup_value_regex = r"\d{1,18}"

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.rows()


def step_of(steps: dict[str, Any], row: Any, name: str, request: Request) -> None:
    """One step of a row with the fields of its form; 404 for a step that is not."""
    if name not in steps:
        raise exceptions.NotFound
    form_class, service = steps[name]
    data = flat(request.data)
    form = checked(form_class(data), data)

    def do() -> str:
        service(row, by=request.user, **form.cleaned_data)
        return str(row.pk)

    once_by_key(request, do)


def _step(names: list[str]) -> OpenApiParameter:
    return OpenApiParameter("name", str, OpenApiParameter.PATH, enum=names)


class ClaimViewSet(Read):
    """Compensations of the work orders that one sees."""

    capabilities = {
        "list": "claim.view",
        "retrieve": "claim.view",
        "create": "claim.propose",
        "step": "claim.view",
    }
    queryset, serializer_class = Claim.objects.all(), ClaimOut

    def rows(self) -> QuerySet[Claim]:
        related = ("complaint__handling_office", "proposed_by", "decided_by")
        return claims.visible(self.request.user).select_related(*related)

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: ClaimOut}, parameters=[KEY]
    )
    def create(self, request: Request) -> Response:
        """Propose one for the work order `work_order`, with the fields of its form."""
        data = flat(request.data)
        ref = data.pop("work_order", "")
        seen = Complaint.objects.visible_to(request.user)
        if not (complaint := seen.filter(ref=ref).first()):
            raise exceptions.ValidationError({"work_order": ["Unknown work order."]})
        form = checked(ClaimForm(data), data)

        def do() -> str:
            return str(
                claims.propose(complaint, by=request.user, **form.cleaned_data).pk
            )

        try:
            made = once_by_key(request, do)
        except Missing as missing:
            raise exceptions.ValidationError({str(missing): ["Missing."]}) from missing
        return Response(ClaimOut(self.rows().get(pk=made)).data, status=201)

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=ClaimOut,
        parameters=[KEY, _step(sorted(CLAIM_STEPS))],
    )
    @action(detail=True, methods=["post"], url_path="do/(?P<name>[a-z]{2,10})")
    def step(self, request: Request, pk: str, name: str) -> Response:
        """Grant, refuse, pay, recover."""
        step_of(CLAIM_STEPS, self.get_object(), name, request)
        return Response(ClaimOut(self.get_object()).data)


class FindingViewSet(Read):
    """Findings that concern one."""

    capabilities = {"list": "complaint.view", "retrieve": "complaint.view"}
    queryset, serializer_class = Finding.objects.all(), FindingOut

    def rows(self) -> QuerySet[Finding]:
        return findings_of(self.request.user)


class MeasureViewSet(Read):
    """Corrective actions."""

    capabilities = {
        "list": "measure.view",
        "retrieve": "measure.view",
        "step": "measure.view",
    }
    queryset, serializer_class = CorrectiveAction.objects.all(), MeasureOut

    def rows(self) -> QuerySet[CorrectiveAction]:
        rows = CorrectiveAction.objects.visible_to(self.request.user)
        return rows.select_related("complaint__office", "office", "owner")

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=MeasureOut,
        parameters=[KEY, _step(sorted(MEASURE_STEPS))],
    )
    @action(detail=True, methods=["post"], url_path="do/(?P<name>[a-z]{2,10})")
    def step(self, request: Request, pk: str, name: str) -> Response:
        """Done, or judged."""
        row = self.get_object()
        step_of(MEASURE_STEPS, row, name, request)
        return Response(MeasureOut(self.get_object()).data)


class CheckViewSet(Read):
    """Quality checks of one's subtree; agents: what is scored of them."""

    capabilities = {"list": "quality.see", "retrieve": "quality.see"}
    queryset, serializer_class = QualityCheck.objects.all(), CheckOut

    def rows(self) -> QuerySet[QualityCheck]:
        return QualityCheck.objects.visible_to(self.request.user).for_list()


class TopicViewSet(Read):
    """Words that are suddenly named often."""

    capabilities = {"list": "topic.view", "retrieve": "topic.view"}
    queryset, serializer_class = TopicAlert.objects.all(), TopicOut

    def rows(self) -> QuerySet[TopicAlert]:
        return TopicAlert.objects.visible_to(self.request.user).select_related("office")


class FeedbackViewSet(mixins.CreateModelMixin, Read):
    """Front-line feedback: one's own, and one's subtree's."""

    capabilities = {
        "list": "feedback.submit",
        "retrieve": "feedback.submit",
        "create": "feedback.submit",
    }
    queryset, serializer_class = Feedback.objects.all(), FeedbackOut

    def rows(self) -> QuerySet[Feedback]:
        rows = Feedback.objects.visible_to(self.request.user)
        return rows.select_related("office", "by")

    @extend_schema(request=FeedbackIn, responses={201: FeedbackOut}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Submit one."""
        given = FeedbackIn(data=request.data)
        given.is_valid(raise_exception=True)
        office = request.user.postings_now[0].office

        def do() -> str:
            return str(
                submit(by=request.user, office=office, **given.validated_data).pk
            )

        made = self.rows().get(pk=once_by_key(request, do))
        return Response(FeedbackOut(made).data, status=201)
