"""Pickups of the demo province in the month before: the table of seed 001 as far as it is
told (37,972 orders, 94.90 %, seven units at or above 90 %, three of them 95 %, nine below,
by name), and the assessment that follows from it."""

from datetime import date, datetime, time, timedelta
from random import Random

from django.utils.timezone import localdate

from crm.access.models import User
from crm.org.calendar import SHANGHAI
from crm.org.models import Office
from crm.transfer.models import SourceFile
from crm.transfer.targets import Run
from customers.seasons import month_span
from delivery.models import PickupSheet
from delivery.quality import pickup_import, sheets

# unit: (orders due, of these not in time)
TABLE = {
    "420100": (25_000, 700),
    "420300": (1_400, 56),
    "420200": (1_300, 60),
    "420800": (1_000, 80),
    "420900": (1_000, 90),
    "421300": (800, 72),
    "422800": (700, 63),
    "420500": (2_000, 253),
    "421100": (600, 90),
    "421000": (600, 70),
    "429005": (600, 70),
    "420600": (600, 70),
    "429006": (600, 65),
    "421200": (600, 65),
    "420700": (600, 66),
    "429004": (572, 67),
}
COLUMNS = [
    *("ref", "office", "ordered_at", "promised_by", "collected_at", "said_in_time"),
    *("outcome", "reason"),
]
REASONS = ("到达太晚", "未上门", "电话联系不上揽投员", "车辆故障")


def orders(rng: Random, first: date, last: date, table: dict) -> list[list]:
    """Lines of a ledger: every customer was asked."""
    lines: list[list] = []
    days = (last - first).days + 1
    for unit, (due, missed) in table.items():
        for number in range(due):
            day = first + timedelta(days=number % days)
            at = datetime.combine(day, time(9 + number % 8), SHANGHAI)
            is_missed = number < missed
            never = is_missed and number % 3 == 0
            late = timedelta(minutes=rng.randint(10, 200))
            collected = at + (late if is_missed else -late / 10)
            lines.append(
                [
                    len(lines) + 2,
                    f"P{first:%y%m}-{unit}-{number:05d}",
                    unit,
                    (at - timedelta(hours=2)).isoformat(),
                    at.isoformat(),
                    "" if never else collected.isoformat(),
                    "f" if is_missed else "t",
                    "failed" if never else "collected",
                    rng.choice(REASONS) if is_missed else "",
                ]
            )
    return lines


def seed(rng: Random, offices: dict[str, Office], users: dict[str, User]) -> None:
    root = offices["420000"]
    first, last = month_span(localdate().replace(day=1) - timedelta(days=1))
    source = SourceFile.objects.create(office=root, sha256="demo-pickups")
    lines = orders(rng, first, last, TABLE)
    pickup_import.load(Run(root, source.pk), lines, COLUMNS)
    sheet = PickupSheet(office=root, first=first, last=last)
    sheets.propose(sheet, by=users["supervisor.hubei"])
