"""Forms of orders, stages and products."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns import products
from campaigns.forms import CustomerField, people_at, person
from campaigns.models import (
    CardOrder,
    CardProduct,
    OrderStage,
    PriceBand,
    ProductionError,
    Requirement,
    Season,
    Stage,
)
from crm.access.models import User
from crm.org.models import Office
from customers.models import Customer
from delivery.quality.forms import bounded, day
from delivery.visit_forms import DAY


class OfferForm(forms.ModelForm):
    customer = CustomerField()

    class Meta:
        model = CardOrder
        fields = [
            *("customer", "product", "pieces", "price", "content"),
            *("ordered_on", "valid_until", "posting_on", "cost"),
        ]
        widgets = dict.fromkeys(("ordered_on", "valid_until", "posting_on"), DAY)
        help_texts = {
            "price": gettext_lazy("Empty: the price of the list."),
            "posting_on": gettext_lazy("Empty: the season's main posting day."),
        }

    def __init__(
        self,
        data: Any,
        *,
        season: Season,
        by: User,
        about: Customer | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(data, **facts)
        self.instance.season = season
        self.fields["customer"].by = by
        offered = products.offered_in(season)
        self.fields["product"].queryset = CardProduct.objects.filter(
            pk__in=[row.pk for row in offered]
        )
        self.fields["product"].required = True
        self.fields["pieces"].validators += [
            MinValueValidator(1),
            MaxValueValidator(10_000_000),
        ]
        for name in ("price", "cost"):
            self.fields[name].validators.append(MinValueValidator(0))
        self.fields["price"].validators.append(MaxValueValidator(1_000))
        self.fields["cost"].required = False
        bounded(self, "ordered_on", "valid_until", "posting_on")
        known = self.instance.customer if self.instance.pk else about
        if known:
            self.initial["customer"] = known.code
            self.fields["customer"].kept = known
        if self.instance.pk:
            self.fields["customer"].disabled = True
        else:
            self.initial.setdefault("ordered_on", localdate())

    def clean_cost(self) -> Any:
        return self.cleaned_data["cost"] or 0


class ContractForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Contract number"), max_length=40)
    on = day(gettext_lazy("Contract of"))


class ReasonForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Called off because"), max_length=200)


class RequirementForm(forms.ModelForm):
    class Meta:
        model = Requirement
        fields = ["kind", "first", "last", "words"]
        widgets = {"first": DAY, "last": DAY}

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        bounded(self, "first", "last")

    def clean(self) -> dict:
        found = super().clean() or {}
        first, last = found.get("first"), found.get("last")
        if found.get("kind") == Requirement.Kind.DATES:
            if not (first and last):
                self.add_error("first", _("Give both days."))
            elif last < first:
                self.add_error("last", _("The period ends before it begins."))
        elif not found.get("words"):
            self.add_error("words", _("Say it in words."))
        return found


class PiecesForm(forms.Form):
    pieces = forms.IntegerField(
        label=gettext_lazy("Pieces"), min_value=0, max_value=100_000_000, required=False
    )


class StageForm(forms.ModelForm):
    owner = person(gettext_lazy("Owner"), required=False)

    class Meta:
        model = OrderStage
        fields = ["office", "owner", "due_on"]
        widgets = {"due_on": DAY}

    def __init__(self, data: Any, *, stage: OrderStage) -> None:
        super().__init__(data, instance=stage)
        top = stage.order.season.office
        self.fields["office"].queryset = Office.objects.active().under(top)
        self.fields["office"].empty_label = None
        self.fields["owner"].queryset = people_at(stage.office)
        bounded(self, "due_on")


class ErrorForm(forms.ModelForm):
    class Meta:
        model = ProductionError
        fields = ["kind", "pieces", "words", "cost"]


class OrderFilter(forms.Form):
    """The orders behind a figure: all of it stands in the address."""

    WHICH = (
        ("", pgettext_lazy("order", "All")),
        *CardOrder.State.choices,
        ("late", pgettext_lazy("order", "Late")),
    )
    which = forms.ChoiceField(choices=WHICH, required=False)
    stage = forms.ChoiceField(choices=[("", "")] + Stage.choices, required=False)


class ProductForm(forms.ModelForm):
    class Meta:
        model = CardProduct
        fields = [
            *("code", "name", "name_zh", "type", "sale", "first_year", "last_year"),
        ]


BandFormSet = forms.modelformset_factory(
    PriceBand, fields=["least", "step", "price"], extra=3, max_num=12, can_delete=True
)
