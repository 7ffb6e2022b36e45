"""Service costs: the grid of an office's year, and what a work order came to cost."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from crm.audit.models import AuditEvent
from crm.dashboards import boards, costs, snapshots
from crm.dashboards.models import ServiceCost
from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import read
from crm.errors import Refused
from tests import factories as make
from tests.dashboards.test_people import close

URL = reverse("dashboards:costs")
OCTOBER = date(2026, 10, 1)
TODAY = date(2026, 11, 23)
PER_ORDER = BY_NAME["cost_per_order"]


def post(client, office, shown="", **typed):
    """Cells as the page sends them; each had `shown` so much."""
    cells = {name.replace("_", "-"): value for name, value in typed.items()}
    cells |= {f"s-{name}": shown for name in cells}
    return client.post(f"{URL}?office={office.code}&year=2026", cells)


def keep(cast, office, wanted, shown=None):
    """What somebody keeps who has just opened the page, unless it was `shown` otherwise."""
    now = costs.noted(office, 2026)
    seen = {key: now.get(key) for key in {*wanted, *now}} | (shown or {})
    return costs.keep(office, 2026, wanted, by=cast.chen, shown=seen, today=TODAY)


def test_what_is_typed_is_kept_and_nought_or_nothing_strikes_it(client, cast):
    make.sign_in(client, cast.chen)
    cells = {"staff_2026_10_01": "46,800.50", "lines_2026_10_01": "5200"}
    assert post(client, cast.wuhan, **cells).status_code == 302
    assert costs.noted(cast.wuhan, 2026) == {
        ("staff", OCTOBER): Decimal("46800.50"),
        ("lines", OCTOBER): Decimal(5200),
    }
    post(client, cast.wuhan, shown="46800.5", **{"staff_2026_10_01": "0"})
    post(client, cast.wuhan, shown="5200", **{"lines_2026_10_01": ""})
    assert costs.noted(cast.wuhan, 2026) == {}
    assert AuditEvent.objects.filter(action="cost.noted").count() == 3


@pytest.mark.parametrize("typed", ["-1", "many", "NaN", "1e99", "99999999999"])
def test_a_wrong_cell_is_told_beside_it_and_nothing_is_kept(client, cast, typed):
    make.sign_in(client, cast.chen)
    cells = {"staff_2026_10_01": typed, "lines_2026_10_01": "5200"}
    page = post(client, cast.wuhan, **cells)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.content.decode()
    assert "5200" in page.content.decode()
    assert not ServiceCost.objects.exists()


def test_a_month_that_has_not_begun_has_no_cost(client, cast, time_machine):
    time_machine.move_to("2026-11-23 12:00+08:00")
    make.sign_in(client, cast.chen)
    page = post(client, cast.wuhan, **{"staff_2026_12_01": "100"})
    assert page.status_code == 422
    with pytest.raises(Refused):
        keep(cast, cast.wuhan, {("staff", date(2026, 12, 1)): Decimal(1)})


def test_what_somebody_else_noted_meanwhile_stays(cast):
    staff, lines = ("staff", OCTOBER), ("lines", OCTOBER)
    keep(cast, cast.wuhan, {staff: Decimal(100)})
    # Opened while staff cost 100; somebody makes it 120; sent with staff as it was shown.
    keep(cast, cast.wuhan, {staff: Decimal(120)})
    sent = {staff: Decimal(100), lines: Decimal(7)}
    keep(cast, cast.wuhan, sent, shown={staff: Decimal(100)})
    assert costs.noted(cast.wuhan, 2026) == {staff: Decimal(120), lines: Decimal(7)}


def test_a_cell_that_both_have_changed_is_refused_and_one_never_shown_stays(
    client, cast
):
    staff, lines = ("staff", OCTOBER), ("lines", OCTOBER)
    keep(cast, cast.wuhan, {staff: Decimal(120), lines: Decimal(7)})
    with pytest.raises(Refused):
        keep(cast, cast.wuhan, {staff: Decimal(90)}, shown={staff: Decimal(100)})
    make.sign_in(client, cast.chen)
    page = post(client, cast.wuhan, shown="100", staff_2026_10_01="90")
    assert page.status_code == 422
    assert "90" in page.content.decode()
    assert costs.noted(cast.wuhan, 2026) == {staff: Decimal(120), lines: Decimal(7)}


@pytest.mark.parametrize("shown", ["sNaN", "Infinity", "x", "\0"])
def test_crafted_cells_are_no_error(client, cast, shown):
    make.sign_in(client, cast.chen)
    answer = post(client, cast.wuhan, shown=shown, staff_2026_10_01="5")
    assert answer.status_code in (302, 422)


def test_finance_notes_costs_and_sees_no_customers(client, cast):
    finance = cast.of_role("finance")
    make.sign_in(client, finance)
    page = client.get(URL)
    assert page.status_code == 200
    text = page.content.decode()
    assert 'name="staff-' in text
    assert "Revenue" not in text
    assert reverse("dashboards:kpi", args=["cost_per_order"]) not in text


def test_a_cost_that_is_noted_late_still_makes_a_figure(cast):
    """A month is final five days after its end; its costs are often known later."""
    for _n in range(2):
        close(cast, cast.wuhan, "2026-10-12")
    month = span_of("month", OCTOBER)
    snapshots.compute(month, TODAY)
    keep(cast, cast.wuhan, {("staff", OCTOBER): Decimal(300)})
    found = boards.shares_of([cast.wuhan], month)
    assert found.is_final
    share = found.shares[cast.wuhan.pk]["cost_per_order"]
    assert (share.numerator, share.denominator) == (300, 2)


def test_nobody_notes_for_a_sister_office(client, cast):
    make.sign_in(client, cast.chen)
    assert post(client, cast.yichang, staff_2026_10_01="5").status_code == 422
    with pytest.raises(PermissionDenied):
        keep(cast, cast.yichang, {("staff", OCTOBER): Decimal(5)})
    assert not ServiceCost.objects.exists()


def test_a_work_order_costs_what_was_spent_by_those_who_closed_it(cast):
    """100 yuan of Wuchang and 300 of Wuhan itself, two and three orders: 80 and 50."""
    for where, count in ((cast.wuhan, 3), (cast.wuchang, 2)):
        for _n in range(count):
            close(cast, where, "2026-10-12")
    keep(cast, cast.wuhan, {("staff", OCTOBER): Decimal(300)})
    keep(cast, cast.wuchang, {("rooms", OCTOBER): Decimal(100)})
    month = span_of("month", OCTOBER)
    shares = read([cast.wuhan, cast.wuchang], month, [PER_ORDER])
    values = [
        PER_ORDER.shown(shares[unit.pk]["cost_per_order"])
        for unit in (cast.wuhan, cast.wuchang)
    ]
    assert values == [Decimal(80), Decimal(50)]


def test_without_a_cost_there_is_no_figure_and_a_part_of_a_month_has_none(cast):
    close(cast, cast.wuhan, "2026-10-12")
    month = span_of("month", OCTOBER)

    def value(span):
        found = read([cast.wuhan], span, [PER_ORDER])[cast.wuhan.pk]
        return PER_ORDER.shown(found["cost_per_order"])

    assert value(month) is None
    keep(cast, cast.wuhan, {("staff", OCTOBER): Decimal(300)})
    assert value(month) == 300
    assert value(span_of("day", date(2026, 10, 12))) is None
    assert value(span_of("week", OCTOBER)) is None
    assert value(span_of("quarter", OCTOBER)) == 300


def test_the_database_refuses_nought_a_day_within_and_twice(cast):
    row = {"office": cast.wuhan, "month": OCTOBER, "kind": "staff", "amount": 5}
    ServiceCost.objects.create(**row)
    for wrong in ({"amount": 0}, {"month": date(2026, 9, 2)}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ServiceCost.objects.create(**{**row, **wrong})


def test_benefit_is_read_in_few_queries(cast, django_assert_max_num_queries):
    with django_assert_max_num_queries(5):
        costs.benefits([cast.wuhan, cast.wuchang], 2026)
