"""Figures: the number, the rows behind it, and a statement written by hand agree."""

from datetime import date, datetime, time, timedelta

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate, make_aware, now

from complaints.models import Complaint
from crm.dashboards import boards, people, reckoned, snapshots
from crm.dashboards.models import Figure, FigureRun
from crm.dashboards.periods import Kind, Span, last_ended, span_of
from crm.dashboards.reckoned import BY_NAME, GROUPS, KPIS
from crm.dashboards.registry import read
from crm.demo.seed import seed
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.org.models import Office
from crm.transfer.forms import EXAMPLE
from customers.models import Customer
from customers.queries import Period, retention_group
from delivery.quality.rates import Share
from tests import factories as make
from tests.dashboards.hand_sql import BOTH, by_hand
from tests.delivery.test_items import NEEDS_OLIST, import_orders
from tests.transfer.test_import import bring_in

DAY = timedelta(days=1)


def values_of(office: Office, span: Span) -> dict:
    begins, ends = (
        make_aware(datetime.combine(day, time()))
        for day in (span.first, span.last + DAY)
    )
    before = span.previous
    return {
        "path": f"{office.path}%",
        "first": span.first,
        "last": span.last,
        "begins": begins,
        "ends": ends,
        "now": now(),
        "today": localdate(),
        "base_first": before.first,
        "base_last": before.last,
    }


def check(office: Office, span: Span) -> int:
    """Every counted KPI of an office: number = rows = SQL by hand; how many had any."""
    shares = read([office], span, KPIS)[office.pk]
    filled = 0
    for kpi in KPIS:
        if kpi.name not in BOTH:
            continue
        share = shares[kpi.name]
        if kpi.is_noted and not share.numerator:
            assert not share.denominator  # no cost noted: no figure
            assert by_hand(kpi.name, values_of(office, span))[0] == 0
            continue
        said = (share.numerator, share.denominator)
        assert said == by_hand(kpi.name, values_of(office, span)), (kpi.name, span)
        filled += bool(share.denominator)
        for side, number in zip(("top", "bottom"), said, strict=True):
            behind = boards.rows_behind(kpi, side, office, span)
            if behind is None:
                continue  # customers and items have lists and tests of their own
            part, rows = getattr(kpi, side), behind[0]
            found = (
                rows.aggregate(n=Sum(part.total))["n"] if part.total else rows.count()
            )
            assert (found or 0) == number, (kpi.name, side, span)
        check_people(kpi, office, span, share)
    return filled


def check_people(kpi, office: Office, span: Span, share: Share) -> None:
    """The shares of persons add up to the figure, and each is its rows."""
    if not kpi.person:
        return
    lines = people.people(kpi, office, span)
    parts = [(line.share.numerator, line.share.denominator) for line in lines]
    said = tuple(sum(column) for column in zip(*parts, strict=True)) if parts else ()
    assert said == ((share.numerator, share.denominator) if share.denominator else ())
    for line in lines[:3]:
        behind, _shows = boards.rows_behind(kpi, "bottom", office, span)
        person = str(line.user.pk) if line.user else people.NOBODY
        mine = people.rows_of(kpi, behind, person)
        total = kpi.bottom.total
        found = mine.aggregate(n=Sum(total))["n"] if total else mine.count()
        assert found == line.share.denominator, (kpi.name, line)


@pytest.mark.timeout(400)  # it makes the whole demo, beside other tests
def test_the_demo_province_is_whole_and_every_figure_is_its_rows(db):
    made = seed()
    assert made["customers"] == 3000
    assert made["complaints"] == 300
    assert len(set(Complaint.objects.values_list("state", flat=True))) == 13
    today = localdate()
    spans = [
        span_of("month", today),
        last_ended("month", today),
        span_of("year", today),
    ]
    for code in ("420000", "420100", "42010601"):
        filled = [check(Office.objects.get(code=code), span) for span in spans]
        if code == "420000":
            assert max(filled) >= 20


