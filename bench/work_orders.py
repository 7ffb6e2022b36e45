"""`python -m bench.work_orders`: list, queue, sweep, board and creation at growing size,
and each step of the call screen beside a million customers.

One work order in ten is open, with two running clocks; the rest are closed.
"""

import json
import os
import re
import shutil
import statistics
import threading
import time
import urllib.parse
import urllib.request
import uuid
from datetime import date

from bench.customers import database_ms, fill
from bench.parts import FOLDER, Server, cookie_of, cpu_of, say

SIZES = [
    int(n) for n in os.environ.get("BENCH_SIZES", "1000,200000,1000000").split(",")
]
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "1000000"))
ORDERS = """
INSERT INTO complaints_complaint (ref, token, kind, caller_name, caller_phone, party,
    office_id, handling_office_id, created_by_id, owner_id, category, channel, item_no,
    text, demand, mood, scope, severity, is_fast_lane, is_forwarded, is_violation,
    needs_finding, state, opened_at, due_at, legal_due_at, is_provisional, closed_at,
    rank, version, rounds, nudges, bounces, new_address, customer_id)
SELECT 'B-' || n, gen_random_uuid(), 'complaint', '', ''::bytea, '',
    %(office)s, %(office)s, %(user)s, CASE WHEN n %% 20 = 0 THEN %(user)s END,
    'delay', 'hotline', 'EA' || n || 'CN', '邮件没有送到。', '', '', '', 'normal', false,
    false, false, true, CASE WHEN n %% 10 = 0 THEN 'accepted' ELSE 'archived' END,
    now() - n * interval '20 seconds',
    CASE WHEN n %% 10 = 0 THEN now() + (n %% 9000 - 200) * interval '1 minute' END,
    CASE WHEN n %% 10 = 0 THEN now() + (n %% 9000) * interval '1 minute' END,
    false, CASE WHEN n %% 10 <> 0 THEN now() END, n %% 6, 1, 1, 0, 0, ''::bytea,
    (SELECT min(id) FROM customers_customer) + n %% 1000
FROM generate_series(%(first)s, %(last)s) n
"""
CLOCKS = """
INSERT INTO complaints_milestone (complaint_id, kind, round, starts_at, minutes, days,
    due_at, is_provisional, met_at, next_at, told)
SELECT id, clock, 1, opened_at, CASE clock WHEN 'resolution' THEN 1350 END,
    CASE clock WHEN 'legal' THEN 7 END, coalesce(due_at, opened_at), false,
    CASE WHEN due_at IS NULL THEN opened_at END,
    CASE WHEN due_at IS NOT NULL THEN now() + interval '1 day' END, 0
FROM complaints_complaint, (VALUES ('resolution'), ('legal')) AS clocks (clock)
WHERE id > %(after)s
"""

# Five words each of four thousand, some far more often than others; one day's counts.
TERMS = """
INSERT INTO complaints_caseterms (complaint_id, terms)
SELECT c.id, ARRAY(SELECT DISTINCT '词' || floor(4000 * random() ^ 3)::int
                   FROM generate_series(1, 5) WHERE c.id > 0)
FROM complaints_complaint c WHERE c.id > %(after)s
"""
WEIGHTS = """
INSERT INTO complaints_term (word, cases)
SELECT word, count(*) FROM complaints_caseterms t, unnest(t.terms) word
WHERE t.complaint_id > %(after)s GROUP BY 1
ON CONFLICT (word) DO UPDATE SET cases = complaints_term.cases + excluded.cases
"""
TERM_DAYS = """
INSERT INTO complaints_termday (office_id, day, word, cases)
SELECT %(office)s, current_date - n, '词' || word, 1 + (n + word) %% 7
FROM generate_series(0, 60) n, generate_series(0, 300) word
ON CONFLICT DO NOTHING
"""
SAID = "客户反映词7和词812还有词3999，要求处理。"


