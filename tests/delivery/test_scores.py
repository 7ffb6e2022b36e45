"""The score: exact arithmetic, schemes by month, the league, its pages."""

import math
from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate
from hypothesis import given
from hypothesis import strategies as st

from crm.access.models import Role
from crm.access.office_admin import move_office
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from customers.queries import add_months
from delivery.models import CourierTally, PickupTally, Score, ScorePart, ScoreScheme
from delivery.quality import rates, scores
from delivery.quality.figures import NOTHING
from delivery.quality.scoring import MEASURES, reached, scored, shown
from tests import factories as make

DONE = {"delivered_at": "2026-10-13T09:00+08:00", "attempts": "1"}
LATE = {"delivered_at": "2026-10-29T09:00+08:00", "attempts": "2"}
OCTOBER = date(2026, 10, 1)
PARTS = [
    SimpleNamespace(
        measure=name, weight=Decimal(weight), floor=Decimal(low), target=Decimal(high)
    )
    for name, weight, low, high in (
        ("on_time_rate", 60, 70, 95),
        ("timely_pickup_rate", 10, 80, 95),
        ("loss_damage_rate", 30, 100, 0),
    )
]


def counts(**given) -> dict[str, int]:
    return NOTHING | given


def test_each_part_is_linear_between_its_floor_and_its_target():
    # 82.5 % on time: half of the way from 70 to 95; 50 of 10,000 gone: half of the way.
    found = scored(
        counts(
            items=200,
            limited=200,
            on_time=165,
            delivered=199,
            damaged=0,
            pickups_due=10,
        )
        | {"pickups_timely": 10},
        PARTS,
    )
    assert [line["points"] for line in found.lines] == ["30.00", "10.00", "15.00"]
    assert found.value == found.exact == 55


def test_little_is_good_where_the_target_lies_below_the_floor():
    low, high = Decimal(100), Decimal(0)
    assert [reached(n, low, high) for n in (0, 25, 100, 300)] == [1, 0.75, 0, 0]


def test_what_was_not_measured_stretches_the_other_weights_and_says_so():
    found = scored(counts(items=10, limited=10, on_time=10, delivered=10), PARTS)
    assert [line["points"] for line in found.lines] == ["66.67", None, "33.33"]
    assert found.value == 100
    assert scored(counts(), PARTS) is None


@given(st.lists(st.fractions(0, 100), min_size=1, max_size=8))
def test_the_points_shown_add_up_to_the_score_shown(exact):
    points = shown(exact)
    assert sum(points) == Decimal(math.floor(sum(exact) * 100 + Fraction(1, 2))) / 100
    assert all(
        abs(p - float(e)) < 0.0101
        for p, e in zip(map(float, points), exact, strict=True)
    )


def test_the_band_begins_with_its_line_and_is_read_before_rounding():
    scheme = ScoreScheme(valid_from=OCTOBER, excellent=95, met=90, watch=80)
    values = ("95", "94.999", "90", "89.9999", "80", "79.99")
    assert [scheme.band_of(Decimal(v)) for v in values] == [
        *("excellent", "met", "met", "watch", "watch", "failed")
    ]


def test_the_tail_is_told_in_days_beyond_the_limit():
    def days(*reached: int) -> int | None:
        names = ("on_time", "plus_1", "plus_2", "plus_3")
        return rates.tail_days(
            counts(limited=100) | dict(zip(names, reached, strict=True))
        )

    assert days(95, 99, 100, 100) == 0
    assert days(94, 94, 95, 100) == 2
    assert days(10, 20, 30, 94) == 4
    assert rates.tail_days(counts()) is None


@pytest.fixture
def month(cast):
    """October of Wuhan and of the county below it, two couriers there."""
    for serial in range(32):
        make.item(
            cast.wuchang, courier=f"K{serial % 2}", **(LATE if serial % 4 else DONE)
        )
        make.item(cast.wuhan, **DONE)
    run_inline(enqueue("delivery.tally"))
    scores.count_month(OCTOBER)
    return cast


def of(office, courier: str = "") -> Score:
    return Score.objects.get(month=OCTOBER, office=office, courier=courier)


def test_a_month_is_counted_for_every_office_and_courier(month):
    assert of(month.wuchang).items == 32
    assert of(month.wuhan).items == 64
    assert of(month.wuchang, "K0").items == 16
    line = {row["measure"]: row for row in of(month.wuchang).lines}["on_time_rate"]
    assert (line["numerator"], line["denominator"]) == (8, 32)
    for row in Score.objects.all():
        points = [Decimal(x["points"]) for x in row.lines if x["points"]]
        assert sum(points) == row.value
    again = {row.office_id: row.value for row in Score.objects.filter(courier="")}
    scores.count_month(OCTOBER)
    assert {r.office_id: r.value for r in Score.objects.filter(courier="")} == again


