"""One person's visits on their working days; pure.

Windows and capacities alone decide who gets a slot: visits of one person that can be kept
together are the independent sets of a matroid (a transversal one), so taking them by weight
and moving others aside along shortest chains is exact — no visit misses its window while
chains of free slots lead to one, and the heaviest are kept. Which day it then is follows the
travel: the same road, the same district, else an emptier day. `most` counts by another way
what can be kept at all, as the bound to show. Decision 0016.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ROAD, DISTRICT = 3, 2  # what company on a day is worth
PASSES = 3  # second looks at what is new


@dataclass(frozen=True, slots=True)
class Wanted:
    """A visit to be placed. Days are indexes into the person's working days; the window
    is [first, last]. `held` is the day it has now; a pinned one stays there whatever else."""

    key: int
    first: int
    last: int
    weight: int = 4
    area: str = ""  # six digits of the district, then the road
    held: int | None = None
    is_pinned: bool = False


@dataclass
class Schedule:
    """Where each goes, what could not be kept, and how many could be at the most.

    `moved` had a day and got another; `company` is how many others of the same road or
    district the day had when it was chosen.
    """

    day: dict[int, int] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)
    company: dict[int, int] = field(default_factory=dict)
    bound: int = 0

    @property
    def kept(self) -> int:
        return len(self.day)

    @property
    def gap(self) -> int:
        """How many more a perfect plan could keep: 0 is proof that none is better."""
        return self.bound - self.kept


def most(wanted: Iterable[Wanted], room: Sequence[int]) -> int:
    """How many windows any plan can keep: day by day, who must go soonest goes first.

    Exact for windows of whole days (a convex bipartite graph). n log n.
    """
    waiting = sorted(wanted, key=lambda one: one.first)
    soonest: list[int] = []
    kept = at = 0
    for day, slots in enumerate(room):
        while at < len(waiting) and waiting[at].first <= day:
            heapq.heappush(soonest, waiting[at].last)
            at += 1
        while soonest and soonest[0] < day:
            heapq.heappop(soonest)
        for _slot in range(min(max(slots, 0), len(soonest))):
            heapq.heappop(soonest)
            kept += 1
    return kept


def schedule(wanted: Sequence[Wanted], room: Sequence[int]) -> Schedule:
    """Place visits of equal length on days with so many slots each.

    Pinned ones take their slot first, even beyond what the day has. COST: some steps a
    visit while days are free; a search over the days for one that needs others moved.
    """
    pinned, loose, free = [], [], list(room)
    for one in wanted:
        if one.is_pinned and one.held is not None:
            pinned.append(one)
            free[one.held] -= 1
        else:
            loose.append(one)
    possible = most(loose, free)
    chosen = loose if possible == len(loose) else _heaviest(loose, free)
    desk = _Desk(chosen, free, pinned)
    desk.place()
    plan = Schedule(day=dict(desk.day), company=desk.company)
    plan.day |= {one.key: one.held for one in pinned if one.held is not None}
    plan.bound = possible + len(pinned)
    plan.left_out = [one.key for one in loose if one.key not in plan.day]
    plan.moved = {
        one.key
        for one in loose
        if one.held is not None and plan.day.get(one.key, one.held) != one.held
    }
    return plan


def _heaviest(loose: Sequence[Wanted], free: Sequence[int]) -> list[Wanted]:
    """The set of greatest weight that can be kept together: by weight, each if it still
    fits with moving the others."""
    desk = _Desk([], free, [])
    found = []
    for one in sorted(loose, key=lambda one: (-one.weight, one.last, one.key)):
        if desk.squeeze(one):
            found.append(one)
    return found


class _Desk:
    """The days while they are filled."""

    def __init__(
        self, chosen: Sequence[Wanted], free: Sequence[int], pinned: Sequence[Wanted]
    ) -> None:
        self.chosen = chosen
        self.free = list(free)
        self.slots = [max(1, slots) for slots in free]
        self.on: list[dict[int, Wanted]] = [{} for _day in free]
        self.day: dict[int, int] = {}
        self.company: dict[int, int] = {}
        self.roads: list[Counter[str]] = [Counter() for _day in free]
        self.districts: list[Counter[str]] = [Counter() for _day in free]
        for one in pinned:
            self._mark(one, one.held or 0, 1)

    def place(self) -> None:
        """Who has a good day keeps it; the others by their last day; then a second look
        at those that are new, to bring neighbours together."""
        new = [one for one in self.chosen if not self._stays(one)]
        for one in sorted(new, key=lambda one: (one.last, -one.weight, one.key)):
            best = self._best(one)
            if best is None:
                self.squeeze(one)
            else:
                self._put(one, best)
        for _pass in range(PASSES):
            if not sum(self._closer(one) for one in new):
                break
        for one in new:
            if one.key in self.day:
                self.company[one.key] = self._neighbours(one, self.day[one.key]) - 1

    def _stays(self, one: Wanted) -> bool:
        """Put it on the day it has, if that is still good; whether it was."""
        held = one.held
        if held is None or not one.first <= held <= one.last or self.free[held] <= 0:
            return False
        self._put(one, held)
        return True

    # --- the days ----------------------------------------------------------------------

    def _mark(self, one: Wanted, day: int, by: int) -> None:
        if one.area:
            self.roads[day][one.area] += by
            self.districts[day][one.area[:6]] += by

    def _put(self, one: Wanted, day: int) -> None:
        self.on[day][one.key] = one
        self.day[one.key] = day
        self.free[day] -= 1
        self._mark(one, day, 1)

    def _take(self, one: Wanted) -> int:
        day = self.day.pop(one.key)
        del self.on[day][one.key]
        self.free[day] += 1
        self._mark(one, day, -1)
        return day

    def _neighbours(self, one: Wanted, day: int) -> int:
        return self.districts[day][one.area[:6]] if one.area else 1

    def _worth(self, one: Wanted, day: int) -> float:
        """Company on the road or in the district, then an emptier day, then an earlier."""
        company = 0
        if one.area:
            if self.roads[day][one.area] and len(one.area) > 6:
                company = ROAD
            elif self.districts[day][one.area[:6]]:
                company = DISTRICT
        load = 1 - self.free[day] / self.slots[day]
        hurry = (day - one.first) * one.weight / 400
        return company - load - hurry

    def _best(self, one: Wanted) -> int | None:
        days = [d for d in range(one.first, one.last + 1) if self.free[d] > 0]
        return max(days, key=lambda d: self._worth(one, d)) if days else None

    def _closer(self, one: Wanted) -> bool:
        """Spare a trip into a district: move a new visit that is alone there to a day that
        has it already, or change it for one that is new, too. Whether it was."""
        day = self.day.get(one.key)
        if day is None or not one.area or self.districts[day][one.area[:6]] > 1:
            return False
        for other in range(one.first, one.last + 1):
            if other == day or not self.districts[other][one.area[:6]]:
                continue
            if self.free[other] > 0:
                self._take(one)
                self._put(one, other)
                return True
            for two in self.on[other].values():
                if self._may_change(two, other, day, one.area[:6]):
                    for moved, where in ((one, other), (two, day)):
                        self._take(moved)
                        self._put(moved, where)
                    return True
        return False

    def _may_change(self, two: Wanted, now: int, to: int, leaving: str) -> bool:
        """Whether a visit may go to the day that another leaves, without a trip more."""
        if two.held is not None or not two.first <= to <= two.last:
            return False
        district = two.area[:6]
        is_known = self.districts[to][district] > 0 and district != leaving
        return is_known or (bool(district) and self.districts[now][district] == 1)

    def squeeze(self, one: Wanted) -> bool:
        """Put it on one of its days by moving as few others as possible, new ones first;
        whether it could be."""
        came: dict[int, tuple[int, Wanted | None]] = {}
        queue: deque[int] = deque()
        for day in range(one.first, one.last + 1):
            came[day] = (-1, None)
            queue.append(day)
        while queue:
            day = queue.popleft()
            if self.free[day] > 0:
                self._shift(one, day, came)
                return True
            for other in sorted(
                self.on[day].values(), key=lambda two: two.held is not None
            ):
                for target in range(other.first, other.last + 1):
                    if target not in came:
                        came[target] = (day, other)
                        queue.append(target)
        return False

    def _shift(
        self, one: Wanted, day: int, came: dict[int, tuple[int, Wanted | None]]
    ) -> None:
        """Back along the chain: each goes where the one before it made room."""
        source, other = came[day]
        while other is not None:
            self._take(other)
            self._put(other, day)
            day = source
            source, other = came[day]
        self._put(one, day)
