"""Cards left over: the task to propose something; what the report says of goals."""

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils.timezone import localdate

from campaigns import reporting, seasons
from campaigns.models import CompetitorNote, Season
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from customers.models import Task
from delivery import visit_log
from delivery.models import Visit, VisitPlan
from tests import factories as make
from tests.seasons import ordered, season


@pytest.fixture
def row(cast) -> Season:
    found = season(cast.wuhan, revenue_target=8000, customers_target=4, share_target=50)
    plan = VisitPlan.objects.create(
        office=cast.wuhan,
        name="售后回访",
        first_day=localdate(),
        due_on=localdate(),
        type="after_campaign",
    )
    Season.objects.filter(pk=found.pk).update(after_plan=plan, state="issued")
    found.refresh_from_db()
    return found


def visited(cast, row: Season, left: int):
    """A customer whose visit after the season found so many cards left."""
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    visit = make.visit(customer, type="after_campaign")
    Visit.objects.filter(pk=visit.pk).update(plan=row.after_plan)
    visit_log.log(
        visit, by=cast.zhao, visited_on=localdate(), result="fine", stock_left=left
    )
    return customer


def night() -> None:
    run_inline(
        Job.objects.create(
            kind="campaigns.leftovers", due_at=Season.objects.get().made_at
        )
    )


def test_cards_left_over_ask_for_a_proposal_until_it_is_written(cast, row):
    left, none = visited(cast, row, 300), visited(cast, row, 0)
    for _time in range(2):
        night()
    task = Task.objects.get(kind="stock")
    assert (task.customer, task.assignee, task.ref) == (left, cast.zhao, "300")
    assert not none.tasks.filter(kind="stock").exists()
    seasons.note(row, left, by=cast.zhao, facts={"effect": "来店客户多了"})
    task.refresh_from_db()
    assert task.done_at is None
    seasons.note(row, left, by=cast.zhao, facts={"proposal": "换成明年的新卡"})
    task.refresh_from_db()
    assert task.done_by == cast.zhao
    other = visited(cast, row, 20)
    seasons.note(row, other, by=cast.zhao, facts={"proposal": "回收"})
    night()
    assert not other.tasks.filter(kind="stock").exists()


def test_the_report_measures_the_campaign_targets(client, cast, row):
    for _n in range(2):
        ordered(row, make.customer(cast.wuhan))
    goals = {name: rest for name, *rest in reporting.report(row, cast.wuhan).goals}
    assert goals == {
        "revenue": [4000, 8000],
        "customers": [2, 4],
        "market_share": [None, 50],
    }
    for sales in (9000, None, 3000):
        CompetitorNote.objects.create(
            season=row, name="某快递", strategy="降价", sales=sales
        )
    found = reporting.report(row, cast.wuhan)
    assert {name: got for name, got, _goal in found.goals}["market_share"] == 25
    make.sign_in(client, cast.chen)
    body = client.get(reverse("campaigns:report", args=[row.code])).content.decode()
    assert "25.0" in body
    assert "50.0" in body
    below = reporting.report(row, cast.wuchang).goals
    assert [goal for _name, _got, goal in below] == [None, None, None]
    assert below[2][1] is None


def test_sales_below_zero_are_refused(row):
    with pytest.raises(IntegrityError):
        CompetitorNote.objects.create(
            season=row, name="某快递", strategy="降价", sales=-1
        )