def test_a_courier_is_not_measured_by_what_is_not_theirs(month):
    PickupTally.objects.create(
        day=OCTOBER,
        office=month.wuchang,
        due=50,
        timely=10,
        collected=10,
        called=0,
        cancelled=0,
    )
    scores.count_month(OCTOBER)
    named = {r["measure"]: r["points"] for r in of(month.wuchang, "K1").lines}
    assert named["timely_pickup_rate"] is named["complaints_per_10k"] is None
    assert named["tail_days"] is not None
    named = {r["measure"]: r["points"] for r in of(month.wuchang).lines}
    assert named["timely_pickup_rate"] == "0.00"


def test_the_league_ranks_the_units_and_tells_how_they_moved(month):
    rows = scores.league(month.hubei, OCTOBER, "courier")
    assert [row.place for row in rows] == [None, None]  # sixteen each: too few
    Score.objects.filter(courier__startswith="K").update(items=40)
    Score.objects.filter(courier="K1").update(value=99)
    before = Score.objects.filter(office=month.wuchang, courier__startswith="K")
    for row in list(before):
        row.pk, row.month = None, date(2026, 9, 1)
        row.value = 10 if row.courier == "K1" else 20
        row.save()
    first, second = scores.league(month.hubei, OCTOBER, "courier")
    assert (first.name, first.place, first.change) == ("K1", 1, 1)
    assert (second.place, second.change, second.value_before) == (2, -1, 20)
    assert not second.is_otherwise_made
    less = Score.objects.get(month=date(2026, 9, 1), courier="K0")
    less.lines[0]["points"] = None
    less.save()
    assert scores.league(month.hubei, OCTOBER, "courier")[1].is_otherwise_made
    assert scores.league(month.wuhan, OCTOBER, "outlet") == []
    (county,) = scores.league(month.wuhan, OCTOBER, "county")
    assert county.office == month.wuchang


def test_the_page_explains_and_every_line_leads_to_its_items(month, sign_in):
    client = sign_in(month.chen)
    url = reverse("quality:scores")
    page = client.get(url, {"office": month.wuhan.code, "month": "2026-10"})
    text = page.content.decode()
    assert f"{of(month.wuhan).value}" in text
    assert (
        f"office={month.wuhan.code}&amp;since=2026-10-01&amp;until=2026-10-31" in text
    )
    assert [row.office for row in page.context["rows"]] == [month.wuchang]
    page = client.get(
        url,
        {
            "office": month.wuchang.code,
            "month": "2026-10",
            "level": "courier",
            "courier": "K0",
        },
    )
    assert page.context["score"] == of(month.wuchang, "K0")
    table = client.get(
        url, {"office": month.wuhan.code, "month": "2026-10", "csv": "1"}
    )
    lines = b"".join(table.streaming_content).decode().splitlines()
    assert len(lines) == 2
    assert month.wuchang.code in lines[1]


def test_no_more_questions_for_more_units(month, sign_in):
    client = sign_in(month.chen)
    question = {"office": month.wuhan.code, "month": "2026-10", "level": "courier"}
    url = reverse("quality:scores")
    client.get(url, question)
    with CaptureQueriesContext(connection) as few:
        client.get(url, question)
    row = of(month.wuchang, "K0")
    for serial in range(150):
        row.pk, row.courier = None, f"L{serial}"
        row.save()
    with CaptureQueriesContext(connection) as many:
        page = client.get(url, question)
    assert len(few) == len(many) <= 14
    assert len(page.context["rows"]) == 100
    rest = client.get(url, question | {"start": "100"})
    assert len(rest.context["rows"]) == 52


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"month": "13"}, "month"),
        ({"month": "1800-01"}, "month"),
        ({"level": "galaxy"}, "level"),
        ({"office": "nowhere"}, "office"),
    ],
)
def test_a_bad_question_is_answered_beside_its_field(month, sign_in, question, field):
    page = sign_in(month.chen).get(reverse("quality:scores"), question)
    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_somebody_elses_office_is_not_shown(month, sign_in):
    stranger = make.user("yichang.s", (Role.SUPERVISOR, month.yichang))
    page = sign_in(stranger).get(
        reverse("quality:scores"), {"office": month.wuhan.code, "month": "2026-10"}
    )
    assert page.status_code == 422


