"""The routes of the card season, and one object of each kind, for tests/routes.py."""

from campaigns.models import (
    CompetitorNote,
    Milestone,
    PilotUser,
    ProductionError,
    Requirement,
    Resource,
    SeasonDocument,
    ServiceGroup,
)
from campaigns.pipeline import lay
from tests import seasons


def routes(Route) -> dict:  # noqa: N803 - the class of tests/routes.py
    season, order, stage = "season.view", "order.view", "stage.do"
    return {
        "campaigns:seasons": Route(season),
        "campaigns:season": Route(season, of="season"),
        "campaigns:season_edit": Route("season.plan", of="season"),
        "campaigns:season_act": Route(season, "post", "season", is_lost=True),
        "campaigns:names": Route("member.view", of="season", is_lost=True),
        "campaigns:member": Route(
            "member.note", of="season_member", rows_for="manager supervisor"
        ),
        "campaigns:plan": Route(season, of="season"),
        "campaigns:lay": Route("season.plan", "post", "season"),
        "campaigns:plan_add": Route("season.plan", "post", "season_add"),
        "campaigns:plan_drop": Route("season.plan", "post", "season_drop"),
        "campaigns:milestone": Route("season.plan", of="milestone"),
        "campaigns:milestone_done": Route(
            season, "post", "milestone", rows_for="supervisor planner"
        ),
        "campaigns:resource": Route("season.plan", of="season_resource"),
        "campaigns:group": Route("season.plan", "post", "season"),
        "campaigns:duties": Route("season.plan", of="season_group"),
        "campaigns:document_new": Route("season.plan", of="season"),
        "campaigns:document": Route(season, of="season_document"),
        "campaigns:review": Route(season, of="season"),
        "campaigns:review_decide": Route("season.review", "post", "season"),
        "campaigns:pilot_apply": Route("member.note", "post", "season"),
        "campaigns:pilot_decide": Route("season.plan", "post", "pilot"),
        "campaigns:pilot_found": Route("member.note", "post", "pilot"),
        "campaigns:orders": Route(order, of="season"),
        "campaigns:order_new": Route("order.keep", of="season"),
        "campaigns:order": Route(order, of="card_order"),
        "campaigns:order_edit": Route("order.keep", of="card_order"),
        "campaigns:order_act": Route("order.keep", "post", "card_order_act"),
        "campaigns:requirement": Route("order.keep", "post", "requirement"),
        "campaigns:stages": Route(stage),
        "campaigns:stage": Route(stage, of="stage"),
        "campaigns:stage_act": Route(stage, "post", "stage"),
        "campaigns:stage_error": Route(stage, "post", "stage"),
        "campaigns:error_settle": Route(stage, "post", "card_error"),
        "campaigns:products": Route(order),
        "campaigns:product_new": Route("product.edit"),
        "campaigns:product": Route("product.edit", is_lost=True),
    }


def things(where, customer, boss) -> dict:
    """A season of an office with all that hangs on it, as address arguments."""
    season = seasons.season(where, f"2027-{where.code}")
    code = {"code": season.code}
    order = seasons.ordered(
        season,
        customer,
        state="contract",
        contract_number="HT",
        product=seasons.product(),
    )
    lay(order)
    stage = order.stages.first()
    error = ProductionError.objects.create(
        stage=stage,
        ref=f"PE-{where.code}",
        kind="print",
        pieces=1,
        words="x",
        noted_by=boss,
    )
    demand = Requirement.objects.create(order=order, kind="whom", words="收发室")
    milestone = Milestone.objects.create(
        season=season,
        content="x",
        department="letter",
        first_day=season.first_day,
        due_on=season.last_day,
    )
    note = CompetitorNote.objects.create(season=season, name="x", strategy="x")
    resource = Resource.objects.create(
        season=season, kind="people", name="x", planned=1
    )
    group = ServiceGroup.objects.create(season=season, office=where, leader=boss)
    document = SeasonDocument.objects.create(
        season=season, kind="plan", title="x", body="x"
    )
    day = season.first_day
    pilot = PilotUser.objects.create(
        season=season, customer=customer, applied_on=day, first_day=day, last_day=day
    )
    return {
        "season": code,
        "season_member": code | {"pk": customer.pk},
        "season_add": code | {"kind": "resource"},
        "season_drop": code | {"kind": "competitor", "pk": note.pk},
        "milestone": code | {"pk": milestone.pk},
        "season_resource": code | {"pk": resource.pk},
        "season_group": code | {"pk": group.pk},
        "season_document": code | {"pk": document.pk},
        "pilot": code | {"pk": pilot.pk},
        "card_order": {"pk": order.pk},
        "card_order_act": {"pk": order.pk, "act": "drop"},
        "requirement": {"pk": order.pk, "requirement": demand.pk},
        "stage": {"pk": stage.pk},
        "card_error": {"pk": error.pk},
    }


NOWHERE = {"code": "1900-none"}
MISSING = {
    "season": NOWHERE,
    "season_add": NOWHERE | {"kind": "resource"},
    "season_drop": NOWHERE | {"kind": "competitor", "pk": 99999999},
    **dict.fromkeys(
        [
            *("season_member", "milestone", "season_resource", "season_group"),
            *("season_document", "pilot"),
        ],
        NOWHERE | {"pk": 99999999},
    ),
    **dict.fromkeys(["card_order", "stage", "card_error"], {"pk": 99999999}),
    "card_order_act": {"pk": 99999999, "act": "drop"},
    "requirement": {"pk": 99999999, "requirement": 1},
}
