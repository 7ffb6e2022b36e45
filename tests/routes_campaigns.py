"""The routes of the card season, and one object of each kind, for tests/routes.py."""

import uuid

from django.utils.timezone import now

from campaigns.models import (
    Campaign,
    CheckedAddress,
    CompetitorNote,
    Contact,
    Gathering,
    Invitation,
    MarketingEvent,
    Milestone,
    OutreachStep,
    PilotUser,
    PrintFile,
    PrintRun,
    PrizeCard,
    PrizeDraw,
    PrizeLevel,
    ProductionError,
    Requirement,
    Resource,
    SeasonDocument,
    ServiceGroup,
    Touch,
    VirtualCheck,
    Win,
)
from campaigns.pipeline import lay
from tests import factories as make
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
        "campaigns:proposal_new": Route(
            "member.note", of="season_member", rows_for="manager supervisor"
        ),
        "campaigns:proposal": Route("member.note", of="proposal"),
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
        "campaigns:groups_before": Route("season.plan", "post", "season"),
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
        "campaigns:cards": Route("print.run", of="card_order"),
        "campaigns:cards_act": Route("print.run", "post", "cards_act"),
        "campaigns:run": Route("print.run", of="print_run"),
        "campaigns:run_act": Route("print.run", "post", "print_run_act"),
        "campaigns:card_reveal": Route("card.reveal", "post", "prize_card"),
        "campaigns:print_file": Route(
            season, of="print_file", rows_for="manager supervisor"
        ),
        "campaigns:addresses": Route("address.judge"),
        "campaigns:address_judge": Route("address.judge", "post", "address"),
        "campaigns:calls": Route("touch.do"),
        "campaigns:call_done": Route("touch.do", "post", "touch"),
        "campaigns:letters": Route("touch.do", "post"),
        "campaigns:campaigns": Route("campaign.view", of="season"),
        "campaigns:campaign": Route("campaign.view", of="campaign"),
        "campaigns:campaign_act": Route("campaign.plan", "post", "campaign_act"),
        "campaigns:contacts": Route("touch.do", of="campaign"),
        "campaigns:contact_answer": Route("touch.do", "post", "contact"),
        "campaigns:event": Route("campaign.view", of="event"),
        "campaigns:draw": Route(season, of="season"),
        "campaigns:level_add": Route("draw.enter", "post", "season"),
        "campaigns:numbers": Route("draw.enter", "post", "level"),
        "campaigns:match": Route("draw.enter", "post", "season"),
        "campaigns:wins": Route("win.view", of="season"),
        "campaigns:wins_told": Route("win.note", "post", "season"),
        "campaigns:win_claim": Route("win.note", "post", "win"),
        "campaigns:phone_list": Route("win.note", of="season"),
        "campaigns:report": Route(season, of="season"),
        "campaigns:gatherings": Route("gathering.view"),
        "campaigns:gathering": Route("gathering.view", of="gathering"),
        "campaigns:gathering_act": Route("gathering.plan", "post", "gathering_act"),
        "campaigns:invitation": Route("gathering.note", "post", "invitation"),
        "campaigns:named": Route("order.named"),
        "campaigns:for_customer": Route("order.view", of="card_customer"),
        "complaints:naming": Route("complaint.view"),
        "prizes": Route("open"),
        "api-season-list": Route(season),
        "api-season-detail": Route(season, of="season"),
        "api-season-report": Route(season, of="season"),
        "api-card-order-list": Route(order),
        "api-card-order-detail": Route(order, of="card_order"),
        "api-card-order-stage": Route(stage, "post", "api_stage"),
        "api-campaign-list": Route("campaign.view"),
        "api-campaign-detail": Route("campaign.view", of="campaign"),
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
    proposal = SeasonDocument.objects.create(
        season=season, kind="proposal", title="x", body="x", customer=customer
    )
    day = season.first_day
    pilot = PilotUser.objects.create(
        season=season, customer=customer, applied_on=day, first_day=day, last_day=day
    )
    made = _later(where, season, order, customer, boss)
    return made | {
        "season": code,
        "season_member": code | {"pk": customer.pk},
        "season_add": code | {"kind": "resource"},
        "season_drop": code | {"kind": "competitor", "pk": note.pk},
        "milestone": code | {"pk": milestone.pk},
        "season_resource": code | {"pk": resource.pk},
        "season_group": code | {"pk": group.pk},
        "season_document": code | {"pk": document.pk},
        "pilot": code | {"pk": pilot.pk},
        "proposal": code | {"pk": customer.pk, "document": proposal.pk},
        "card_order": {"pk": order.pk},
        "card_customer": {"pk": customer.pk},
        "api_stage": {"pk": order.pk, "name": "consult", "what": "begin"},
        "card_order_act": {"pk": order.pk, "act": "drop"},
        "requirement": {"pk": order.pk, "requirement": demand.pk},
        "stage": {"pk": stage.pk},
        "card_error": {"pk": error.pk},
    }