def fill_orders(cursor, office, user, upto: int) -> None:
    cursor.execute("SELECT count(*), coalesce(max(id), 0) FROM complaints_complaint")
    first, after = cursor.fetchone()
    values = {"office": office.pk, "user": user.pk, "first": first + 1, "last": upto}
    cursor.execute(ORDERS, values)
    cursor.execute(CLOCKS, {"after": after})
    cursor.execute(TERMS, {"after": after})
    cursor.execute(WEIGHTS, {"after": after})
    cursor.execute(TERM_DAYS, {"office": office.pk})
    cursor.execute("VACUUM ANALYZE complaints_caseterms")
    cursor.execute("ANALYZE complaints_term")
    cursor.execute("VACUUM ANALYZE complaints_complaint")
    cursor.execute("VACUUM ANALYZE complaints_milestone")


def undone(work):
    """Run `work` and take back what it did."""
    from django.db import transaction

    def run():
        with transaction.atomic():
            work()
            transaction.set_rollback(True)

    return run


def bench_size(cursor, office, user, size: int, cpu: dict) -> None:
    from django.utils.timezone import localdate, now

    from complaints import counting, learning, queue
    from complaints.models import Complaint, Milestone
    from complaints.sweeping import sweep_step
    from crm.jobs.models import Job

    fill_orders(cursor, office, user, size)
    cookie = cookie_of(user)
    cpu[size] = found = {}
    Milestone.objects.filter(
        pk__in=Milestone.objects.filter(met_at=None).order_by("pk")[:200].values("pk")
    ).update(next_at=now())
    job = Job(kind="complaints.sweep", due_at=now())
    open_now = Complaint.objects.open()
    deep = open_now.order_by("due_at", "pk")[int(open_now.count() * 0.9)].pk
    with Server("crm.settings") as product:
        rows = 50
        found["list"] = product.cpu_per_request("/complaints/", cookie, rows)
        first_wall = product.wall
        found["deep"] = product.cpu_per_request(f"/complaints/?after={deep}", cookie, 5)
        say(f"{size:,}: deep page ÷ first, wall", f"{product.wall / first_wall:.2f}")
        found["board"] = product.cpu_per_request("/kpi/board/", cookie, 0)
        some = Complaint.objects.open().first()
        found["page"] = product.cpu_per_request(some.get_absolute_url(), cookie, 0)
    found["next, database"] = database_ms(undone(lambda: queue.next_for(user)))
    found["sweep of 200, database"] = database_ms(undone(lambda: sweep_step(job)), 5)
    found["cases alike, database"] = database_ms(lambda: learning.alike(user, SAID))
    paths = [office.path]
    found["topics, database"] = database_ms(
        lambda: learning.trends(paths, localdate(), 28)
    )
    found["board's counts, database"] = database_ms(lambda: counting.figures(office))
    found["create"] = create_cpu(user, office, 100)


def create_cpu(user, office, times: int) -> float:
    """CPU ms of logging one work order with everything on, service and database."""
    import psutil

    from complaints.services import create_complaint
    from customers.models import Customer

    postmaster = int((FOLDER / "postgres" / "postmaster.pid").read_text().split()[0])
    roots = [psutil.Process(), psutil.Process(postmaster)]
    customer = Customer.objects.select_related("office").first()
    before = cpu_of(roots[:1]) + cpu_of(roots[1:])
    for number in range(times):
        create_complaint(
            by=user,
            office=office,
            customer=customer if number % 2 else None,
            description="邮件五天没有送到，客户着急。",
            caller_phone=f"139{number:08d}",
            item_no=f"RA{number:09d}CN",
        )
    return 1000 * (cpu_of(roots[:1]) + cpu_of(roots[1:]) - before) / times


def growth(cpu: dict) -> None:
    sizes = sorted(cpu)
    for name in cpu[sizes[0]]:
        steps = [cpu[size][name] for size in sizes]
        words = " → ".join(f"{step:.1f}" for step in steps)
        say(f"{name}, ms (goal 12)", f"{words}: {steps[-1] / steps[0]:.2f} (≤ 1.6)")