def test_every_counted_kpi_has_its_statement_by_hand():
    counted = {kpi.name for kpi in KPIS if kpi.reckoned is None}
    assert counted <= set(BOTH)


def test_every_definition_is_whole():
    for kpi in KPIS:
        assert str(kpi.top.words)
        assert str(kpi.bottom.words)
        assert kpi.rule
        assert str(kpi.owner)
        assert kpi.version == 1 + len(kpi.changes)


@pytest.fixture
def october() -> Span:
    return span_of("month", date(2026, 10, 1))


def order(cast, where: Office, day: str, **facts) -> Complaint:
    """A complaint handled in an office, opened at nine on a day."""
    row = make.complaint(cast.lin, cast.wuhan)
    at = make_aware(datetime.fromisoformat(f"{day}T09:00"))
    facts = {"opened_at": at, "handling_office": where, **facts}
    Complaint.objects.filter(pk=row.pk).update(**facts)
    row.refresh_from_db()
    return row


def test_a_rate_of_unequal_units_is_summed_and_never_averaged(cast, october):
    """Two of four, and 95 of 96: 97 %, where the mean of the units would be 74 %."""
    for where, closed, again in ((cast.wuchang, 4, 2), (cast.yichang, 96, 1)):
        one = order(
            cast, where, "2026-10-12", state="archived", due_at=None, closed_at=now()
        )
        Complaint.objects.filter(pk=one.pk).update(closed_at=one.opened_at)
        one.refresh_from_db()
        facts = {
            field.attname: getattr(one, field.attname)
            for field in Complaint._meta.concrete_fields
            if field.attname not in ("id", "ref", "token")
        }
        Complaint.objects.bulk_create(
            Complaint(**facts, ref=f"T-{where.code}-{n}") for n in range(closed - 1)
        )
        ids = Complaint.objects.filter(handling_office=where).values_list(
            "pk", flat=True
        )
        Complaint.objects.filter(pk__in=list(ids[:again])).update(rounds=2)
    units = [cast.hubei, cast.wuhan, cast.wuchang, cast.yichang]
    found = read(units, october, [BY_NAME["reopen_rate"]])
    shares = {pk: by_name["reopen_rate"] for pk, by_name in found.items()}
    assert shares[cast.wuchang.pk] == shares[cast.wuhan.pk] == Share(2, 4)
    assert shares[cast.yichang.pk] == Share(1, 96)
    assert shares[cast.hubei.pk] == Share(3, 100)


def test_last_years_shifted_days_are_compared_with_as_many_days_before():
    shifted = span_of("month", date(2026, 2, 1)).year_before
    before = reckoned._before(shifted)
    assert before.last == shifted.first - DAY
    assert before.last - before.first == shifted.last - shifted.first


def test_reading_more_offices_asks_no_more_queries(cast, october):
    counts = []
    for units in ([cast.wuhan], [cast.hubei, cast.wuhan, cast.wuchang, cast.yichang]):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            read(units, october, KPIS)
        counts.append(len(seen))
    tables = {
        part.rows.name for kpi in KPIS for part in (kpi.top, kpi.bottom) if part.rows
    }
    assert counts[0] == counts[1] == len(tables) + 5  # of tallies


def test_nothing_to_divide_by_is_a_dash_and_no_zero(client, cast, october):
    make.sign_in(client, cast.chen)
    url = reverse("dashboards:kpi", args=["satisfaction"])
    page = client.get(
        url, {"office": cast.wuhan.code, "kind": "month", "day": "2026-10-01"}
    )
    assert page.status_code == 200
    assert page.context["cell"] is None
    share = read([cast.wuhan], october, [BY_NAME["satisfaction"]])
    assert BY_NAME["satisfaction"].shown(share[cast.wuhan.pk]["satisfaction"]) is None


# --- the faults that Metabase has or had (anchors.md 2.9) -----------------------------------


