"""What the customer API takes and gives: strict in, masked out."""

from typing import Any

from rest_framework import serializers

from crm import text
from crm.access.scoping import offices_of
from crm.api import StrictSerializer
from crm.numbers import mask_id_number, valid_credit_code, valid_id_number
from customers import merging
from customers.grades import explain, newest_assessment
from customers.models import Customer, CustomerGrade, CustomerValue, choices

EDITABLE = (
    "segment",
    "nature",
    "industry",
    "size",
    "strategic_class",
    "source",
    "legal_basis",
    "membership",
    "signing_habit",
    "service_plan",
    "list_state",
    "is_headquarters",
    "is_potential_key_account",
)


class CustomerOut(serializers.ModelSerializer):
    """A record as its reader may see it."""

    name = serializers.SerializerMethodField()
    aliases = serializers.SerializerMethodField()
    id_number = serializers.SerializerMethodField()
    office = serializers.CharField(source="office.code")
    manager = serializers.CharField(source="manager.username", allow_null=True)

    class Meta:
        model = Customer
        fields = [
            "id",
            "code",
            "name",
            "kind",
            "office",
            "manager",
            "aliases",
            "credit_code",
            "id_number",
            "verified_on",
            "version",
            *EDITABLE,
        ]

    def get_name(self, customer: Customer) -> str:
        return customer.name_for(self.context["request"].user)

    def get_aliases(self, customer: Customer) -> list[str]:
        return customer.aliases_for(self.context["request"].user)

    def get_id_number(self, customer: Customer) -> str:
        return mask_id_number(customer.id_number)


class CustomerShort(serializers.ModelSerializer):
    """A record in a list."""

    name = serializers.SerializerMethodField()
    office = serializers.CharField(source="office.code")

    class Meta:
        model = Customer
        fields = ["id", "code", "name", "kind", "segment", "office"]

    def get_name(self, customer: Customer) -> str:
        return customer.name_for(self.context["request"].user)


class Facts(StrictSerializer):
    """What may be set of a record; everything is optional in a change."""

    segment = serializers.ChoiceField(choices=choices.Segment.choices, required=False)
    nature = serializers.ChoiceField(
        choices=choices.Nature.choices, required=False, allow_blank=True
    )
    industry = serializers.ChoiceField(
        choices=choices.Industry.choices, required=False, allow_blank=True
    )
    size = serializers.ChoiceField(
        choices=choices.Size.choices, required=False, allow_blank=True
    )
    strategic_class = serializers.ChoiceField(
        choices=choices.StrategicClass.choices, required=False, allow_blank=True
    )
    source = serializers.ChoiceField(
        choices=choices.Source.choices, required=False, allow_blank=True
    )
    legal_basis = serializers.ChoiceField(
        choices=choices.LegalBasis.choices, required=False
    )
    list_state = serializers.ChoiceField(
        choices=choices.ListState.choices, required=False
    )
    membership = serializers.CharField(max_length=20, required=False, allow_blank=True)
    signing_habit = serializers.CharField(
        max_length=60, required=False, allow_blank=True
    )
    service_plan = serializers.CharField(
        max_length=120, required=False, allow_blank=True
    )
    is_headquarters = serializers.BooleanField(required=False)
    is_potential_key_account = serializers.BooleanField(required=False)
    credit_code = serializers.CharField(
        max_length=18,
        required=False,
        allow_blank=True,
        validators=[valid_credit_code],
    )
    id_number = serializers.CharField(
        max_length=18, required=False, allow_blank=True, validators=[valid_id_number]
    )
    aliases = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=10
    )


class CustomerIn(Facts):
    """A new record."""

    office = serializers.CharField(max_length=20)
    kind = serializers.ChoiceField(choices=choices.Kind.choices)
    name = serializers.CharField(max_length=120)
    code = serializers.CharField(max_length=40, required=False, default="")
    phone = serializers.CharField(max_length=30, required=False, default="")
    address = serializers.CharField(max_length=200, required=False, default="")

    def validate_phone(self, value: str) -> str:
        if value and not text.normalise_phone(value):
            raise serializers.ValidationError("Not a phone number.")
        return value

    def validate_office(self, value: str) -> Any:
        """A foreign office is answered like an unknown one."""
        user = self.context["request"].user
        office = offices_of(user, "agent", "manager", "supervisor").filter(code=value)
        if not (found := office.first()):
            raise serializers.ValidationError("Unknown office.")
        return found


class CustomerChange(Facts):
    """A change: the version that was read, and the fields to set."""

    version = serializers.IntegerField()
    name = serializers.CharField(max_length=120, required=False)


class SearchIn(StrictSerializer):
    q = serializers.CharField(max_length=60)


class MergeIn(StrictSerializer):
    """`loser` becomes part of the addressed customer; `take` names the loser's values."""

    loser = serializers.IntegerField()
    take = serializers.ListField(
        child=serializers.ChoiceField(choices=merging.CHOSEN), default=list
    )


class Added(serializers.Serializer):
    """The collection after something was added to it."""

    results = serializers.ListField(child=serializers.DictField())


def grade_out(customer: Customer) -> dict[str, Any] | None:
    """The grade in force and how the last published run came to its own."""
    held = CustomerGrade.objects.filter(customer=customer).first()
    if held is None:
        return None
    found: dict[str, Any] = {
        "code": held.code,
        "name": held.name,
        "benefits": held.benefits,
        "since": held.since,
        "by_hand": held.code != held.run_code,
    }
    if row := newest_assessment(customer):
        why = explain(row)
        found["why"] = {
            "scheme": str(why.scheme),
            "until": row.run.until,
            "rule": row.rule,
            "amount": row.amount,
            "score": row.score,
            "dimensions": [
                {"name": name, "measure": value, "points": points, "weight": weight}
                for name, value, points, weight, _part in why.lines
            ],
            "missing": {"yuan": why.missing_amount, "points": why.missing_score},
        }
    return found


VALUE_FIELDS = (
    *("until", "purchase_days", "first_on", "last_on", "mean_spending", "days_12"),
    *("months_12", "revenue_12", "alive", "purchases_12", "purchases_36", "value_12"),
    *("value_36", "recency", "frequency", "money", "frequency_class", "value_class"),
)


def value_out(customer: Customer) -> dict[str, Any] | None:
    row = CustomerValue.objects.filter(customer=customer).first()
    return {name: getattr(row, name) for name in VALUE_FIELDS} if row else None