def scheme_post(**facts) -> dict[str, str]:
    values = {"valid_from": f"{localdate():%Y-%m}", "excellent": "95", "met": "90"}
    values |= {"watch": "80", "note": "试行"}
    for name in MEASURES:
        weight = "100" if name == "on_time_rate" else "0"
        low, high = ("100", "0") if MEASURES[name].is_low_good else ("0", "100")
        values |= {f"{name}_weight": weight, f"{name}_floor": low}
        values[f"{name}_target"] = high
    return values | facts


@pytest.fixture
def head(cast):
    """Who may decide for the whole house."""
    return make.user("hubei.s", (Role.SUPERVISOR, cast.hubei))


def test_a_new_scheme_holds_from_its_month_on_and_leaves_the_past(month, head, sign_in):
    before = of(month.wuchang).value
    client = sign_in(head)
    url = reverse("quality:score_schemes")
    assert client.post(url, scheme_post()).status_code == 302
    assert client.post(url, scheme_post(note="再试")).status_code == 302  # replaces it
    assert ScoreScheme.objects.count() == 2
    assert AuditEvent.objects.filter(action="score_scheme.kept").count() == 2
    scores.count_month(OCTOBER)
    assert of(month.wuchang).value == before
    assert scores.scheme_of(localdate()).parts.get(measure="on_time_rate").weight == 100


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"valid_from": "2026-01"}, "valid_from"),
        ({"valid_from": ""}, "valid_from"),
        ({"met": "96"}, "met"),
        ({"on_time_rate_weight": "90"}, "__all__"),
        ({"on_time_rate_weight": "-1"}, "on_time_rate_weight"),
        ({"tail_days_target": "100"}, "tail_days_target"),
        ({"tail_days_target": "200"}, "tail_days_target"),
        (
            {"on_time_rate_floor": "100", "on_time_rate_target": "9"},
            "on_time_rate_target",
        ),
    ],
)
def test_a_bad_scheme_is_refused_beside_its_field(month, head, sign_in, facts, field):
    page = sign_in(head).post(reverse("quality:score_schemes"), scheme_post(**facts))
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert ScoreScheme.objects.count() == 1


def test_a_prefecture_changes_nobodys_scheme(month, sign_in):
    page = sign_in(month.chen).post(reverse("quality:score_schemes"), scheme_post())
    assert page.status_code == 403
    assert ScoreScheme.objects.count() == 1


def test_a_month_that_is_over_keeps_its_scheme(month, head):
    row = ScoreScheme(valid_from=add_months(localdate(), -1))
    with pytest.raises(Refused) as refusal:
        scores.keep_scheme(row, [], by=head)
    assert refusal.value.code == "score.past"


def test_the_database_refuses_what_the_forms_do(db):
    scheme = ScoreScheme.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        ScoreScheme.objects.create(valid_from=date(2026, 5, 2))
    with pytest.raises(IntegrityError), transaction.atomic():
        ScoreScheme.objects.create(valid_from=date(2026, 5, 1), met=70)
    with pytest.raises(IntegrityError), transaction.atomic():
        ScorePart.objects.create(
            scheme=scheme, measure="x", weight=5, floor=1, target=1
        )


def test_the_job_counts_the_kept_months(month):
    Score.objects.all().delete()
    run_inline(enqueue("delivery.scores"))
    assert Score.objects.filter(month=OCTOBER).exists()
    assert CourierTally.objects.filter(plus_3__gt=0).exists()


def test_an_office_that_moves_takes_its_figures_with_it(month):
    root_admin = make.user("root.admin", (Role.SYSTEM_ADMIN, month.hubei))
    move_office(month.wuchang, by=root_admin, parent=month.yichang)
    run_inline(enqueue("delivery.tally"))
    scores.count_month(OCTOBER)
    assert of(month.wuhan).items == 32
    assert of(month.yichang).items == 32


def test_the_api_tells_the_score_and_the_league(month, sign_in):
    question = {"office": month.wuhan.code, "month": "2026-10"}
    url = reverse("api-quality-scores")
    found = sign_in(month.chen).get(url, question).json()
    assert found["score"]["value"] == str(of(month.wuhan).value)
    assert [row["office"] for row in found["league"]] == [month.wuchang.code]
    assert sign_in(month.mei).get(url, question).status_code == 400
    assert sign_in(month.lin).get(url, question).status_code == 403
