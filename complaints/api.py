"""The complaint API: reading, and logging one through the same service as the page."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from complaints import services
from complaints.call_views import intake_office
from complaints.models import Complaint
from crm import text
from crm.api import StrictSerializer
from customers.models import Customer


class ComplaintOut(serializers.ModelSerializer):
    office = serializers.CharField(source="office.code")

    class Meta:
        model = Complaint
        fields = [
            "ref",
            "kind",
            "category",
            "channel",
            "state",
            "office",
            "opened_at",
            "due_at",
            "legal_due_at",
        ]


class ComplaintIn(StrictSerializer):
    token = serializers.UUIDField()
    phone = serializers.CharField(max_length=30)
    category = serializers.ChoiceField(choices=Complaint.Group.choices)
    channel = serializers.ChoiceField(choices=Complaint.Channel.choices, default="web")
    text = serializers.CharField(min_length=5, max_length=4000)
    item_no = serializers.CharField(max_length=30, required=False, default="")
    customer = serializers.IntegerField(required=False)

    def validate_phone(self, value: str) -> str:
        if not (normal := text.normalise_phone(value)):
            raise serializers.ValidationError("Not a phone number.")
        return normal

    def validate_customer(self, value: int) -> Customer:
        """A foreign id is answered like an unknown one."""
        mine = Customer.objects.visible_to(self.context["request"].user)
        if not (customer := mine.filter(pk=value).first()):
            raise serializers.ValidationError("Unknown customer.")
        return customer


class ComplaintViewSet(viewsets.ReadOnlyModelViewSet):
    capabilities = {
        "list": "complaint.view",
        "retrieve": "complaint.view",
        "create": "complaint.create",
    }
    serializer_class = ComplaintOut
    lookup_field = "ref"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Complaint.objects.none()
        return Complaint.objects.visible_to(self.request.user).for_list()

    @extend_schema(request=ComplaintIn, responses={201: ComplaintOut})
    def create(self, request: Request) -> Response:
        """Log a complaint. The same token twice gives the same complaint."""
        given = ComplaintIn(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        values = given.validated_data
        complaint = services.create_complaint(
            by=request.user,
            office=intake_office(request.user),
            category=values["category"],
            channel=values["channel"],
            description=values["text"],
            caller_phone=values["phone"],
            item_no=values["item_no"],
            token=values["token"],
            customer=values.get("customer"),
        )
        return Response(ComplaintOut(complaint).data, status=201)
