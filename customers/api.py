"""The customer API: read-only, over the same rows and masks as the pages."""

from typing import Any

from rest_framework import serializers, viewsets

from customers.models import Customer


class CustomerOut(serializers.ModelSerializer):
    name = serializers.SerializerMethodField()
    office = serializers.CharField(source="office.code")

    class Meta:
        model = Customer
        fields = ["id", "code", "name", "kind", "segment", "office"]

    def get_name(self, customer: Customer) -> str:
        return customer.name_for(self.context["request"].user)


class CustomerViewSet(viewsets.ReadOnlyModelViewSet):
    capabilities = {"list": "customer.view", "retrieve": "customer.view"}
    serializer_class = CustomerOut

    def get_queryset(self) -> Any:
        return Customer.objects.visible_to(self.request.user).for_list()
