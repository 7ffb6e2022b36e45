"""`python -m bench.grading`: a million customers over ten million usage lines (goal 10).

Eight prefectures; the bare figure is GROUP BY customer over the same lines in the same
run. Workers are processes of their own, as Celery's are, with parallel query off.
"""

import os
import shutil
import subprocess
import sys
import time
from datetime import date

from bench.parts import FOLDER, best, high_water, say

CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "1000000"))
LINES_EACH = 10
PREFECTURES = 8
WORK = """
import os, time, django
django.setup()
from django.db import connection
from crm.jobs.models import Job
from crm.jobs.running import run
connection.cursor().execute("SET max_parallel_workers_per_gather = 0")
jobs = Job.objects.filter(kind="customers.grade")
while jobs.unfinished().exists():
    if job := jobs.filter(state="queued").order_by("?").first():
        run(job.pk)
    else:
        time.sleep(0.05)  # the inputs are being frozen: their shards follow
"""


def fill(cursor, offices: list[int]) -> None:
    """Customers spread over the prefectures, ten lines each, and the month sums of them."""
    from customers.partitions import ensure_partition

    for month in range(1, 10):
        ensure_partition(cursor, date(2026, month, 1), "customers_usage")
    for month in range(10, 13):
        ensure_partition(cursor, date(2025, month, 1), "customers_usage")
    cursor.execute(
        "INSERT INTO customers_customer (office_id, code, kind, segment, name, pinyin, "
        "initials, name_bigrams, created_at) "
        "SELECT (%s::bigint[])[1 + n %% %s], 'G' || n, 'corporate', 'contract', 'G' || n, "
        "'g', 'g', '{}', now() "
        "FROM generate_series(1, %s) n",
        [offices, len(offices), CUSTOMERS],
    )
    cursor.execute(
        "INSERT INTO customers_usage (posted_on, customer_id, source_id, line, pieces, "
        "revenue) SELECT date '2025-10-01' + ((c.id * 37 + k * 31) %% 365)::int, c.id, 1, "
        "c.id * 100 + k, 1, round((10 + (c.id * 7919 + k) %% 997)::numeric * "
        "(1 + c.id %% 50), 2) FROM customers_customer c, generate_series(1, %s) k",
        [LINES_EACH],
    )
    cursor.execute(
        "INSERT INTO customers_usagemonth (customer_id, month, lines, pieces, revenue, "
        "cost, is_summed) SELECT customer_id, date_trunc('month', posted_on), count(*), "
        "sum(pieces), sum(revenue), 0, true FROM customers_usage GROUP BY 1, 2"
    )
    cursor.execute("VACUUM ANALYZE")


def workers(number: int) -> tuple[float, float]:
    """(seconds, highest memory in MiB) of so many processes working the shards off."""
    began = time.perf_counter()
    found = [
        subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.DEVNULL)
        for _one in range(number)
    ]
    peak = 0.0
    while any(process.poll() is None for process in found):
        peak = max(peak, *(high_water(process.pid) for process in found))
        time.sleep(0.05)
    assert not any(process.returncode for process in found)
    return time.perf_counter() - began, peak


def graded(scheme, root, until: date, number: int) -> tuple[float, float]:
    from customers import grade_runs

    run = grade_runs.start_run(scheme, root, until, by=None)
    seconds, peak = workers(number)
    run.refresh_from_db()
    assert (run.state, run.customers) == ("computed", CUSTOMERS), run.state
    return seconds, peak


def publish(run) -> None:
    from crm.jobs.running import run_inline
    from crm.jobs.services import enqueue

    type(run).objects.filter(pk=run.pk).update(state="approved")
    job = run_inline(enqueue("customers.grade_publish", {"run": run.pk}))
    assert job.state == "done", job.error


def main() -> None:
    from crm import embedded

    try:
        with embedded.running(FOLDER):
            measure()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    print("| figure | value |\n|---|---|")
    with connection.cursor() as cursor:
        bench(cursor)


