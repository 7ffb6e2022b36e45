"""Pickups: the rate of seed 001, the deduction, the sheet that goes to finance."""

import io
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from crm.demo import pickups as demo
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.notify.models import Message
from crm.org.models import Office
from crm.transfer import services as transfer
from crm.transfer.models import Import, RejectedRow
from crm.transfer.targets import Run
from delivery.models import PickupLine, PickupOrder, PickupSheet, PickupTally
from delivery.quality import pickup_import, sheets
from delivery.quality.penalty import deduction, points_below
from delivery.quality.pickups import counts_by_office, counts_of
from tests import factories as make

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
MONTH = {"since": "2026-10-01", "until": "2026-10-31"}
HEAD = [
    "ref",
    "promised_by",
    "collected_at",
    "cancelled_at",
    "said_in_time",
    "outcome",
    "version",
]
TEN = "2026-10-12 10:00"


def orders(office, *rows: tuple) -> Import:
    text = "\n".join(",".join((*row, *[""] * (len(HEAD) - len(row)))) for row in rows)
    batch = transfer.upload(
        io.BytesIO(f"{','.join(HEAD)}\n{text}\n".encode()),
        by=None,
        office=office,
        target="pickups",
        file_name="pickups.csv",
    )
    batch = transfer.start_import(batch, by=None, mapping={n: n for n in HEAD})
    job = run_inline(batch.job)
    assert job.state == "done", job.error
    batch.refresh_from_db()
    return batch


def many(where, due: int, timely: int, at: str = "2026-10-12T10:00+08:00") -> None:
    lines = [
        [
            n + 2,
            f"{where.code}-{at[:10]}-{n}",
            where.code,
            at,
            "t" if n < timely else "f",
        ]
        for n in range(due)
    ]
    columns = ["ref", "office", "promised_by", "said_in_time"]
    pickup_import.load(Run(where, 0), lines, columns)


def order(ref: str) -> PickupOrder:
    return PickupOrder.objects.get(ref=ref)


# --- the deduction ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timely", "due", "proportional", "started", "full"),
    [  # domain.md 7.1
        (9490, 10000, "0", "0", "0"),
        (9, 10, "0", "0", "0"),
        (8999, 10000, "0.01", "1", "0"),
        (8735, 10000, "2.65", "3", "2"),
        (72, 100, "18", "18", "18"),
        (899999, 1000000, "0.00", "1", "0"),  # a ten-thousandth of a point
    ],
)
def test_a_point_below_the_line_costs_a_percent(
    timely, due, proportional, started, full
):
    points = points_below(timely, due, Decimal("90.00"))
    for rounding, owed in (
        ("proportional", proportional),
        ("started", started),
        ("full", full),
    ):
        found = deduction(
            points, per_point=Decimal("1.00"), rounding=rounding, cap=Decimal(100)
        )
        assert found == Decimal(owed), rounding


def test_a_deduction_is_capped_and_the_price_of_a_point_is_a_setting():
    found = deduction(
        Fraction(18), per_point=Decimal("2.00"), rounding="full", cap=Decimal(20)
    )
    assert found == 20
    assert points_below(0, 0, Decimal(90)) == 0


# --- orders -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "is_due", "is_timely"),
    [
        ((TEN, "2026-10-12 10:00"), True, True),
        ((TEN, "2026-10-12 10:01"), True, False),
        ((TEN, ""), True, False),
        ((TEN, "", "2026-10-12 09:00"), False, False),
        ((TEN, "", "2026-10-12 11:00"), True, False),  # gave up behind the window
        ((TEN, "", "", "", "cancelled"), False, False),
        ((TEN, "", "", "", "failed"), True, False),
        ((TEN, "2026-10-12 09:00", "", "否"), True, False),  # the customer knows better
        ((TEN, "2026-10-12 11:00", "", "是"), True, True),
    ],
)
def test_what_is_due_and_what_is_in_time(cast, row, is_due, is_timely):
    orders(cast.wuhan, ("A1", *row))
    assert (order("A1").is_due, order("A1").is_timely) == (is_due, is_timely)
    found = counts_of(cast.wuhan, FIRST, LAST)
    assert (found.due, found.timely) == (int(is_due), int(is_timely))
    assert found.cancelled == int(not is_due)


