"""The customer API: the same rows, services, forms and masks as the pages.

`/customers/` lists, makes and changes records; `/customers/<id>/<collection>/` lists and
adds what hangs on one; search, merge and undo are actions.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.access.capabilities import require
from crm.access.models import Submission
from crm.audit import services as audit
from customers import merging, records, services
from customers.api_shapes import (
    Added,
    CustomerChange,
    CustomerIn,
    CustomerOut,
    CustomerShort,
    MergeIn,
    SearchIn,
    grade_out,
    value_out,
)
from customers.forms import FilterForm
from customers.ledger import BUCKETS, ageing_of
from customers.listing import filtered
from customers.models import Customer, Merge
from customers.panels import PANELS, Panel
from customers.queries import months_of
from customers.search import ending_of, find
from customers.service_points import points_of

# What each collection shows of a row; values that need a mask come from the row itself.
COLLECTIONS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "phones": lambda row, user: {
        "number": row.number_for(user),
        **_fields(row, "type", "level", "is_primary", "is_invalid", "opted_out"),
    },
    "addresses": lambda row, user: {
        "address": row.text_for(user),
        **_fields(row, "type", "region", "postcode", "quality", "score", "source"),
    },
    "contacts": lambda row, user: {
        "name": row.name_for(user),
        **_fields(row, "post", "birthday_calendar", "next_birthday"),
    },
    "external": lambda row, user: _fields(row, "system", "value"),
    "consents": lambda row, user: _fields(
        row, "purpose", "how", "given_at", "withdrawn_at"
    ),
    "points": lambda row, user: _fields(row, "text", "tone", "valid_until"),
    "contracts": lambda row, user: _fields(
        row,
        "number",
        "starts_on",
        "ends_on",
        "ended_on",
        "billing",
        "credit_days",
        "credit_limit",
        "price_terms",
        "has_safety_agreement",
    ),
    "opportunities": lambda row, user: _fields(
        row, "title", "kind", "stage", "revenue", "due_on", "problems", "evaluation"
    ),
    "corrections": lambda row, user: _fields(row, "field", "state", "reply"),
    "lists": lambda row, user: _fields(
        row, "name", "purpose", "agreement", "ends_on", "at_end", "version", "closed_at"
    ),
    "tasks": lambda row, user: _fields(
        row, "kind", "title", "ref", "due_on", "done_at"
    ),
}


def _fields(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def once(request: Request, act: Callable[[], str]) -> tuple[str, bool]:
    """(what `act` returned, whether it had done so before) for an Idempotency-Key.

    The same key with another body is refused with 422; without a key, `act` just acts.
    """
    try:
        key = uuid.UUID(request.headers.get("Idempotency-Key", ""))
    except ValueError:
        return act(), False
    body = json.dumps(request.data, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{request.path}\n{body}".encode()).hexdigest()[:32]
    with transaction.atomic():
        row, created = Submission.objects.get_or_create(
            token=key, defaults={"user": request.user}
        )
        if created:
            row.answer = f"{digest} {act()}"
            row.save(update_fields=["answer"])
            return row.answer.split(" ", 1)[1], False
    sent, _sep, answer = row.answer.partition(" ")
    if row.user_id != request.user.pk or sent != digest:
        raise serializers.ValidationError(
            {"Idempotency-Key": ["This key was used for something else."]}
        )
    return answer, True


def replayed(body: Any, again: bool) -> Response:
    answer = Response(body, status=200 if again else 201)
    if again:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


class CustomerViewSet(viewsets.ReadOnlyModelViewSet):
    capabilities = {
        "list": "customer.view",
        "retrieve": "customer.view",
        "create": "customer.create",
        "partial_update": "customer.edit",
        "search": "customer.view",
        "summary": "customer.view",
        "worth": "customer.view",
        "collection": "customer.view",
        "add": "customer.view",
        "merge": "customer.merge",
        "unmerge": "customer.merge",
    }
    lookup_value_regex = r"\d{1,18}"

    def get_serializer_class(self) -> Any:
        return CustomerShort if self.action == "list" else CustomerOut

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Customer.objects.none()
        rows = Customer.objects.visible_to(self.request.user)
        if self.action != "list":
            return rows.select_related("office", "manager")
        form = FilterForm(self.request.query_params)
        if not form.is_valid():
            raise serializers.ValidationError(form.errors)
        found: Any = filtered(self.request.user, form.cleaned_data)
        return found.for_list()

    @extend_schema(request=CustomerIn, responses={201: CustomerOut})
    def create(self, request: Request) -> Response:
        """Make a customer; with an Idempotency-Key, once."""
        sent = CustomerIn(data=request.data, context={"request": request})
        sent.is_valid(raise_exception=True)
        pk, again = once(request, lambda: str(self._create(sent.validated_data)))
        customer = self.get_queryset_of(int(pk))
        return replayed(CustomerOut(customer, context={"request": request}).data, again)

    def _create(self, typed: dict[str, Any]) -> int:
        return records.create_customer(by=self.request.user, **typed).pk

    def get_queryset_of(self, pk: int) -> Customer:
        rows = Customer.objects.visible_to(self.request.user)
        return get_object_or_404(rows.select_related("office", "manager"), pk=pk)

    @extend_schema(request=CustomerChange, responses=CustomerOut)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields. 409 with what is there when somebody else changed them meanwhile."""
        customer = self.get_queryset_of(int(pk))
        sent = CustomerChange(data=request.data)
        sent.is_valid(raise_exception=True)
        after = dict(sent.validated_data)
        before = {name: getattr(customer, name) for name in after if name != "version"}
        if after.pop("version") != customer.version:
            there = {n: str(v) for n, v in before.items() if v != after[n]}
            if {"name", "aliases", "id_number"} & set(there):
                there = {
                    n: "…" if n in ("name", "id_number") else v
                    for n, v in there.items()
                }
            if there:
                body = {"code": "conflict", "message": "Changed meanwhile."}
                return Response({**body, "errors": there}, status=409)
        records.change_customer(customer, by=request.user, before=before, after=after)
        changed = self.get_queryset_of(int(pk))
        return Response(CustomerOut(changed, context={"request": request}).data)

    @extend_schema(request=SearchIn, responses=CustomerShort(many=True))
    @action(detail=False, methods=["post"])
    def search(self, request: Request) -> Response:
        """Find by any scrap, best first, each with the reason of the match."""
        sent = SearchIn(data=request.data)
        sent.is_valid(raise_exception=True)
        query = sent.validated_data["q"]
        if ending := ending_of(query):
            services.search_by_ending(ending, by=request.user)
        hits = find(request.user, query)
        audit.record(request.user, "customer.searched", details={"found": len(hits)})
        context = {"request": request}
        found = [
            {**CustomerShort(hit.customer, context=context).data, "reason": hit.reason}
            for hit in hits
        ]
        return Response({"results": found})

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def summary(self, request: Request, pk: str) -> Response:
        """Service points, months of usage, and what is owed by age."""
        customer = self.get_queryset_of(int(pk))
        ageing = ageing_of(customer)
        points = points_of(customer, ageing=ageing)
        owed = {
            f"{low}-{high or ''}": amount
            for (low, high), amount in zip(BUCKETS, ageing.overdue, strict=True)
        }
        return Response(
            {
                "service_points": [
                    {"text": point.text, "tone": point.tone} for point in points
                ],
                "months": [month.__dict__ for month in months_of(customer)],
                "not_due": ageing.not_due,
                "overdue": owed,
                "arrears_rate": ageing.rate,
            }
        )

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def worth(self, request: Request, pk: str) -> Response:
        """Grade with its reasons, and value with what it rests on (PIPL art. 24)."""
        customer = self.get_queryset_of(int(pk))
        return Response({"grade": grade_out(customer), "value": value_out(customer)})

    @extend_schema(
        parameters=[OpenApiParameter("name", str, "path", enum=sorted(COLLECTIONS))],
        responses=Added,
    )
    @action(detail=True, url_path="collections/(?P<name>[a-z]+)")
    def collection(self, request: Request, pk: str, name: str) -> Response:
        """What hangs on a customer: phones, addresses, contracts, …, masked as on screen."""
        customer = self.get_queryset_of(int(pk))
        return Response(self._listed(customer, name))

    def _listed(self, customer: Customer, name: str) -> dict[str, Any]:
        show, panel = COLLECTIONS.get(name), PANELS.get(name)
        if show is None or panel is None:
            raise Http404
        rows = panel.rows(customer)[:200]
        user = self.request.user
        return {"results": [{"id": row.pk, **show(row, user)} for row in rows]}

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: Added})
    @collection.mapping.post
    def add(self, request: Request, pk: str, name: str) -> Response:
        """Add to a collection, through the same form and service as the page."""
        customer = self.get_queryset_of(int(pk))
        panel = PANELS.get(name)
        if name not in COLLECTIONS or panel is None or panel.add is None:
            raise Http404
        require(request.user, panel.capability, customer.office)
        typed = self._typed(panel, customer)
        add = panel.add

        def act() -> str:
            add(customer, request.user, typed)
            return name

        _name, again = once(request, act)
        return replayed(self._listed(customer, name), again)

    def _typed(self, panel: Panel, customer: Customer) -> dict[str, Any]:
        """What was sent, checked by the panel's form; unknown fields are refused."""
        data = self.request.data
        form = panel.form(data if isinstance(data, dict) else {})
        if hasattr(form, "for_customer"):
            form.for_customer(customer, self.request.user)
        unknown = set(data) - set(form.fields) if isinstance(data, dict) else {"body"}
        if unknown:
            raise serializers.ValidationError(
                {name: ["Unknown field."] for name in sorted(unknown)}
            )
        if not form.is_valid():
            raise serializers.ValidationError(form.errors)
        return form.cleaned_data

    @extend_schema(request=MergeIn, responses=CustomerOut)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Make another customer part of this one."""
        survivor = self.get_queryset_of(int(pk))
        sent = MergeIn(data=request.data)
        sent.is_valid(raise_exception=True)
        loser = self.get_queryset_of(sent.validated_data["loser"])
        take = set(sent.validated_data["take"])
        merging.merge(survivor, loser, by=request.user, take=take)
        merged = self.get_queryset_of(int(pk))
        return Response(CustomerOut(merged, context={"request": request}).data)

    @extend_schema(request=None, responses=CustomerOut)
    @action(detail=True, methods=["post"])
    def unmerge(self, request: Request, pk: str) -> Response:
        """Undo the latest merge into this customer."""
        survivor = self.get_queryset_of(int(pk))
        row = Merge.objects.filter(survivor=survivor, undone_at=None).first()
        if row is None:
            raise Http404
        merging.undo(row, by=request.user)
        survivor = self.get_queryset_of(int(pk))
        return Response(CustomerOut(survivor, context={"request": request}).data)