def bench(cursor) -> None:
    from crm.org.models import Office
    from customers import grade_runs, grading
    from customers.models import GradeRun, GradeScheme

    root = Office.objects.add_root({"code": "1", "name": "省", "level": "province"})
    offices = [
        Office.objects.add_child(
            root, {"code": f"1{n}", "name": f"市{n}", "level": "prefecture"}
        ).pk
        for n in range(PREFECTURES)
    ]
    fill(cursor, offices)
    draft = GradeScheme(office=root, name="x", valid_from=date(2026, 1, 1))
    scheme = grade_runs.save_scheme(draft, grading.PRESETS["guangdong"], by=None)
    bare = "SELECT customer_id, sum(revenue) FROM customers_usage GROUP BY 1"
    floor = best(lambda: cursor.execute(f"SELECT count(*) FROM ({bare}) x"))
    cursor.execute("SET max_parallel_workers_per_gather = 0")
    single = best(lambda: cursor.execute(f"SELECT count(*) FROM ({bare}) x"))
    cursor.execute("RESET max_parallel_workers_per_gather")
    one, peak = graded(scheme, root, date(2026, 6, 30), 1)
    cursor.execute("VACUUM ANALYZE")  # else autovacuum takes the second worker's core
    two, _peak = graded(scheme, root, date(2026, 7, 31), 2)
    cursor.execute("VACUUM ANALYZE")
    again, _peak = graded(scheme, root, date(2026, 8, 31), 1)
    lines = CUSTOMERS * LINES_EACH
    say(
        f"GROUP BY customer over {lines:,} lines",
        f"{floor:.1f} s, alone {single:.1f} s",
    )
    say(f"grading {CUSTOMERS:,} customers, one worker", f"{one:.1f} s")
    say("the same ÷ the bare GROUP BY (goal 10)", f"{one / floor:.2f} (≤ 2.5)")
    say("the same ÷ the bare GROUP BY without parallel query", f"{one / single:.2f}")
    both = (one + again) / 2  # the table grows from run to run
    say("two workers ÷ one, parallel query off", f"{two / both:.2f} (≤ 0.8)")
    say("memory of the grading worker", f"{peak:.0f} MiB (≤ 200)")
    first, second = GradeRun.objects.order_by("pk")[:2]
    began = time.perf_counter()
    publish(first)
    say("publishing it for the first time", f"{time.perf_counter() - began:.1f} s")
    cursor.execute(
        "SELECT count(*) FROM customers_gradeassessment a JOIN customers_customergrade g "
        "ON g.customer_id = a.customer_id WHERE a.run_id = %s AND a.grade <> g.code",
        [second.pk],
    )
    changes = cursor.fetchone()[0]
    cursor.execute("SELECT max(xmin::text::bigint) FROM customers_customergrade")
    newest = cursor.fetchone()[0]
    began = time.perf_counter()
    publish(second)
    seconds = time.perf_counter() - began
    cursor.execute(
        "SELECT count(*) FROM customers_customergrade WHERE xmin::text::bigint > %s",
        [newest],
    )
    rows = cursor.fetchone()[0]
    say(
        "publishing the next", f"{seconds:.1f} s, {rows:,} rows for {changes:,} changes"
    )
    watch(cursor)


def watch(cursor) -> None:
    """The night's trends of everybody, and one rule struck for one prefecture."""
    from crm.org.models import Office
    from customers.models import Customer, WatchRule
    from customers.shards import offices_in
    from customers.watch_night import CHUNK, renew_trends, strike

    today, after = date(2026, 10, 5), 0
    floor = best(
        lambda: cursor.execute(
            "SELECT count(*) FROM (SELECT customer_id, sum(revenue) "
            "FROM customers_usagemonth GROUP BY 1) x"
        ),
        1,
    )
    began = time.perf_counter()
    rows = Customer.objects.order_by("pk").values_list("pk", flat=True)
    while chunk := list(rows.filter(pk__gt=after)[:CHUNK]):
        renew_trends(chunk, today)
        after = chunk[-1]
    trends = time.perf_counter() - began
    say("trends of all customers", f"{trends:.0f} s, {trends / floor:.1f} × their sums")
    cursor.execute(
        "INSERT INTO customers_customervalue (customer_id, until, purchase_days, first_on, "
        "last_on, mean_spending, days_12, months_12, revenue_12, value_12, value_36, recency, "
        "frequency, money, frequency_class, value_class) SELECT customer_id, %s, 1, %s, %s, 0, "
        "1, 1, 1, 0, 0, 0, 0, 0, '', '' FROM customers_customertrend",
        [today, today, date(2026, 9, 30)],
    )
    office = Office.objects.filter(depth=2).first()
    rule = WatchRule.objects.create(
        office=office, kind="quarter", level=1, percent=90, segments=["contract"]
    )
    for name in ("a rule struck for one prefecture", "the same again"):
        began = time.perf_counter()
        raised = strike(rule, office, today)
        seconds = time.perf_counter() - began
        say(
            name,
            f"{seconds:.1f} s, {raised:,} alerts of {len(offices_in(office))} office",
        )


if __name__ == "__main__":
    main()