def test_orders_may_come_in_any_order_and_twice(cast):
    rows = [
        ("A1", TEN),
        ("A1", TEN, "2026-10-12 11:00"),
        ("A1", TEN, "2026-10-12 09:30", "", "", "", "1"),  # a correction
        ("A2", "2026-10-30 10:00"),
        ("A2", "2026-11-02 10:00", "", "", "", "", "2"),  # moved to another month
        ("A3", TEN, "", "", "否"),
    ]
    found = set()
    for seed in range(6):
        with transaction.atomic():
            shuffled = [*rows, *rows[:3]]
            Random(seed).shuffle(shuffled)
            cut = seed % 4 + 1
            for start in range(0, len(shuffled), cut):
                orders(cast.wuhan, *shuffled[start : start + cut])
            tallies = PickupTally.objects.order_by("day")
            found.add(tuple(tallies.values_list("day", "due", "timely", "called")))
            transaction.set_rollback(True)
    assert found == {
        ((date(2026, 10, 12), 2, 1, 1), (date(2026, 11, 2), 1, 0, 0)),
    }


def test_bad_orders_get_a_clear_answer_and_sisters_are_left_alone(cast):
    orders(cast.yichang, ("A1", TEN))
    batch = orders(
        cast.wuhan,
        ("A1", TEN),
        ("A2", ""),
        ("A3", "soon"),
        ("A4", TEN, "2099-01-01 10:00"),
        ("A 5", TEN),
        ("A6", TEN, "", "", "maybe"),
        ("A7", TEN, "", "", "", "lost"),
    )
    rows = RejectedRow.objects.filter(batch=batch).order_by("line")
    assert list(rows.values_list("reason", flat=True)) == [
        *(
            "foreign_item",
            "missing",
            "moment",
            "future",
            "reference",
            "choice",
            "choice",
        ),
    ]
    assert order("A1").office == cast.yichang


def test_an_import_of_orders_is_taken_back(cast):
    batch = orders(cast.wuhan, ("A1", TEN), ("A2", TEN))
    orders(cast.wuhan, ("A2", TEN, "2026-10-12 09:00"))
    assert run_inline(transfer.revert_import(batch, by=None).job).state == "done"
    assert list(PickupOrder.objects.values_list("ref", flat=True)) == ["A2"]
    assert counts_of(cast.wuhan, FIRST, LAST).due == 1


# --- the table of seed 001 --------------------------------------------------------------


@pytest.fixture
def province(cast):
    """Hubei with its sixteen units, and their orders of October."""
    units = {"420100": cast.wuhan, "420500": cast.yichang}
    for code in demo.TABLE:
        units.setdefault(code, None)
        if units[code] is None:
            units[code] = make.office(code, code, "prefecture", cast.hubei)
    lines = demo.orders(Random(1), FIRST, LAST, demo.TABLE)
    pickup_import.load(Run(cast.hubei, 0), lines, demo.COLUMNS)
    return cast


def test_the_province_is_summed_and_never_the_mean_of_its_units(province):
    """R-KPI-15 to 18: 37,972 orders, 94.90 %, seven units at 90 %, three of them at 95 %."""
    found = counts_of(province.hubei, FIRST, LAST)
    assert (found.due, found.timely) == (37_972, 36_035)
    assert f"{found.timely_rate.percent:.2f}" == "94.90"
    units = counts_by_office(Office.objects.filter(depth=2), FIRST, LAST).values()
    units = [unit for unit in units if unit.due]
    assert len(units) == 16
    assert sum(unit.is_met for unit in units) == 7
    assert sum(unit.is_excellent for unit in units) == 3
    mean = sum(unit.timely_rate.percent for unit in units) / 16
    assert mean < 93.13


@pytest.mark.parametrize(
    ("rounding", "owed"), [("proportional", "2.65"), ("started", "3"), ("full", "2")]
)
def test_the_sheet_names_who_owes_what(province, rounding, owed):
    boss = make.user("boss", ("supervisor", province.hubei))
    sheet = PickupSheet(
        office=province.hubei, first=FIRST, last=LAST, rounding=rounding
    )
    sheets.propose(sheet, by=boss)
    assert sheet.payroll_month == date(2026, 11, 1)
    lines = sheet.lines.all()
    assert lines.filter(standing="deducted").count() == 9
    assert lines.filter(standing="free", percent=0).count() == 7
    assert lines.filter(is_excellent=True).count() == 3
    yichang = lines.get(unit=province.yichang)
    assert (yichang.due, yichang.timely) == (2000, 1747)  # 87.35 %
    assert yichang.percent == Decimal(owed)


