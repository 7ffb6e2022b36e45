"""The ledger of counts: right after any change, however it came, and after adding up."""

import random
from datetime import timedelta

import pytest
from django.utils.timezone import localdate, now

from complaints import counting
from complaints.models import Complaint, OrderCount
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def counted(office) -> counting.OrderFigures:
    """The same figures, row by row."""
    today = localdate()
    rows = Complaint.objects.filter(office__path__startswith=office.path)
    first = today - timedelta(days=29)
    days = [0] * 30
    groups: dict[str, int] = {}
    for row in rows:
        day = localdate(row.opened_at)
        if first <= day <= today:
            days[(day - first).days] += 1
            groups[row.category] = groups.get(row.category, 0) + 1
    return rows.open().count(), sum(days), days, groups


def kept(office) -> tuple:
    """What the ledger says, in the order of `counted`."""
    found = counting.figures(office)
    by_category = {group: n for group, _label, n in found.by_category}
    return found.open, found.recent, found.daily, by_category


def test_it_agrees_after_any_mix_of_changes_and_folds(cast):
    rng = random.Random(11)
    rows = [make.complaint(cast.lin, cast.wuhan) for _one in range(6)]
    rows.append(make.complaint(cast.mei, cast.yichang))
    offices = [cast.wuhan, cast.wuchang, cast.yichang]

    def close(row: Complaint) -> None:
        if row.state in ("new", "accepted", "returned"):
            make.push(row, cast.yong, "cancelled")

    def set_to(row: Complaint, **columns) -> None:
        Complaint.objects.filter(pk=row.pk).update(**columns)

    changes = [
        lambda row: set_to(row, opened_at=now() - timedelta(days=rng.randint(0, 90))),
        lambda row: set_to(row, category=rng.choice(Complaint.Group.values)),
        lambda row: set_to(row, office=rng.choice(offices)),
        lambda _row: rows.append(make.complaint(cast.lin, cast.wuhan)),
        lambda _row: Complaint.objects.update(severity="urgent"),
        close,
    ]
    for step in range(40):
        rng.choice(changes)(Complaint.objects.get(pk=rng.choice(rows).pk))
        if step % 7 == 0:
            run_inline(enqueue("complaints.fold"))
        for office in (cast.hubei, *offices):
            assert kept(office) == counted(office)


def test_adding_up_leaves_few_lines_and_no_empty_ones(cast):
    for _one in range(5):
        make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "cancelled")
    assert OrderCount.objects.count() > 5
    run_inline(enqueue("complaints.fold"))
    (line,) = OrderCount.objects.all()
    assert (line.opened, line.open) == (5, 0)


def test_old_days_become_one_line_and_still_count_as_open(cast):
    for days in (70, 90, 100):
        row = make.complaint(cast.lin, cast.wuhan)
        Complaint.objects.filter(pk=row.pk).update(
            opened_at=now() - timedelta(days=days)
        )
        run_inline(enqueue("complaints.fold"))
    (line,) = OrderCount.objects.all()
    assert (line.day, line.opened, line.open) == (counting.ALL_BEFORE, 3, 3)
    assert kept(cast.wuhan) == counted(cast.wuhan)


def test_what_changes_no_figure_writes_no_line(cast):
    row = make.complaint(cast.lin, cast.wuhan)
    lines = OrderCount.objects.count()
    make.push(row, cast.yong, "accepted", "in_progress")
    assert OrderCount.objects.count() == lines


def test_figures_cost_two_queries(cast, django_assert_num_queries):
    make.complaint(cast.lin, cast.wuhan)
    with django_assert_num_queries(2):
        counting.figures(cast.wuhan)
