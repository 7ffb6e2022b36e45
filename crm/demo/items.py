"""Items of the demo province: a hundred days of ledgers, scans of the last weeks, one bad
prefecture, one that sends too little to be ranked, premium routes."""

import hashlib
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from django.utils.timezone import localdate, now

from crm.access.models import User
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.calendar import SHANGHAI
from crm.org.models import Office
from crm.transfer.models import SourceFile
from crm.transfer.targets import Run
from customers.models import Customer
from delivery.models import Disturbance, PremiumRoute
from delivery.quality import disturbances, event_import, item_import
from delivery.quality.waybills import check_digit

DAYS = 100
A_DAY = 90
BAD, SMALL = "421100", "429006"  # Huanggang is slow; Tianmen sends next to nothing
PRODUCTS = ("标快", "特快", "包裹", "函件")
HOURS = {"特快": (10, 40), "标快": (20, 60), "包裹": (40, 110), "函件": (30, 100)}
COLUMNS = [
    *("waybill", "accepted_at", "delivered_at", "attempts", "returned_at"),
    *("return_cause", "outcome", "product", "relation", "from_region", "to_region"),
    *("customer", "accepting", "office", "courier", "method", "requirement"),
    *("requirement_met", "ratings"),
]
EVENTS = ["event_id", "waybill", "code", "at", "office", "operator", "reason", "method"]
STEPS = (
    ("ACCEPTED", 0.0),
    ("ORIGIN_OUT", 0.2),
    ("DEST_IN", 0.7),
    ("OUT_FOR_DELIVERY", 0.9),
)


def seed(
    rng: Random,
    offices: dict[str, Office],
    users: dict[str, User],
) -> int:
    """Bring in the ledgers and scans as an import does; return how many items."""
    root = offices["420000"]
    places = _places(offices)
    mine = Customer.objects.filter(manager=users["manager.wuhan"]).order_by("code")
    watched = mine.filter(grade__benefits__contains="tracking")
    contract = [c.code for c in [*watched[:5], *mine[:5]]]
    rows: list[list] = []
    scans: list[dict[str, Any]] = []
    days = [day for day in range(DAYS) for _one in range(_many(rng, day))]
    for serial, back in enumerate(days):
        day = localdate() - timedelta(days=DAYS - back)
        item = _item(rng, serial, day, places, contract)
        if item["at"] > now():
            continue
        rows.append([len(rows) + 2, *(item[name] for name in COLUMNS)])
        if serial % 6 == 0:
            scans += _scans(rng, item)
    for number, hours in enumerate((66, 69, 71)):
        item = _late(rng, len(days) + number, hours, places, contract)
        rows.append([len(rows) + 2, *(item[name] for name in COLUMNS)])
    lines = [[n + 2, *(scan[name] for name in EVENTS)] for n, scan in enumerate(scans)]
    for target, found, columns in (
        (item_import, rows, COLUMNS),
        (event_import, lines, EVENTS),
    ):
        digest = hashlib.sha256(target.__name__.encode()).hexdigest()
        source = SourceFile.objects.create(office=root, sha256=digest)
        target.load(Run(root, source.pk), found, columns)
    for origin, goal in (("武汉", "宜昌"), ("武汉", "襄阳"), ("武汉", "黄冈")):
        PremiumRoute.objects.create(from_region=origin, to_region=goal)
    _disturbance(offices, users)
    run_inline(enqueue("delivery.tally"))
    run_inline(enqueue("complaints.quality_counts"))
    return len(rows)


def _disturbance(offices: dict[str, Office], users: dict[str, User]) -> None:
    """Three days of rain in Enshi, noted by one, approved by the other."""
    first = localdate().replace(day=1) - timedelta(days=20)
    row = Disturbance(
        office=offices["422800"],
        first=first,
        last=first + timedelta(days=2),
        cause="weather",
        note="暴雨引发山体滑坡，沪渝高速恩施段封闭",
        sms="受暴雨影响，恩施地区邮件投递可能延误，敬请谅解。查询请拨11183。",
    )
    disturbances.propose(row, by=users["supervisor.hubei"])
    disturbances.decide(
        row, by=users["supervisor2.hubei"], approved=True, decision="情况属实"
    )
    run_inline(Job.objects.get(kind="delivery.excuse"))


def _places(offices: dict[str, Office]) -> list[tuple[str, str, list[str], int]]:
    """(prefecture's code, place, codes of delivering offices, weight)."""
    found = []
    for code, office in offices.items():
        if office.level != "prefecture" or office.kind != "bureau":
            continue
        outlets = [c for c, o in offices.items() if o.level == "outlet"]
        own = [c for c in outlets if offices[c].path.startswith(office.path)]
        weight = {"420100": 30, "420500": 10, "420600": 10, SMALL: 0}.get(code, 5)
        found.append((code, office.name[:2], own or [code], weight))
    return found