# --- the way of a sheet -----------------------------------------------------------------


@pytest.fixture
def sheet(cast):
    """A proposal over Wuhan's county, which has 60 of 100, made by Chen."""
    many(cast.wuchang, 100, 85)
    row = PickupSheet(office=cast.wuhan, first=FIRST, last=LAST)
    return sheets.propose(row, by=cast.chen)


def test_four_eyes_and_the_pay_come_before_finance(cast, sheet):
    other = make.user("other", ("supervisor", cast.wuhan))
    (line,) = sheet.lines.all()
    with pytest.raises(Refused, match="Somebody else"):
        sheets.sign(sheet, by=cast.chen)
    with pytest.raises(Refused, match="pay"):
        sheets.sign(sheet, by=other)
    with pytest.raises(Refused, match="signed"):
        sheets.export(sheet, by=cast.jing)
    sheets.set_bases(sheet, {line.pk: Decimal("48000")}, by=cast.jing)
    sheets.sign(sheet, by=other)
    rows = sheets.export(sheet, by=cast.jing)
    assert rows[1][:6] == [
        *(cast.wuchang.code, cast.wuchang.name, "2026-11"),
        *(Decimal("48000"), Decimal("5.00"), Decimal("2400.00")),
    ]
    assert "85.00 %" in rows[1][6]
    with pytest.raises(Refused, match="proposal"):
        sheets.set_bases(sheet, {line.pk: Decimal(1)}, by=cast.jing)
    with pytest.raises(Refused, match="proposal"):
        sheets.drop(sheet, by=other)
    told = Message.objects.filter(subject__contains="below the line")
    assert told.filter(to_user=cast.chen).exists()


def test_who_may_do_what_to_a_sheet(cast, sheet):
    for who in (cast.lin, cast.mei, cast.jing):
        with pytest.raises(PermissionDenied):
            sheets.sign(sheet, by=who)
    with pytest.raises(PermissionDenied):
        sheets.export(sheet, by=cast.chen)
    seen = PickupSheet.objects
    assert seen.visible_to(cast.jing).exists()
    assert not seen.visible_to(cast.mei).exists()
    below = make.user("below", ("supervisor", cast.wuchang))
    assert not seen.visible_to(below).exists()  # not before it is signed
    other = make.user("other", ("supervisor", cast.wuhan))
    line = sheet.lines.get()
    sheets.set_bases(sheet, {line.pk: Decimal(1)}, by=other)
    sheets.sign(sheet, by=other)
    assert seen.visible_to(below).count() == 1


def test_a_signature_stands_for_what_was_read_and_pay_is_read_by_its_own_unit(
    cast, sheet, sign_in
):
    other = make.user("other", ("supervisor", cast.wuhan))
    line = sheet.lines.get()
    sheets.set_bases(sheet, {line.pk: Decimal("100.50")}, by=other)
    read = sheets.fingerprint(sheet)
    sheets.set_bases(sheet, {line.pk: Decimal("90000")}, by=cast.chen)
    with pytest.raises(Refused) as refusal:
        sheets.sign(sheet, by=other, seen=read)
    assert refusal.value.code == "sheet.changed"
    sheets.sign(sheet, by=other, seen=sheets.fingerprint(sheet))
    sister = make.office("420107", "青山区", "county", cast.wuhan)
    PickupLine.objects.create(
        sheet=sheet, unit=sister, timely=1, due=40, called=0, base=777, standing="free"
    )
    unit = sign_in(make.user("below", ("supervisor", cast.wuchang)))
    shown = {
        row.unit: row.base
        for row in unit.get(sheet.get_absolute_url()).context["lines"]
    }
    assert shown == {cast.wuchang: 90000, sister: None}


def test_an_amount_is_rounded_half_up():
    row = PickupLine(base=Decimal("100.50"), percent=Decimal(5))
    assert row.amount == Decimal("5.03")