@pytest.fixture
def edges(cast) -> None:
    """One complaint on each day around October, the last ones late in the evening."""
    for day in ("2026-09-30", "2026-10-01", "2026-10-15", "2026-10-31", "2026-11-01"):
        row = order(cast, cast.wuhan, day)
        late = row.opened_at + timedelta(hours=14, minutes=59)
        Complaint.objects.filter(pk=row.pk).update(opened_at=late)


def opened(client, cast, url: str) -> int:
    return client.get(url).context["page"].total


def test_metabase_31960_a_month_opens_all_its_days(client, cast, edges):
    make.sign_in(client, cast.chen)
    page = client.get(
        reverse("dashboards:kpi", args=["online_share"]),
        {"office": cast.wuhan.code, "kind": "month", "day": "2026-10-07"},
    )
    link = page.context["links"]["bottom"]
    assert page.context["cell"].share.denominator == 3
    assert opened(client, cast, page.wsgi_request.path + link) == 3


def test_metabase_23748_a_drill_names_its_dates(client, cast, edges, time_machine):
    """Opened again next month, the link leads to the same rows."""
    time_machine.move_to("2026-11-05 10:00+08:00", tick=True)
    make.sign_in(client, cast.chen)
    page = client.get(reverse("dashboards:kpi", args=["online_share"]))
    assert f"{page.context['span'].first}" == "2026-10-01"
    link = page.wsgi_request.path + page.context["links"]["bottom"]
    assert "day=2026-10-01" in link
    time_machine.move_to("2026-12-05 10:00+08:00", tick=True)
    make.sign_in(client, cast.chen)
    assert opened(client, cast, link) == 3


@pytest.mark.parametrize("kind", list(Kind))
def test_metabase_71147_and_72937_a_drill_keeps_its_period(client, cast, edges, kind):
    """Neither the period before nor a day off, however often one drills."""
    make.sign_in(client, cast.chen)
    query = {"office": cast.wuhan.code, "kind": kind, "day": "2026-10-15"}
    board = client.get(reverse("dashboards:figures"), query)
    one = (
        f"{reverse('dashboards:kpi', args=['online_share'])}?{board.context['address']}"
    )
    page = client.get(one)
    rows = client.get(
        reverse("dashboards:kpi", args=["online_share"])
        + page.context["links"]["bottom"]
    )
    spans = {answer.context["span"] for answer in (board, page, rows)}
    assert spans == {span_of(kind, date(2026, 10, 15))}


def test_metabase_23142_a_week_begins_on_monday(client, cast):
    for day in ("2026-10-11", "2026-10-12", "2026-10-18", "2026-10-19"):
        order(cast, cast.wuhan, day)
    make.sign_in(client, cast.chen)
    query = {"office": cast.wuhan.code, "kind": "week", "day": "2026-10-14"}
    page = client.get(reverse("dashboards:kpi", args=["online_share"]), query)
    assert page.context["cell"].share.denominator == 2


def test_metabase_22482_card_and_list_round_alike(client, cast, edges):
    """The board, the KPI's page, the API, the shell's reading and the rows: one number."""
    make.sign_in(client, cast.chen)
    query = {"office": cast.wuhan.code, "kind": "quarter", "day": "2026-11-11"}
    cells = client.get(reverse("dashboards:figures"), query).context["groups"]
    numbers = {
        cell.share.denominator
        for _label, group in cells
        for cell in group
        if cell.kpi.name == "online_share"
    }
    api = client.get("/api/v1/kpis/online_share/", query).json()["figure"]
    span = span_of("quarter", date(2026, 11, 11))
    rows = boards.rows_behind(BY_NAME["online_share"], "bottom", cast.wuhan, span)[0]
    assert numbers == {api["denominator"]} == {rows.count()} == {4}


# --- snapshots -----------------------------------------------------------------------------


def night() -> Job:
    return run_inline(Job.objects.create(kind="dashboards.figures", due_at=now()))


@pytest.fixture
def figures(cast) -> None:
    for day in ("2026-10-05", "2026-10-20", "2026-11-02"):
        order(cast, cast.wuhan, day, kind="appeal")
        order(cast, cast.wuhan, day)