def _later(where, season, order, customer, boss) -> dict:
    """What comes after the contract: cards, draw, outreach."""
    code = {"code": season.code}
    day = season.first_day
    run = PrintRun.objects.create(
        order=order, number=1, version=1, first_number="000001", pieces=1
    )
    card = PrizeCard.objects.create(run=run, season=season, number="000001")
    file = PrintFile.objects.create(
        season=season, run=run, kind="labels", asked_by=boss
    )
    listed = customer.recipient_lists.first() or make.recipient_list(customer)
    check = VirtualCheck.objects.create(order=order, recipient_list=listed, version=1)
    address = CheckedAddress.objects.create(
        check_run=check,
        recipient=make.recipient(listed),
        office=where,
        code="insufficient",
        checked_at=now(),
    )
    draw = PrizeDraw.objects.create(
        season=season,
        drawn_on=day,
        source="x",
        redeem_from=day,
        redeem_until=season.last_day,
        place="x",
    )
    level = PrizeLevel.objects.create(
        draw=draw, rank=1, name="x", prize="x", mode="suffix", digits=1
    )
    win = Win.objects.create(card=card, level=level, customer=customer)
    campaign = Campaign.objects.create(
        season=season, office=where, name="x", whom="base", made_by=boss
    )
    step = OutreachStep.objects.create(
        campaign=campaign, position=1, way="call", body="x"
    )
    contact = Contact.objects.create(
        campaign=campaign, customer=customer, due_at=now(), entered_at=now()
    )
    touch = Touch.objects.create(contact=contact, step=step, outcome="open", at=now())
    event = MarketingEvent.objects.create(
        season=season, office=where, name="x", day=day
    )
    gathering = Gathering.objects.create(
        office=where, kind="forum", name="x", day=day, place="x"
    )
    guest = Invitation.objects.create(gathering=gathering, customer=customer)
    return {
        "gathering": {"pk": gathering.pk},
        "gathering_act": {"pk": gathering.pk, "act": "invite"},
        "invitation": {"pk": guest.pk},
        "cards_act": {"pk": order.pk, "act": "check"},
        "print_run": {"pk": run.pk},
        "print_run_act": {"pk": run.pk, "act": "hand"},
        "prize_card": {"pk": card.pk},
        "print_file": {"pk": file.pk},
        "address": {"pk": address.pk},
        "level": code | {"pk": level.pk},
        "win": {"pk": win.pk},
        "campaign": {"pk": campaign.pk},
        "campaign_act": {"pk": campaign.pk, "act": "step"},
        "contact": {"pk": contact.pk},
        "touch": {"pk": touch.pk},
        "event": {"pk": event.pk},
    }


NOWHERE = {"code": "1900-none"}
MISSING = {
    "season": NOWHERE,
    "season_add": NOWHERE | {"kind": "resource"},
    "season_drop": NOWHERE | {"kind": "competitor", "pk": 99999999},
    **dict.fromkeys(
        [
            *("season_member", "milestone", "season_resource", "season_group"),
            *("season_document", "pilot", "level"),
        ],
        NOWHERE | {"pk": 99999999},
    ),
    **dict.fromkeys(
        [
            *("card_order", "stage", "card_error", "print_run", "prize_card"),
            *(
                "gathering",
                "invitation",
                "card_customer",
                "address",
                "win",
                "campaign",
                "contact",
                "touch",
                "event",
            ),
        ],
        {"pk": 99999999},
    ),
    "proposal": NOWHERE | {"pk": 99999999, "document": 1},
    "card_order_act": {"pk": 99999999, "act": "drop"},
    "gathering_act": {"pk": 99999999, "act": "invite"},
    "cards_act": {"pk": 99999999, "act": "check"},
    "print_run_act": {"pk": 99999999, "act": "hand"},
    "campaign_act": {"pk": 99999999, "act": "step"},
    "print_file": {"pk": uuid.UUID(int=0)},
    "requirement": {"pk": 99999999, "requirement": 1},
    "api_stage": {"pk": 99999999, "name": "consult", "what": "begin"},
}