def _many(rng: Random, back: int) -> int:
    """Items of a day: fewer at weekends, growing, more around 11 November."""
    day = localdate() - timedelta(days=DAYS - back)
    many = A_DAY * (1.15, 1.1, 1.05, 1.05, 1.1, 0.8, 0.55)[day.weekday()]
    if (day.month, day.day) in {(11, n) for n in range(11, 17)}:
        many *= 1.6
    return round(many * (0.92 + 0.16 * back / DAYS) * rng.uniform(0.93, 1.07))


def _item(
    rng: Random, serial: int, day: date, places: list, contract: list[str]
) -> dict[str, Any]:
    weights = [place[3] for place in places]
    origin, goal = rng.choices(places, weights, k=2)
    if serial % 450 == 0:
        goal = next(place for place in places if place[0] == SMALL)
    at = datetime.combine(day, time(8), SHANGHAI) + timedelta(
        minutes=rng.randrange(600)
    )
    product = rng.choices(PRODUCTS, [4, 3, 2, 1])[0]
    hours = _hours(rng, product, is_near=origin is goal, is_bad=goal[0] == BAD)
    ends = at + timedelta(hours=hours)
    ends = ends.replace(hour=8 + ends.hour % 12)  # nobody delivers at night
    fate = rng.random()
    is_open = fate < 0.003 or ends > now() or ends <= at
    is_back = 0.003 <= fate < 0.012 and not is_open
    attempts = 1 if rng.random() < (0.72 if goal[0] == BAD else 0.95) else 2
    wants, code = rng.random() < 0.03, rng.choice(goal[2])
    digits = f"{10_000_000 + serial:08d}"
    item: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    item |= {
        "at": at,
        "ends": None if is_open or is_back else ends,
        "hours": hours,
        "waybill": f"EA{digits}{check_digit(digits)}CN",
        "accepted_at": at.isoformat(),
        "delivered_at": "" if is_open or is_back else ends.isoformat(),
        "attempts": "" if is_open else str(attempts),
        "returned_at": ends.isoformat() if is_back else "",
        "return_cause": rng.choice(("address", "address", "recipient", "operator"))
        if is_back
        else "",
        "outcome": "damaged" if fate > 0.9995 else "lost" if fate < 0.0005 else "",
        "product": product,
        "relation": "same_city" if origin is goal else "province",
        "from_region": origin[1],
        "to_region": goal[1],
        "accepting": origin[0],
        "office": code,
        "courier": f"{code}-K{1 + serial % 3}",
        "method": rng.choices(("door", "station", "locker"), [6, 3, 1])[0],
        "customer": rng.choice(contract) if contract and rng.random() < 0.12 else "",
        "requirement": "工作日上班时间送达，本人签收" if wants else "",
        "requirement_met": ("t" if rng.random() < 0.93 else "f") if wants else "",
    }
    if rng.random() < 0.1 and not is_open:
        item["ratings"] = f"{{{rng.choices((5, 4, 3, 1), [6, 3, 1, 1])[0]}}}"
    return item


def _late(
    rng: Random, serial: int, hours: int, places: list, contract: list[str]
) -> dict[str, Any]:
    """An item of a watched customer whose 72 hours are nearly over."""
    at = now() - timedelta(hours=hours)
    item = _item(rng, serial, localdate(), places, [])
    empty = ("delivered_at", "attempts", "returned_at", "return_cause", "outcome")
    return item | {
        **dict.fromkeys((*empty, "requirement", "requirement_met", "ratings"), ""),
        "accepted_at": at.isoformat(),
        "product": "标快",
        "relation": "province",
        "customer": contract[serial % 3],
    }


def _hours(rng: Random, product: str, *, is_near: bool, is_bad: bool) -> float:
    """From acceptance to delivery; three in two hundred take much longer."""
    low, high = HOURS[product]
    hours = rng.triangular(low, high, low + (high - low) * 0.3)
    hours *= (0.45 if is_near else 1) * (1.9 if is_bad else 1)
    return hours * (rng.choice((3, 4)) if rng.random() < 0.015 else 1)


def _scans(rng: Random, item: dict[str, Any]) -> list[dict[str, Any]]:
    """The scans of one item up to now; a few are impossible."""
    ends = item["ends"] or item["at"] + timedelta(hours=item["hours"])
    length = ends - item["at"]
    steps = [(code, item["at"] + length * part) for code, part in STEPS]
    if item["attempts"] == "2" and item["ends"]:
        steps.append(("ATTEMPT_FAILED", ends - timedelta(hours=1)))
    if item["ends"]:
        steps.append(("DELIVERED", ends))
    if rng.random() < 0.004:
        steps.append(("DEST_IN", item["at"] - timedelta(days=1)))
    found = []
    for place, (code, at) in enumerate(steps):
        if at > now():
            continue
        is_there = code in ("OUT_FOR_DELIVERY", "ATTEMPT_FAILED", "DELIVERED")
        found.append(
            {
                "event_id": f"{item['waybill']}-{place}",
                "waybill": item["waybill"],
                "code": code,
                "at": at.isoformat(),
                "office": item["office"] if is_there else "",
                "operator": item["courier"] if is_there else "",
                "reason": "absent" if code == "ATTEMPT_FAILED" else "",
                "method": item["method"] if code == "DELIVERED" else "",
            }
        )
    return found