def stored(
    office: Office, kind: str, first: str, kpi: str = "appeal_rate"
) -> Figure | None:
    return Figure.objects.filter(office=office, kind=kind, first=first, kpi=kpi).first()


def test_each_period_is_counted_once_and_frozen_when_it_has_settled(
    cast, figures, time_machine
):
    time_machine.move_to("2026-11-04 06:20+08:00", tick=True)
    assert night().state == "done"
    row = stored(cast.hubei, "month", "2026-10-01")
    assert (row.numerator, row.denominator, row.is_frozen) == (2, 2, False)
    order(cast, cast.wuhan, "2026-10-30", kind="appeal")  # came late
    time_machine.move_to("2026-11-06 06:20+08:00", tick=True)
    for _time in range(2):
        night()
    row = stored(cast.hubei, "month", "2026-10-01")
    assert (row.numerator, row.is_frozen) == (3, True)
    order(cast, cast.wuhan, "2026-10-31", kind="appeal")  # too late
    time_machine.move_to("2026-11-07 06:20+08:00", tick=True)
    night()
    assert stored(cast.hubei, "month", "2026-10-01").numerator == 3
    assert FigureRun.objects.filter(kind="month", first="2026-10-01").count() == 1
    span = span_of("month", date(2026, 10, 1))
    assert boards.shares_of([cast.hubei], span).is_final


def test_missed_nights_are_caught_up_by_the_next(cast, figures, time_machine):
    time_machine.move_to("2026-10-08 06:20+08:00", tick=True)
    night()
    assert stored(cast.hubei, "day", "2026-10-05").is_frozen is False
    time_machine.move_to("2026-10-12 06:20+08:00", tick=True)  # four nights were missed
    night()
    assert stored(cast.hubei, "day", "2026-10-05").is_frozen
    assert stored(cast.hubei, "week", "2026-10-05").numerator == 1
    days = FigureRun.objects.filter(kind="day", first__gte="2026-10-05")
    assert days.count() == 7


def test_a_clock_that_is_set_back_changes_nothing_that_is_final(
    cast, figures, time_machine
):
    time_machine.move_to("2026-11-10 06:20+08:00", tick=True)
    night()
    before = Figure.objects.filter(is_frozen=True).order_by("pk")
    values = list(before.values())
    time_machine.move_to("2026-11-03 06:20+08:00", tick=True)
    night()
    kept = Figure.objects.filter(pk__in=[row["id"] for row in values]).order_by("pk")
    assert list(kept.values()) == values


def test_a_frozen_figure_resists_every_statement(cast, figures, time_machine):
    time_machine.move_to("2026-11-10 06:20+08:00", tick=True)
    night()
    with pytest.raises(DatabaseError, match="frozen"):
        Figure.objects.filter(kind="month").update(numerator=0)


def test_a_new_definition_leaves_frozen_figures_as_they_were(
    cast, figures, time_machine, monkeypatch
):
    time_machine.move_to("2026-11-10 06:20+08:00", tick=True)
    night()
    old = BY_NAME["appeal_rate"]
    changed = type(old)(
        **{**vars(old), "version": 2, "changes": (("2026-11-11", "x"),)}
    )
    everything = tuple(changed if kpi is old else kpi for kpi in KPIS)
    monkeypatch.setattr(snapshots, "KPIS", everything)
    time_machine.move_to("2026-12-10 06:20+08:00", tick=True)
    night()
    versions = {
        f"{row.first}": row.version
        for row in Figure.objects.filter(office=cast.hubei, kind="month", kpi=old.name)
    }
    assert versions == {"2026-10-01": 1, "2026-11-01": 2}


# --- who sees what --------------------------------------------------------------------------