def test_the_same_days_have_one_sheet(cast, sheet):
    again = PickupSheet(office=cast.wuhan, first=FIRST, last=LAST)
    with pytest.raises(Refused, match="already"):
        sheets.propose(again, by=cast.chen)
    # Nor some of the days: nobody is deducted twice for one.
    part = PickupSheet(office=cast.wuhan, first=FIRST, last=LAST - timedelta(days=1))
    with pytest.raises(Refused, match="already"):
        sheets.propose(part, by=cast.chen)
    sheets.drop(sheet, by=cast.chen)
    sheets.propose(PickupSheet(office=cast.wuhan, first=FIRST, last=LAST), by=cast.chen)
    empty = PickupSheet(
        office=cast.wuhan, first=date(2020, 1, 1), last=date(2020, 1, 2)
    )
    with pytest.raises(Refused, match="No unit"):
        sheets.propose(empty, by=cast.chen)


def test_a_unit_with_twenty_nine_orders_is_not_assessed(cast):
    many(cast.wuchang, 29, 1)
    row = PickupSheet(office=cast.wuhan, first=FIRST, last=LAST)
    line = sheets.propose(row, by=cast.chen).lines.get()
    assert (line.standing, line.percent) == (PickupLine.Standing.FEW, 0)


def test_the_database_refuses_what_no_service_does(cast, sheet):
    for facts in ({"state": "signed"}, {"excellent": 10}, {"cap": 101}):
        with pytest.raises(IntegrityError), transaction.atomic():
            PickupSheet.objects.filter(pk=sheet.pk).update(**facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        sheet.lines.update(timely=200)


# --- pages ------------------------------------------------------------------------------


def test_the_pages_lead_from_the_rate_to_the_file(cast, sign_in):
    many(cast.wuchang, 100, 85)
    client = sign_in(cast.chen)
    page = client.get(reverse("quality:pickups"), MONTH)
    assert page.context["whole"].timely == 85
    assert page.context["below"] == 1
    listed = client.get(reverse("quality:pickup_orders"), MONTH | {"which": "missed"})
    assert listed.context["page"].total == 15
    sent = {
        **{"office": cast.wuhan.pk, "first": "2026-10-01", "last": "2026-10-31"},
        **{"target": "90", "excellent": "95", "per_point": "1", "cap": "20"},
        **{"rounding": "started", "token": "6f1f6f8e-7a1c-4a52-9a35-0c2b5f0e9d11"},
    }
    url = reverse("quality:sheets")
    made = client.post(url, sent)
    assert client.post(url, sent).url == made.url  # sent twice
    row = PickupSheet.objects.get()
    line = row.lines.get()
    assert client.post(made.url, {f"base_{line.pk}": "-5"}).status_code == 422
    client.post(made.url, {f"base_{line.pk}": "10000"})
    client.post(reverse("quality:sheet_step", args=[row.pk, "sign"]))
    row.refresh_from_db()
    assert row.state == "proposed"  # one's own
    client = sign_in(make.user("other", ("supervisor", cast.wuhan)))
    read = client.get(made.url).context["seen"]
    client.post(reverse("quality:sheet_step", args=[row.pk, "sign"]), {"seen": read})
    text = client.get(reverse("quality:bulletin", args=[row.pk])).content.decode()
    assert cast.wuchang.name in text
    assert "85.00" in text
    client = sign_in(cast.jing)
    answer = client.post(reverse("quality:sheet_csv", args=[row.pk]))
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert '"5.00","500.00"' in lines[1]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"last": "2026-09-01"}, "last"),
        ({"last": "2099-01-01"}, "last"),
        ({"excellent": "80"}, "excellent"),
        ({"cap": "101"}, "cap"),
        ({"rounding": "up"}, "rounding"),
        ({"office": "0"}, "office"),
    ],
)
def test_a_bad_proposal_is_answered_beside_its_field(cast, sign_in, wrong, field):
    sent = {
        **{"office": cast.wuhan.pk, "first": "2026-10-01", "last": "2026-10-31"},
        **{"target": "90", "excellent": "95", "per_point": "1", "cap": "20"},
        **{"rounding": "full"},
    }
    page = sign_in(cast.chen).post(reverse("quality:sheets"), sent | wrong)
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not PickupSheet.objects.exists()


def test_the_rate_is_a_kpi_of_the_shell(cast, capsys):
    many(cast.wuchang, 100, 85)
    call_command(
        *("kpi", "timely_pickup_rate", "--office", cast.wuhan.code, "--json"),
        *("--from", "2026-10-01", "--to", "2026-10-31"),
    )
    assert (
        '"numerator": 85, "denominator": 100, "value": 0.85' in capsys.readouterr().out
    )
