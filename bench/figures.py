"""`python -m bench.figures`: the board of figures over a million and ten million calls.

A final month against a bare list page, and one day counted again against its bare query and
against the whole past. BENCH_CALLS (at the end) makes it smaller; a tenth is measured first.
"""

import os
import shutil
from datetime import date, datetime, time, timedelta

from bench.parts import FOLDER, Server, best, cookie_of, say

CALLS = int(os.environ.get("BENCH_CALLS", "10000000"))
DAYS = 390
LAST = date(2026, 11, 22)
FILL = """
INSERT INTO complaints_call (token, office_id, number, called, draft, rang_at, answered_at,
    ended_at, wrap_up, call_id)
SELECT gen_random_uuid(), o.ids[1 + n %% array_length(o.ids, 1)], '', '11183', '',
    %(last)s::timestamptz - (n %% %(days)s) * interval '1 day' - n %% 36000 * interval '1 second',
    CASE WHEN n %% 9 > 0 THEN %(last)s::timestamptz - (n %% %(days)s) * interval '1 day'
        - n %% 36000 * interval '1 second' + n %% 40 * interval '1 second' END,
    %(last)s::timestamptz - (n %% %(days)s) * interval '1 day' - n %% 36000 * interval '1 second'
        + interval '1 minute',
    (ARRAY['solved', 'logged', 'informed', ''])[1 + n %% 4], 'b' || n
FROM generate_series(%(first)s, %(until)s) n,
     (SELECT array_agg(id) AS ids FROM org_office WHERE depth > 1) o
ORDER BY 6"""  # as calls come in
# What the three KPIs of calls count, written by hand.
BARE = """
SELECT o.path, count(*), count(*) FILTER (WHERE k.answered_at <= k.rang_at + interval '20 s'),
       count(*) FILTER (WHERE k.answered_at IS NULL AND k.ended_at IS NOT NULL),
       count(*) FILTER (WHERE k.wrap_up = 'solved'),
       count(*) FILTER (WHERE k.wrap_up IN ('solved', 'logged', 'passed_on', 'call_back'))
FROM complaints_call k JOIN org_office o ON o.id = k.office_id
WHERE k.call_id IS NOT NULL AND k.rang_at >= %s AND k.rang_at < %s AND o.path LIKE '0%%'
GROUP BY o.path"""


def moments(first: date, last: date) -> list[datetime]:
    from django.utils.timezone import make_aware

    return [
        make_aware(datetime.combine(day, time()))
        for day in (first, last + timedelta(1))
    ]


def offices():
    from tests import factories as make

    root = make.office("42", "湖北省", "province")
    for n in range(17):
        unit = make.office(f"42{n:02}", f"第{n}市", "prefecture", root)
        for m in range(6):
            make.office(f"42{n:02}{m:02}", f"{n}-{m}", "county", unit)
    return root


def board_cpu(size: int, boss) -> float:
    with Server("bench.floor_settings") as floor:
        bare = floor.cpu_per_request("/")
    with Server("crm.settings") as server:
        question = "/kpi/figures/?office=42&kind=month&day=2026-09-15"
        found = server.cpu_per_request(question, cookie_of(boss), rows=4)
    say(
        f"{size:,} calls: board of a final month ÷ bare list page, CPU",
        f"{found / bare:.2f} (≤ 1.5), {found:.1f} / {bare:.1f} ms",
    )
    return found


def main() -> None:
    from crm import embedded

    embedded.start(FOLDER)
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from crm.dashboards import snapshots
    from crm.dashboards.catalogue import CALLS as KPIS
    from crm.dashboards.periods import Kind, Span, span_of
    from crm.dashboards.registry import read
    from crm.org.models import Office
    from tests import factories as make

    root = offices()
    boss = make.user("boss", ("supervisor", root))
    for _row in range(60):
        make.customer(root)  # what the bare page lists
    sizes, done = [], 0
    for size in (CALLS // 10, CALLS):
        with connection.cursor() as cursor:
            cursor.execute(
                FILL,
                {
                    "last": moments(LAST, LAST)[1],
                    "days": DAYS,
                    "first": done + 1,
                    "until": size,
                },
            )
            cursor.execute("VACUUM ANALYZE complaints_call")
        if not done:
            for month in ("2026-08-01", "2026-09-01"):
                snapshots.compute(span_of(Kind.MONTH, date.fromisoformat(month)), LAST)
        done = size
        sizes.append(board_cpu(size, boss))
    say("board, the second size ÷ the first, CPU", f"{sizes[1] / sizes[0]:.2f} (flat)")
    units = list(Office.objects.all())
    day = Span(Kind.DAY, LAST, LAST)
    past = Span(Kind.YEAR, LAST - timedelta(DAYS - 1), LAST)
    with connection.cursor() as cursor:
        bare = best(
            lambda: (cursor.execute(BARE, moments(LAST, LAST)), cursor.fetchall()), 5
        )
    one = best(lambda: read(units, day, KPIS), 5)
    whole = best(lambda: read(units, past, KPIS), 1)
    say(
        f"{CALLS:,} calls: one day counted again ÷ its bare query",
        f"{one / bare:.2f} (≤ 3); {1000 * one:.0f} / {1000 * bare:.0f} ms",
    )
    say("one day counted again ÷ all of the past", f"1/{whole / one:.0f} (≤ 1/40)")
    embedded.stop(FOLDER)


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