def test_a_sisters_figures_are_closed_in_every_way(client, cast, edges):
    for day in ("2026-10-03", "2026-10-04"):
        order(cast, cast.yichang, day)
    make.sign_in(client, cast.chen)  # Wuhan
    query = {"office": cast.yichang.code, "kind": "month", "day": "2026-10-07"}
    for name, args in (("figures", []), ("kpi", ["complaint_rate"])):
        page = client.get(reverse(f"dashboards:{name}", args=args), query)
        assert page.status_code == 422
        assert "cell" not in (page.context or {})
    rows = reverse("dashboards:rows", args=["complaint_rate", "top"])
    assert client.get(rows, query).status_code == 404
    assert client.get("/api/v1/kpis/figures/", query).status_code == 400
    assert client.get("/api/v1/kpis/complaint_rate/", query).status_code == 400
    own = client.get(reverse("dashboards:figures"), query | {"office": cast.wuhan.code})
    assert cast.yichang.name not in own.content.decode()
    above = client.get(
        reverse("dashboards:figures"), query | {"office": cast.hubei.code}
    )
    assert above.status_code == 422


def test_an_analyst_reads_no_cell_of_fewer_than_five_people_and_no_rows(client, cast):
    make.visit(make.customer(cast.wuhan), days=0)
    make.sign_in(client, cast.zheng)
    office = cast.zheng.postings_now[0].office
    query = {"office": office.code, "kind": "month", "day": f"{localdate()}"}
    page = client.get(reverse("dashboards:kpi", args=["visit_coverage"]), query)
    assert page.context["cell"].is_hidden
    assert page.context["cell"].value is None
    assert page.context["links"] == {}
    api = client.get("/api/v1/kpis/visit_coverage/", query).json()["figure"]
    assert (api["numerator"], api["denominator"], api["value"]) == (None, None, None)
    rows = reverse("dashboards:rows", args=["visit_coverage", "top"])
    assert client.get(rows, query).status_code == 403
    board = client.get(reverse("dashboards:figures"), query)
    assert "visit_coverage" not in {cell.kpi.name for cell in board.context["tiles"]}
    for kind in ("day", "week", "ten_days"):
        short = client.get(reverse("dashboards:figures"), query | {"kind": kind})
        assert short.status_code == 422


def test_an_analyst_reads_neither_the_family_nor_the_only_sibling_nor_the_past():
    kept, lost, revenue = (
        BY_NAME[name] for name in ("retention_rate", "churn_rate", "revenue")
    )
    shares = {"retention_rate": Share(97, 100), "churn_rate": Share(3, 100)}
    shares |= {"revenue": Share(5000, 117), "loyalty": Share(97, 117)}
    assert boards.hidden(shares, KPIS) == set(shares)
    units = {1: {"revenue": Share(9, 3)}, 2: {"revenue": Share(50, 90)}}
    units |= {3: {"revenue": Share(40, 60)}, 4: {"revenue": Share(0, 0)}}
    assert boards.untold_units(revenue, units) == {1, 3}
    assert kept in boards.family_of(lost)


def test_the_past_of_people_is_for_who_may_drill(cast, october):
    Figure.objects.create(
        office=cast.hubei,
        kpi="satisfaction",
        version=1,
        kind="month",
        first=october.first,
        last=october.last,
        numerator=4,
        denominator=1,
        computed_at=now(),
    )
    one = BY_NAME["satisfaction"]
    assert boards.past(one, cast.hubei, october, only_aggregates=True) == []
    (row,) = boards.past(one, cast.hubei, october, only_aggregates=False)
    assert row.value == 4


def test_units_are_ranked_by_the_direction_of_the_kpi(client, cast, october):
    low, high = BY_NAME["reopen_rate"], BY_NAME["satisfied_share"]
    many = {1: {"k": Share(1, 40)}, 2: {"k": Share(9, 40)}, 3: {"k": Share(0, 5)}}
    for kpi, first in ((low, 1), (high, 2)):
        shares = {pk: {kpi.name: one["k"]} for pk, one in many.items()}
        ranks = boards._ranks(kpi, shares)
        assert ranks[first] == 1
        assert 3 not in ranks  # too few to be ranked


