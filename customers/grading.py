"""Grading by a scheme: pure, one customer at a time; grade_runs.py says the same in SQL.

Sources: domain.md 5.1 (published tiers), 5.2 (rule for the software), R-GRD-01…06, 19…21.
Grades are counted from the top: 0 is the best.
"""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

DIMENSIONS = ("revenue", "profit", "credit", "payment", "brand", "loyalty")
MOST = 10**12  # yuan: above, it is a slip of the keyboard
BENEFITS = (
    "dedicated_agent",
    "priority_queue",
    "status_sms",
    "disturbance_sms",
    "green_channel",
    "visits",
    "offers",
    "greeting_calls",
    "own_solution",
    "tracking",
)


class Wrong(ValueError):
    """A rule that cannot be: `field` of the form, and a key of the messages there."""

    def __init__(self, field: str, reason: str, place: int = 0) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason, self.place = field, reason, place  # step of a ladder


@dataclass(frozen=True)
class Grade:
    """One step of the ladder. `amount` is yuan in 12 months, `score` of 100, both at least."""

    code: str
    name: str
    amount: int
    score: int
    benefits: tuple[str, ...] = ()


# How a measure becomes points: the first line whose bound is reached counts, else 0.
# Lines are (bound, points). Measures: revenue = share of the prefecture's customers with
# less, profit = margin, credit = days of the oldest arrears (at most), payment = days of
# credit (at most), loyalty = months of twelve with usage, brand = points by class.
Table = tuple[tuple[float, int], ...]
AT_MOST = ("credit", "payment")
TABLES: dict[str, Table] = {
    "revenue": ((0.95, 100), (0.8, 80), (0.6, 60), (0.4, 40), (0.2, 20)),
    "profit": ((0.3, 100), (0.2, 80), (0.1, 60), (0.05, 40), (0, 20)),
    "credit": ((0, 100), (30, 70), (60, 40), (90, 20)),
    "payment": ((0, 100), (15, 80), (30, 60), (60, 30)),
    "loyalty": ((12, 100), (9, 80), (6, 60), (3, 40), (1, 20)),
}
BRAND = {
    "leader": 100, "multinational": 100, "government": 90, "media": 90, "other": 60,
    "headquarters": 70, "none": 30,
}  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What a scheme says; valid once `check` has passed it."""

    grades: tuple[Grade, ...]
    weights: dict[str, int]
    segments: tuple[str, ...] = ("contract", "standard")
    tables: dict[str, Table] = field(default_factory=lambda: dict(TABLES))
    brand: dict[str, int] = field(default_factory=lambda: dict(BRAND))
    lift: int = 1  # steps that a good score may add to the grade by amount
    top: int = 0  # so many of an office by amount …
    top_grade: str = ""  # … get at least this grade
    strategic_grade: str = ""  # customers of a strategic class get at least this one
    cap_days: int = 90  # arrears older than this …
    cap_grade: str = ""  # … get at most this grade, at once
    protection: int = 2  # runs below the line before a downgrade
    factors: dict[str, float] = field(
        default_factory=dict
    )  # office code → × thresholds
    ladders: dict[str, tuple[int, ...]] = field(default_factory=dict)  # own thresholds

    def rank(self, code: str) -> int:
        return [grade.code for grade in self.grades].index(code)

    @property
    def last(self) -> int:
        return len(self.grades) - 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def from_json(data: dict[str, Any]) -> Rules:
    """Rules as they were stored."""
    facts = dict(data)
    facts["grades"] = tuple(
        Grade(**{**grade, "benefits": tuple(grade["benefits"])})
        for grade in data["grades"]
    )
    facts["segments"] = tuple(data["segments"])
    facts["tables"] = {
        name: tuple((bound, points) for bound, points in table)
        for name, table in data["tables"].items()
    }
    facts["ladders"] = {code: tuple(row) for code, row in data["ladders"].items()}
    return Rules(**facts)


def check(rules: Rules) -> None:
    """Wrong(field, reason) unless weights make 100, ladders fall strictly to zero without
    a gap, tables are in order, and every grade that is named exists."""
    if sum(rules.weights.values()) != 100 or min(rules.weights.values()) < 0:
        raise Wrong("weights", "sum")
    codes = [grade.code for grade in rules.grades]
    if len(codes) < 2 or len(set(codes)) < len(codes):
        raise Wrong("grades", "codes")
    _check_ladders(rules)
    for name in ("top_grade", "strategic_grade", "cap_grade"):
        if getattr(rules, name) and getattr(rules, name) not in codes:
            raise Wrong(name, "unknown")
    if rules.top and not rules.top_grade:
        raise Wrong("top_grade", "unknown")
    for name, table in rules.tables.items():
        _check_table(name, table)
    if not all(0 <= points <= 100 for points in rules.brand.values()):
        raise Wrong("brand", "points")


def _check_ladders(rules: Rules) -> None:
    _check_ladder("amount", [grade.amount for grade in rules.grades])
    _check_ladder("score", [grade.score for grade in rules.grades])
    if rules.grades[0].score > 100:
        raise Wrong("score", "hundred")
    for row in rules.ladders.values():
        if len(row) != len(rules.grades):
            raise Wrong("ladders", "length")
        _check_ladder("ladders", list(row))
    if any(not 0 < factor <= 10 for factor in rules.factors.values()):
        raise Wrong("factors", "range")


def _check_ladder(name: str, steps: list[int]) -> None:
    if steps[-1] != 0:
        raise Wrong(name, "gap", len(steps) - 1)
    for place, (high, low) in enumerate(zip(steps, steps[1:], strict=False), start=1):
        if high <= low:
            raise Wrong(name, "falling", place)


def _check_table(name: str, table: Table) -> None:
    bounds = [bound for bound, _points in table]
    points = [points for _bound, points in table]
    if bounds != sorted(set(bounds), reverse=name not in AT_MOST):
        raise Wrong(name, "bounds")
    if points != sorted(set(points), reverse=True) or not all(
        0 <= one <= 100 for one in points
    ):
        raise Wrong(name, "points")


@dataclass(frozen=True)
class Inputs:
    """What is known of a customer when a run begins; frozen with its result."""

    amount: Decimal  # revenue of the 12 months up to the period's end, 0 at the least
    share: float  # of the prefecture's customers with less, ties in the middle
    margin: float  # profit ÷ revenue; 0 without cost figures
    arrears_days: int  # of the oldest unpaid bill
    credit_days: int  # of the running contract; 0 pays at once
    months: int  # of twelve with usage
    strategic_class: str = ""
    is_headquarters: bool = False
    place: int = 0  # by amount in the office, 1 is the first
    held: str = ""  # grade code of the run before
    below: int = 0  # runs below that grade so far
    thresholds: tuple[float, ...] = ()  # of the office; empty = the scheme's


@dataclass(frozen=True)
class Judgement:
    """How a grade came about. `computed` is before protection; `rule` decided."""

    points: dict[str, int]
    score: Decimal
    by_amount: int
    by_score: int
    computed: int
    grade: int
    below: int
    rule: str


def points_of(rules: Rules, found: Inputs) -> dict[str, int]:
    """Points of 100 in each dimension."""
    measures = {
        "revenue": found.share,
        "profit": found.margin,
        "credit": found.arrears_days,
        "payment": found.credit_days,
        "loyalty": found.months,
    }
    points = {
        name: _looked_up(rules.tables[name], measure, name in AT_MOST)
        for name, measure in measures.items()
    }
    is_head = "headquarters" if found.is_headquarters else "none"
    points["brand"] = rules.brand[found.strategic_class or is_head]
    return points


def _looked_up(table: Table, measure: float, at_most: bool) -> int:
    for bound, points in table:
        if measure <= bound if at_most else measure >= bound:
            return points
    return 0


def judge(rules: Rules, found: Inputs) -> Judgement:
    """The grade of one customer: the lower of by amount, lifted, and by score; then
    the top of the office and strategic classes up, old arrears down, protection last."""
    points = points_of(rules, found)
    score = Decimal(sum(rules.weights[n] * points[n] for n in DIMENSIONS)) / 100
    amounts = found.thresholds or tuple(grade.amount for grade in rules.grades)
    by_amount = next(n for n, line in enumerate(amounts) if found.amount >= line)
    by_score = next(n for n, g in enumerate(rules.grades) if score >= g.score)
    computed = max(by_amount - rules.lift, by_score, 0)
    rule = "score" if by_score >= by_amount - rules.lift else "amount"
    if not found.amount:
        computed, rule = rules.last, "no_usage"
    raised = [
        ("strategic", rules.strategic_grade, bool(found.strategic_class)),
        ("top", rules.top_grade, 0 < found.place <= rules.top and found.amount > 0),
    ]
    for name, code, holds in raised:
        if code and holds and rules.rank(code) < computed:
            computed, rule = rules.rank(code), name
    is_capped = bool(rules.cap_grade) and found.arrears_days > rules.cap_days
    if is_capped and rules.rank(rules.cap_grade) > computed:
        computed, rule = rules.rank(rules.cap_grade), "capped"
    codes = [grade.code for grade in rules.grades]
    held = codes.index(found.held) if found.held in codes else None
    below = found.below + 1 if held is not None and held < computed else 0
    grade = computed
    if held is not None and 0 < below < rules.protection and not is_capped:
        grade, rule = held, "protected"
    return Judgement(points, score, by_amount, by_score, computed, grade, below, rule)


def missing(rules: Rules, found: Inputs, judged: Judgement) -> tuple[Decimal, Decimal]:
    """(yuan, points) that are missing to the next better grade; zeros at the top."""
    if judged.grade == 0:
        return Decimal(0), Decimal(0)
    amounts = found.thresholds or tuple(grade.amount for grade in rules.grades)
    line = min(judged.grade - 1 + rules.lift, rules.last)
    least = Decimal(str(amounts[line])) or Decimal(
        1
    )  # without usage no grade but the last
    yuan = max(Decimal(0), least - found.amount)
    points = max(Decimal(0), rules.grades[judged.grade - 1].score - judged.score)
    return yuan, points


WEIGHTS = dict(zip(DIMENSIONS, (35, 15, 20, 10, 10, 10), strict=True))
PRESETS: dict[str, Rules] = {
    # Guangdong letter-mail key accounts; groups 2 and 3 multiply by 0.9 and 0.8.
    "guangdong": Rules(
        grades=(
            Grade("diamond", "钻石", 5_000_000, 85, BENEFITS),
            Grade("platinum", "白金", 2_000_000, 75, (*BENEFITS[:8], "tracking")),
            Grade("gold", "金", 200_000, 60, (*BENEFITS[1:7], "tracking")),
            Grade("vip", "VIP", 10_000, 40, ("status_sms", "offers", "visits")),
            Grade("ordinary", "普通", 0, 0),
        ),
        weights=WEIGHTS,
        cap_grade="vip",
        strategic_grade="vip",
    ),
    # Hubei express and logistics: 10,000 yuan a year or the first five of the bureau;
    # authorities, press and the like count whatever they send.
    "hubei": Rules(
        grades=(
            Grade("key", "大客户", 10_000, 1, BENEFITS),
            Grade("ordinary", "一般客户", 0, 0),
        ),
        weights=WEIGHTS,
        lift=0,
        top=5,
        top_grade="key",
        strategic_grade="key",
        cap_grade="ordinary",
    ),
    # ZTO and seed 003: VIP, important, ordinary.
    "three": Rules(
        grades=(
            Grade("vip", "VIP", 100_000, 70, BENEFITS),
            Grade(
                "important", "重要", 10_000, 45, ("visits", "own_solution", "offers")
            ),
            Grade("ordinary", "一般", 0, 0),
        ),
        weights=WEIGHTS,
        cap_grade="important",
    ),
}
