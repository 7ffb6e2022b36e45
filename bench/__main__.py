"""`make bench`: the figures of the product as ratios to a floor of the same run.

Starts servers of its own in a temporary folder. CPU is user plus system time of the
process trees (web and PostgreSQL), as neighbours on the machine do not change it much.
"""

import csv
import io
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from bench.parts import FOLDER, Server, best, cookie_of, high_water, say

LINES = int(os.environ.get("BENCH_LINES", "1000000"))
CUSTOMERS = 100_000


def ledger(path: Path) -> None:
    """A made-up ledger of 18 months, like CDNOW's in shape, seeded."""
    rng = random.Random(1)
    first = date(2025, 1, 1)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["customer_id", "date", "pieces", "amount"])
        for _line in range(LINES):
            day = first + timedelta(days=rng.randrange(540))
            pieces = rng.randint(1, 9)
            row = [
                f"{rng.randrange(CUSTOMERS):06d}",
                day,
                pieces,
                f"{pieces * 14.37:.2f}",
            ]
            writer.writerow(row)


def raw_copy(cursor, path: Path) -> float:
    """Rows a second of COPY into the same partitioned, indexed table."""
    buffer = io.StringIO()
    with path.open() as source:
        rows = csv.reader(source)
        next(rows)
        writer = csv.writer(buffer)
        for line, (code, day, pieces, amount) in enumerate(rows, start=2):
            writer.writerow([day, int(code) + 1, 1, line, pieces, amount])
    buffer.seek(0)
    columns = "posted_on, customer_id, source_id, line, pieces, revenue"
    began = time.perf_counter()
    cursor.copy_expert(
        f"COPY customers_usage ({columns}) FROM STDIN (FORMAT csv)", buffer
    )
    cursor.connection.commit()
    seconds = time.perf_counter() - began
    cursor.execute("TRUNCATE customers_usage")
    cursor.connection.commit()
    return LINES / seconds


def bench_import(cursor, path: Path) -> float:
    """The shell's door in a process of its own; its progress is watched from here."""
    command = [sys.executable, "manage.py", "import_usage", str(path), "--office", "1"]
    command += ["--map", "customer_id=code,date=posted_on,pieces=pieces,amount=revenue"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen: list[tuple[float, int]] = []
    peak = 0.0
    while process.poll() is None:
        cursor.execute("SELECT coalesce(max(rows), 0) FROM transfer_import")
        seen.append((time.perf_counter(), cursor.fetchone()[0]))
        peak = max(peak, high_water(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    assert process.returncode == 0
    cursor.execute("SELECT imported FROM transfer_import")
    assert cursor.fetchone()[0] == LINES

    def tenth(number: int) -> float:
        reached = [
            next(at for at, rows in seen if rows >= LINES * n / 10)
            for n in (number, number + 1)
        ]
        return reached[1] - reached[0]

    say("import, last tenth ÷ first tenth, rate", f"{tenth(0) / tenth(9):.2f} (≥ 1)")
    say("import, peak memory", f"{peak:.0f} MiB (≤ 300)")
    return LINES / seconds


def bench_retention(cursor, office) -> None:
    from customers.queries import Period, retention_by_office

    cursor.execute("ANALYZE")
    periods = (
        Period.parse("2025-01-02..2025-09-30"),
        Period.parse("2025-10-01..2026-06-30"),
    )
    whole = Period.parse("2025-01-01..2025-09-30"), periods[1]
    bare = "SELECT customer_id, min(posted_on), max(posted_on) FROM customers_usage GROUP BY 1"
    floor = best(lambda: (cursor.execute(bare), cursor.fetchall()))
    lines = best(lambda: retention_by_office(office, *periods))
    months = best(lambda: retention_by_office(office, *whole))
    say("bare GROUP BY over 1,000,000 lines", f"{floor:.2f} s")
    say("retention from the lines ÷ bare GROUP BY", f"{lines / floor:.2f} (≤ 3)")
    say("retention from the month sums ÷ bare GROUP BY", f"{months / floor:.2f} (≤ 3)")


def fill_customers(cursor, office, user, upto: int) -> None:
    """Customers up to `upto`, straight into the table."""
    cursor.execute(
        """INSERT INTO customers_customer (office_id, code, kind, segment, name, pinyin, initials,
               name_bigrams, manager_id, created_at)
           SELECT %s, 'B' || n, 'corporate', 'casual', '长江' || n || '电子有限公司',
               'changjiang' || lpad(n::text, 8, '0'), 'cj' || n,
               ARRAY['长江', '江' || left(n::text, 1), '电子'], %s, now()
           FROM generate_series((SELECT count(*) FROM customers_customer) + 1, %s) n""",
        [office.pk, user.pk, upto],
    )
    cursor.execute("VACUUM ANALYZE customers_customer")


def bench_list(cursor, office, user) -> None:
    cookie = cookie_of(user)
    cpu: dict[int, float] = {}
    for size in (1_000, 1_000_000):
        fill_customers(cursor, office, user, size)
        with Server("bench.floor_settings") as floor, Server("crm.settings") as product:
            bare = floor.cpu_per_request("/")
            cpu[size] = product.cpu_per_request("/customers/", cookie)
        say(
            f"customer list ÷ bare list, CPU, {size:,} customers",
            f"{cpu[size] / bare:.2f} (≤ 2)",
        )
        say(f"bare list, {size:,} customers", f"{bare:.1f} ms CPU")
    say(
        "customer list, 1,000,000 ÷ 1,000 customers, CPU",
        f"{cpu[1_000_000] / cpu[1_000]:.2f}",
    )


def main() -> None:
    from crm import embedded

    try:
        with embedded.running(
            FOLDER
        ):  # held: the import in its own process must not stop them
            measure()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from crm.access.models import Posting, User
    from crm.org.models import Office
    from customers.partitions import ensure_partition

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    office = Office.objects.add_root(
        {"code": "1", "name": "Bench", "level": "province"}
    )
    user = User.objects.create_user("bench", "bench-password-1", full_name="Bench")
    Posting.objects.create(user=user, office=office, role="supervisor")
    path = FOLDER / "ledger.csv"
    ledger(path)
    print("| figure | value |\n|---|---|")
    with connection.cursor() as cursor:
        bench_list(cursor, office, user)
        cursor.execute("TRUNCATE customers_customer RESTART IDENTITY CASCADE")
        for month in range(1, 19):
            first = date(2025 + (month - 1) // 12, (month - 1) % 12 + 1, 1)
            ensure_partition(cursor, first, "customers_usage")
        copied = raw_copy(cursor, path)
        imported = bench_import(cursor, path)
        say("raw COPY into the same tables", f"{copied:,.0f} rows/s")
        say("import of 1,000,000 lines ÷ raw COPY", f"{imported / copied:.2f} (≥ 0.2)")
        say("import", f"{imported:,.0f} rows/s")
        bench_retention(cursor, office)


main()