def test_bands_mind_the_direction():
    high, low = BY_NAME["service_level"], BY_NAME["abandon_rate"]
    assert [boards.band_of(high, v, 80) for v in (80, 77, 75)] == [
        "good",
        "near",
        "bad",
    ]
    assert [boards.band_of(low, v, 5) for v in (5, 5.2, 6)] == ["good", "near", "bad"]
    assert boards.band_of(high, None, 80) == "none"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"kind": "fortnight"}, 422),
        ({"day": "2026-02-30"}, 422),
        ({"day": "1066-10-14"}, 422),
        ({"office": "nowhere"}, 422),
    ],
)
def test_bad_questions_are_answered_beside_the_field(client, cast, query, status):
    make.sign_in(client, cast.chen)
    page = client.get(reverse("dashboards:figures"), query)
    assert page.status_code == status
    assert "invalid" in page.content.decode()
    assert client.get(reverse("dashboards:kpi", args=["nonsense"])).status_code == 404


# --- the real ledgers -----------------------------------------------------------------------


@pytest.fixture
def ledger(cast):
    """CDNOW, its customers spread over a prefecture, its county and another prefecture."""
    bring_in(EXAMPLE.read_bytes(), cast.wuhan)
    for rest, office in ((1, cast.wuchang), (2, cast.yichang)):
        codes = Customer.objects.annotate(n=F("pk") % 3).filter(n=rest)
        codes.update(office=office)
    return cast


@pytest.mark.parametrize(
    ("kind", "day"),
    [("half", "1998-03-01"), ("quarter", "1997-10-01"), ("month", "1997-12-01")],
)
def test_the_real_ledger_agrees_from_province_to_outlet(ledger, kind, day):
    span = span_of(kind, date.fromisoformat(day))
    before = span.previous
    base, current = Period(before.first, before.last), Period(span.first, span.last)
    whole = 0
    for office in (ledger.hubei, ledger.wuhan, ledger.wuchang, ledger.yichang):
        assert check(office, span) >= 7
        shares = read([office], span, KPIS)[office.pk]
        inside = Customer.objects.filter(office__path__startswith=office.path)
        for name, groups in GROUPS.items():
            numbers = (shares[name].numerator, shares[name].denominator)
            rows = [
                retention_group(inside, group, base, current).count()
                for group in groups
            ]
            assert list(numbers) == rows, (name, office)
        whole += shares["retention_rate"].numerator * (office != ledger.hubei)
    # Wuhan counts its county, too.
    county = read([ledger.wuchang], span, KPIS)[ledger.wuchang.pk]["retention_rate"]
    province = read([ledger.hubei], span, KPIS)[ledger.hubei.pk]["retention_rate"]
    assert whole - county.numerator == province.numerator
    if kind == "half":
        assert (province.numerator, province.denominator) == (322, 619)


BY_PROMISE = """
SELECT count(*) FILTER (WHERE i.delivered_at <= i.due_at), count(*)
FROM delivery_mailitem i JOIN org_office o ON o.id = i.office_id
WHERE o.path LIKE %s AND i.accepted_on BETWEEN %s AND %s AND i.due_at IS NOT NULL"""


@NEEDS_OLIST
def test_the_real_orders_agree_for_three_periods(cast):
    import_orders(cast.wuchang)
    for kind, day in (
        ("year", "2017-05-01"),
        ("quarter", "2018-01-01"),
        ("month", "2018-03-01"),
    ):
        span = span_of(kind, date.fromisoformat(day))
        for office in (cast.hubei, cast.wuhan, cast.wuchang):
            share = read([office], span, [BY_NAME["on_time_rate"]])[office.pk][
                "on_time_rate"
            ]
            with connection.cursor() as cursor:
                cursor.execute(BY_PROMISE, [f"{office.path}%", span.first, span.last])
                assert (share.numerator, share.denominator) == cursor.fetchone()
            assert share.denominator > 50
        assert not read([cast.yichang], span, KPIS)[cast.yichang.pk][
            "on_time_rate"
        ].denominator
