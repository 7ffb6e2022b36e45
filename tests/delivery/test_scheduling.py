"""The schedule of one person: windows, capacity, who is left out, what moves."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from delivery.scheduling import Wanted, most, schedule

DAYS = 6
windows = st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(sorted)
visits = st.lists(st.tuples(windows, st.integers(1, 9)), max_size=14)
rooms = st.lists(st.integers(0, 3), min_size=DAYS, max_size=DAYS)


def wanted_of(rows) -> list[Wanted]:
    return [
        Wanted(key, first, last, weight)
        for key, ((first, last), weight) in enumerate(rows)
    ]


def best_weight(wanted: list[Wanted], room: list[int]) -> int:
    """The most weight that any plan keeps, by the Hungarian method."""
    slots = [day for day, count in enumerate(room) for _slot in range(count)]
    if not wanted or not slots:
        return 0
    worth = np.zeros((len(wanted), len(slots)))
    for n, one in enumerate(wanted):
        for m, day in enumerate(slots):
            if one.first <= day <= one.last:
                worth[n, m] = 1000 + one.weight
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return int(worth[rows, columns].sum())


@given(visits, rooms)
def test_nobody_misses_the_window_while_a_slot_can_be_made_free(rows, room):
    """As many as any plan could keep, and of those plans the heaviest."""
    wanted = wanted_of(rows)
    plan = schedule(wanted, room)
    weights = {one.key: one.weight for one in wanted}
    kept = sum(1000 + weights[key] for key in plan.day)
    assert kept == best_weight(wanted, room)
    assert plan.gap == 0


@given(visits, rooms)
def test_no_day_is_over_its_room_and_no_visit_outside_its_window(rows, room):
    wanted = wanted_of(rows)
    plan = schedule(wanted, room)
    used = [0] * DAYS
    for one in wanted:
        if one.key in plan.day:
            day = plan.day[one.key]
            used[day] += 1
            assert one.first <= day <= one.last
    assert all(count <= slots for count, slots in zip(used, room, strict=True))
    assert set(plan.day) | set(plan.left_out) == set(range(len(wanted)))


def test_a_plan_is_kept_when_nothing_has_changed():
    rng = Random(7)
    wanted = [
        Wanted(key, first := rng.randrange(30), min(39, first + rng.randrange(12)), 4)
        for key in range(150)
    ]
    plan = schedule(wanted, [5] * 40)
    again = schedule(
        [replace(one, held=plan.day.get(one.key)) for one in wanted], [5] * 40
    )
    assert again.day == plan.day
    assert not again.moved


def test_a_visit_that_needs_a_slot_moves_one_other_not_all():
    """Two days of one slot each: the new one can only go first, so the old one goes second."""
    held = Wanted(1, 0, 1, held=0)
    plan = schedule([held, Wanted(2, 0, 0)], [1, 1])
    assert plan.day == {1: 1, 2: 0}
    assert plan.moved == {1}


def test_the_heavier_visit_gets_the_only_slot():
    plan = schedule([Wanted(1, 0, 0, 3), Wanted(2, 0, 0, 8)], [1])
    assert plan.day == {2: 0}
    assert plan.left_out == [1]
    assert plan.bound == 1


def test_a_pinned_visit_stays_even_on_a_full_day():
    pins = [Wanted(key, 0, 0, 9, held=0, is_pinned=True) for key in (1, 2)]
    plan = schedule([*pins, Wanted(3, 0, 0)], [1])
    assert plan.day == {1: 0, 2: 0}
    assert plan.left_out == [3]


def test_neighbours_go_on_one_day():
    """Two districts, four visits, two days: each district has its day."""
    wanted = [
        Wanted(key, 0, 1, 4, area)
        for key, area in enumerate(["420106珞喻路", "420102江汉路"] * 2)
    ]
    plan = schedule(wanted, [2, 2])
    assert plan.day[0] == plan.day[2]
    assert plan.day[1] == plan.day[3]


@pytest.mark.parametrize(("room", "kept"), [([0, 0], 0), ([1, 0], 1), ([2, 5], 3)])
def test_the_bound_counts_slots_that_somebody_can_use(room, kept):
    assert most([Wanted(1, 0, 0), Wanted(2, 0, 0), Wanted(3, 0, 1)], room) == kept
