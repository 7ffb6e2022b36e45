"""The API of work orders: the services and forms of the pages, in JSON."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from complaints import doing, services
from complaints.call_views import intake_office
from complaints.kinds import Kind, Mood, Party, Scope, Severity
from complaints.models import Category, Complaint, ComplaintMove, Milestone
from complaints.order_forms import FORMS
from complaints.workflow import ACTIONS, open_actions
from crm import text
from crm.api import KEY, StrictSerializer, checked, flat, once_by_key
from crm.errors import Refused
from customers.models import Customer


class MilestoneOut(serializers.ModelSerializer):
    class Meta:
        model = Milestone
        fields = ["kind", "round", "due_at", "met_at"]


class MoveOut(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", allow_null=True)
    office = serializers.CharField(source="office.code", allow_null=True)

    class Meta:
        model = ComplaintMove
        fields = ["at", "what", "before", "after", "by", "office", "note"]


class ComplaintOut(serializers.ModelSerializer):
    office = serializers.CharField(source="office.code")
    handling_office = serializers.CharField(source="handling_office.code")
    owner = serializers.CharField(source="owner.username", allow_null=True)
    subcategory = serializers.CharField(source="subcategory.code", allow_null=True)

    class Meta:
        model = Complaint
        fields = [
            *("ref", "kind", "category", "subcategory", "severity", "channel"),
            *("state", "office", "handling_office", "owner", "opened_at", "due_at"),
            *("legal_due_at", "closed_at", "rounds", "nudges", "version"),
        ]


class ComplaintDetail(ComplaintOut):
    milestones = MilestoneOut(many=True)
    actions = serializers.SerializerMethodField()

    class Meta(ComplaintOut.Meta):
        fields = [*ComplaintOut.Meta.fields, "text", "demand", "milestones", "actions"]

    def get_actions(self, row: Complaint) -> list[str]:
        """What the workflow has open from here; rights are asked when it is done."""
        return list(open_actions(row.state))


class ComplaintIn(StrictSerializer):
    """A work order; `token` (or the Idempotency-Key) makes it one, however often sent."""

    token = serializers.UUIDField(required=False)
    phone = serializers.CharField(max_length=30)
    kind = serializers.ChoiceField(choices=Kind.choices, default=Kind.COMPLAINT)
    category = serializers.ChoiceField(choices=Complaint.Group.choices)
    subcategory = serializers.CharField(max_length=6, required=False)
    channel = serializers.ChoiceField(choices=Complaint.Channel.choices, default="web")
    text = serializers.CharField(min_length=5, max_length=4000)
    demand = serializers.CharField(max_length=300, required=False)
    item_no = serializers.CharField(max_length=30, required=False)
    new_address = serializers.CharField(max_length=200, required=False)
    caller_name = serializers.CharField(max_length=60, required=False)
    party = serializers.ChoiceField(choices=Party.choices, required=False)
    mood = serializers.ChoiceField(choices=Mood.choices, required=False)
    scope = serializers.ChoiceField(choices=Scope.choices, required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    customer = serializers.IntegerField(required=False)

    def validate_phone(self, value: str) -> str:
        if not (normal := text.normalise_phone(value)):
            raise serializers.ValidationError("Not a phone number.")
        return normal

    def validate_subcategory(self, value: str) -> Category:
        if not (found := Category.objects.filter(code=value, is_active=True).first()):
            raise serializers.ValidationError("Unknown category.")
        return found

    def validate_customer(self, value: int) -> Customer:
        """A foreign id is answered like an unknown one."""
        mine = Customer.objects.visible_to(self.context["request"].user)
        if not (customer := mine.filter(pk=value).first()):
            raise serializers.ValidationError("Unknown customer.")
        return customer


class ComplaintViewSet(viewsets.ReadOnlyModelViewSet):
    """Work orders that one sees; `state`, `kind`, `category`, `open=1` and `since` (a
    day) filter them."""

    capabilities = {
        "list": "complaint.view",
        "retrieve": "complaint.view",
        "create": "complaint.create",
        "history": "complaint.view",
        "act": "complaint.view",
    }
    serializer_class = ComplaintOut
    lookup_field = "ref"

    def get_queryset(self) -> QuerySet[Complaint]:
        if getattr(self, "swagger_fake_view", False):
            return Complaint.objects.none()
        rows = Complaint.objects.visible_to(self.request.user).for_list()
        if self.action != "list":
            return rows
        asked = self.request.query_params
        names = [name for name in ("state", "kind", "category") if name in asked]
        chosen = {name: asked[name][:20].replace("\0", "") for name in names}
        if "since" in asked:
            day = serializers.DateField().run_validation(asked["since"])
            chosen["opened_at__date__gte"] = day
        return (rows.open() if asked.get("open") == "1" else rows).filter(**chosen)

    @extend_schema(responses=ComplaintDetail)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One work order with its clocks and what can be done with it."""
        return Response(ComplaintDetail(self.get_object()).data)

    @extend_schema(request=ComplaintIn, responses={201: ComplaintOut}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Log a work order. The same token, or the same Idempotency-Key, gives the same
        work order."""
        given = ComplaintIn(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)

        def do() -> str:
            token = values.pop("token", None) or uuid.uuid4()
            return services.create_complaint(
                by=request.user,
                office=intake_office(request.user),
                description=values.pop("text"),
                caller_phone=values.pop("phone"),
                token=token,
                **values,
            ).ref

        return self._answer(once_by_key(request, do), status=201)

    def _answer(self, ref: str, status: int = 200) -> Response:
        """The work order as it is now; its number only, where it has left one's area."""
        found = self.get_queryset().filter(ref=ref).first()
        return Response(ComplaintOut(found).data if found else {"ref": ref}, status)

    @extend_schema(responses=MoveOut(many=True))
    @action(detail=True, pagination_class=None)
    def history(self, request: Request, ref: str) -> Response:
        """Who did what and when, the oldest first."""
        moves = self.get_object().moves.select_related("by", "office")
        return Response(MoveOut(moves, many=True).data)

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=ComplaintOut,
        parameters=[
            KEY,
            OpenApiParameter("name", str, OpenApiParameter.PATH, enum=sorted(ACTIONS)),
        ],
    )
    @action(detail=True, methods=["post"], url_path="do/(?P<name>[a-z]{3,10})")
    def act(self, request: Request, ref: str, name: str) -> Response:
        """Do one action of the workflow with the fields of its form; `version`, if sent,
        must be the one that you have read. 400 names wrong fields, 409 what is not open."""
        complaint = self.get_object()
        if name not in FORMS:
            raise exceptions.NotFound
        data = flat(request.data)
        version = data.pop("version", "")
        form = FORMS[name](data, complaint=complaint, user=request.user)
        checked(form, data)
        if version and version != str(complaint.version):
            raise Refused(
                "complaint.version", f"It is version {complaint.version} now."
            )

        def do() -> str:
            return doing.do(complaint, name, by=request.user, **form.given()).ref

        return self._answer(once_by_key(request, do))