def bench_screen(user) -> None:
    """What an agent waits for: open the call, look, keep, save, wrap up."""
    from customers.models import Customer

    csrf = "a" * 32
    cookie = f"{cookie_of(user)}; csrf={csrf}"
    some = Customer.objects.order_by("pk")[1234]
    with Server("crm.settings") as product:
        steps: dict[str, list[float]] = {}

        def timed(name, path, data=None):
            body = urllib.parse.urlencode(data).encode() if data else None
            request = urllib.request.Request(
                product.address + path,
                body,
                {"Cookie": cookie, "Referer": product.address},
            )
            began = time.perf_counter()
            with urllib.request.urlopen(request) as answer:
                page = answer.read().decode()
                url = answer.url.removeprefix(product.address)
            steps.setdefault(name, []).append(1000 * (time.perf_counter() - began))
            return url, page

        for number in range(40):
            phone = f"14{some.pk + number:09d}"
            url, page = timed("open the call", f"/call?from={phone}&call_id=b{number}")
            late = re.search(r'<option value="(\d+)"[^>]*data-keys="101 ', page).group(
                1
            )
            data = {
                "csrfmiddlewaretoken": csrf,
                "phone": phone,
                "kind": "complaint",
                "subcategory": late,
                "channel": "hotline",
                "description": "邮件五天没有送到。",
            }
            timed("look", f"{url}look/", data)
            timed("keep the draft", f"{url}keep/", data | {"demand": "快"})
            url, _page = timed("save", url, data)
            assert url.endswith("/wrap-up/"), url
            timed("wrap up, next form", url, data | {"wrap_up": "logged"})
        for name, found in steps.items():
            middle, worst = statistics.median(found), sorted(found)[-2]
            say(f"call screen: {name}", f"{middle:.0f} ms, worst {worst:.0f} (< 200)")


def bench_clients(user) -> None:
    """Four clients at once through the API: rate, p95 ÷ p50 (goal 7)."""
    from django.test import Client

    from tests.factories import sign_in

    client = sign_in(Client(), user)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    with Server("crm.settings") as product:
        page = urllib.request.Request(
            product.address + "/complaints/", headers={"Cookie": cookie_of(user)}
        )
        urllib.request.urlopen(page).read()
        token = "a" * 32
        headers = {
            "Cookie": f"sid={cookies['sid']}; csrf={token}",
            "X-CSRFToken": token,
            "Content-Type": "application/json",
        }
        times: list[float] = []

        def run() -> None:
            for number in range(75):
                body = {
                    "token": str(uuid.uuid4()),
                    "phone": f"138{number:08d}",
                    "category": "delay",
                    "text": "邮件五天没有送到。",
                }
                request = urllib.request.Request(
                    product.address + "/api/v1/complaints/",
                    json.dumps(body).encode(),
                    headers,
                )
                began = time.perf_counter()
                urllib.request.urlopen(request).read()
                times.append(1000 * (time.perf_counter() - began))

        began = time.perf_counter()
        threads = [threading.Thread(target=run) for _four in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = len(times) / (time.perf_counter() - began)
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[18]
    say(
        "create, 4 clients (goal 7)",
        f"{rate:.0f}/s, p50 {p50:.0f} ms, p95 ÷ p50 {p95 / p50:.2f} (≤ 2.5)",
    )


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from crm.access.models import Posting, User
    from crm.org.models import Office

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    office = Office.objects.add_root(
        {"code": "1", "name": "Bench", "level": "province"}
    )
    user = User.objects.create_user("bench", "bench-password-1", full_name="Bench")
    Posting.objects.create(
        user=user, office=office, role="supervisor", valid_from=date(2020, 1, 1)
    )
    print("| figure | value |\n|---|---|")
    cpu: dict[int, dict[str, float]] = {}
    with connection.cursor() as cursor:
        fill(cursor, office, user, CUSTOMERS)
        for size in SIZES:
            bench_size(cursor, office, user, size, cpu)
            if size == SIZES[min(1, len(SIZES) - 1)]:  # 200,000 work orders
                bench_screen(user)
                bench_clients(user)
        growth(cpu)


def main() -> None:
    from crm import embedded

    try:
        with embedded.running(FOLDER):
            measure()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
