"""The combined assessment: attainment, weights, opinions, 70 : 30, places."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from complaints.models import Call
from crm.dashboards import combined
from crm.dashboards.models import Opinion, Target, Weighting
from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from crm.errors import Refused
from tests import factories as make


@pytest.fixture
def october():
    return span_of("month", date(2026, 10, 1))


@pytest.fixture
def boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


def calls(office, quick: int, lost: int = 0) -> None:
    """Forty calls of October: `quick` answered at once, `lost` not at all."""
    at = "2026-10-12T10:00:00+08:00"
    late = "2026-10-12T10:05:00+08:00"
    Call.objects.bulk_create(
        Call(
            office=office,
            call_id=f"{office.pk}-{n}",
            rang_at=at,
            answered_at=None if n >= 40 - lost else at if n < quick else late,
            ended_at="2026-10-12T10:06:00+08:00",
        )
        for n in range(40)
    )


@pytest.fixture
def weighed(cast, boss):
    return combined.weigh(
        cast.hubei,
        2026,
        by=boss,
        qualitative=30,
        weights={"service_level": 3, "abandon_rate": 1},
    )


def opinion(office, october, source="customers", points="60") -> Opinion:
    about = {"kind": october.kind, "first": october.first, "words": "x"}
    return Opinion(office=office, source=source, points=Decimal(points), **about)


@pytest.mark.parametrize(
    ("name", "value", "target", "reached"),
    [
        ("service_level", "80", "80", "100"),
        ("service_level", "95", "80", "100"),
        ("service_level", "60", "80", "75"),
        ("abandon_rate", "10", "5", "50"),
        ("abandon_rate", "4", "5", "100"),
        ("abandon_rate", "3", "0", "0"),
        ("abandon_rate", "0", "0", "100"),
        ("service_level", "0", "80", "0"),
    ],
)
def test_attainment_is_the_share_of_the_target(name, value, target, reached):
    found = combined.attainment(BY_NAME[name], Decimal(value), Decimal(target))
    assert found == Decimal(reached)


def test_seventy_to_thirty_by_hand(cast, boss, october, weighed):
    """Service level 50 % of 80 → 62.5, weight 3; abandoned 10 % of 5 → 50, weight 1:
    59.38. Customers 60, the house 80 and 90: 72.5. Together 0.7 and 0.3: 63.32."""
    calls(cast.wuhan, quick=20, lost=4)
    Target.objects.create(
        office=cast.wuhan,
        kpi="abandon_rate",
        kind="month",
        first=october.first,
        value=5,
    )
    other = make.user("other", ("supervisor", cast.hubei))
    combined.say(opinion(cast.wuhan, october), by=boss)
    combined.say(opinion(cast.wuhan, october, "house", "80"), by=boss)
    combined.say(opinion(cast.wuhan, october, "house", "90"), by=other)
    mark = combined.marks_of(cast.hubei, october)[0]
    assert (mark.office, mark.rank) == (cast.wuhan, 1)
    figures = (Decimal("62.5") * 3 + 50) / 4
    assert mark.quantitative == figures.quantize(Decimal("0.01"))
    assert mark.qualitative == Decimal("72.5")
    whole = mark.quantitative * Decimal("0.7") + mark.qualitative * Decimal("0.3")
    assert mark.combined == whole.quantize(Decimal("0.01"))
    assert [one.kpi.name for one in mark.lost] == ["service_level", "abandon_rate"]


def test_without_opinions_figures_alone_and_without_figures_nothing(
    cast, october, weighed
):
    calls(cast.wuhan, quick=40)
    marks = {one.office: one for one in combined.marks_of(cast.hubei, october)}
    assert marks[cast.wuhan].combined == marks[cast.wuhan].quantitative == 100
    assert (marks[cast.yichang].combined, marks[cast.yichang].rank) == (None, None)


def test_equal_marks_share_a_place(cast, october, weighed):
    for office in (cast.wuhan, cast.yichang):
        calls(office, quick=20)
    assert [one.rank for one in combined.marks_of(cast.hubei, october)] == [1, 1]


def test_weights_come_from_the_nearest_above(cast, boss, weighed):
    assert combined.weighting_of(cast.wuchang, 2026) == weighed
    assert combined.weighting_of(cast.wuchang, 2027).weights == combined.USUAL
    own = combined.weigh(
        cast.wuhan, 2026, by=cast.chen, qualitative=0, weights={"loyalty": 1}
    )
    assert combined.weighting_of(cast.wuchang, 2026) == own


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"weights": {}}, "weights.none"),
        ({"weights": {"loyalty": 0}}, "weights.none"),
        ({"weights": {"no_such": 1}}, "weights.kpi"),
        ({"weights": {"loyalty": 1001}}, "weights.kpi"),
        ({"qualitative": 101}, "weights.share"),
    ],
)
def test_wrong_weights_say_why(cast, boss, facts, code):
    usual = {"qualitative": 30, "weights": {"loyalty": 1}}
    with pytest.raises(Refused) as refusal:
        combined.weigh(cast.hubei, 2026, by=boss, **(usual | facts))
    assert refusal.value.code == code
    assert not Weighting.objects.exists()


def test_nobody_marks_their_own_office_and_again_replaces(cast, boss, october):
    with pytest.raises(Refused) as refusal:
        combined.say(opinion(cast.wuhan, october), by=cast.chen)
    assert refusal.value.code == "opinion.own"
    for points in ("60", "70"):
        combined.say(opinion(cast.wuhan, october, points=points), by=boss)
    assert Opinion.objects.get().points == 70
    with pytest.raises(IntegrityError), transaction.atomic():
        Opinion.objects.update(points=101)


def test_the_pages_keep_what_is_typed_and_show_sisters_nothing(cast, boss, client):
    make.sign_in(client, boss)
    url = reverse("dashboards:combined")
    query = f"?office={cast.hubei.code}&kind=month&day=2026-10-01"
    sent = {"office": cast.wuhan.pk, "source": "house", "words": "<b>好</b>"}
    bad = client.post(url + query, sent | {"points": "101"})
    assert bad.status_code == 422
    assert "&lt;b&gt;好" in bad.content.decode()
    assert client.post(url + query, sent | {"points": "88"}).status_code == 302
    assert "88" in client.get(url + query).content.decode()
    file = client.get(f"{url}{query}&file=csv")
    assert cast.wuhan.name in b"".join(file.streaming_content).decode()
    weights = reverse("dashboards:weights")
    bad = client.post(weights, {"qualitative": "130", "loyalty": "5"})
    assert bad.status_code == 422
    assert (
        client.post(weights, {"qualitative": "40", "loyalty": "5"}).status_code == 302
    )
    assert Weighting.objects.get().weights == {"loyalty": 5}
    make.sign_in(client, cast.mei)
    assert client.get(url + query).status_code == 422  # not an office of hers
    page = client.get(url).content.decode()
    assert "&lt;b&gt;好" not in page
    assert client.get(f"{weights}?office=420100").status_code == 404
