"""Kills and freezes under a running product: nothing is lost, nothing runs twice."""

import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import psutil
import psycopg2
import pytest

from crm import embedded
from tests.chaos.conftest import Browser

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


# Without those that the system opens by itself meanwhile.
TAKEN_IN = "SELECT count(*) FROM complaints_complaint WHERE channel <> 'system'"


def query(product, sql: str):
    connection = psycopg2.connect(embedded.place(product.folder).database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def test_a_frozen_broker_delays_no_complaint(product):
    """B05: 20 complaints, each saved within a second; the place says that it is degraded."""
    pid = int((product.folder / "valkey" / "valkey.pid").read_text())
    agent, times = Browser(product, "agent.wuhan"), []
    (before,) = query(product, TAKEN_IN)
    os.kill(pid, signal.SIGSTOP)
    try:
        for _time in range(20):
            began = time.monotonic()
            agent.log("13000000005")
            times.append(time.monotonic() - began)
        assert product.health()["broker"] == "no answer"
        board = Browser(product, "supervisor.wuhan").get("/kpi/board/")
        assert "Degraded" in board
    finally:
        os.kill(pid, signal.SIGCONT)
    product.wait_until_well()
    (after,) = query(product, TAKEN_IN)
    print(f"acked=20 rows={after - before} slowest={max(times):.2f}s")
    assert after - before == 20
    assert max(times) < 1


def test_a_killed_worker_loses_no_line_of_an_import(product, tmp_path):
    """B02 in small: the lease ends, another worker goes on, each line is in once."""
    path = tmp_path / "ledger.csv"
    with path.open("w") as out:
        out.write("customer_id,date,pieces,amount\n")
        for number in range(300_000):
            out.write(
                f"Z{number % 500},2026-{number % 9 + 1:02}-{number % 28 + 1:02},1,10.00\n"
            )
    where = "FROM customers_usage u JOIN customers_customer c ON c.id = u.customer_id"
    mine = "WHERE c.code LIKE 'Z%'"
    importer = Browser(product, "importer.hubei")
    upload(importer, path, office_pk(product))
    importer.post(f"{importer.detail}start/", form=importer.detail, **importer.mapping)
    until = time.monotonic() + 60
    while query(product, f"SELECT count(*) {where} {mine}")[0] == 0:
        assert time.monotonic() < until
        time.sleep(0.05)
    worker = psutil.Process(product.pid_of("worker"))
    for process in [*worker.children(recursive=True), worker]:
        process.kill()
    until = time.monotonic() + 180
    while query(product, "SELECT count(*) FROM transfer_import WHERE state <> 'done'")[
        0
    ]:
        assert time.monotonic() < until
        time.sleep(0.5)
    rows, distinct = query(
        product, f"SELECT count(*), count(DISTINCT u.line) {where} {mine}"
    )
    print(f"acked=300000 rows={rows} lost={300_000 - distinct} dup={rows - distinct}")
    assert (rows, distinct) == (300_000, 300_000)


def test_a_killed_worker_leaves_the_tallies_of_items_whole(product):
    """B11: a file in the watched folder, the worker killed in the midst of it; each item
    is in once, and the tallies say as many as the file has lines."""
    number, ours = 200_000, "WHERE product = 'CHAOS'"
    path = product.folder / "inbox" / "items" / "421300" / "ledger.csv"
    path.parent.mkdir(parents=True)
    with path.open("w") as out:
        out.write("waybill,accepted_at,delivered_at,product\n")
        for n in range(number):
            day = n % 28 + 1
            out.write(
                f"1{n:012},2026-09-{day:02} 09:00,2026-09-{day + 1:02} 09:00,CHAOS\n"
            )
    os.utime(path, (time.time() - 60,) * 2)
    until = time.monotonic() + 240
    while query(product, f"SELECT count(*) FROM delivery_mailitem {ours}")[0] == 0:
        assert time.monotonic() < until
        time.sleep(0.05)
    worker = psutil.Process(product.pid_of("worker"))
    for process in [*worker.children(recursive=True), worker]:
        process.kill()
    tallied = f"SELECT COALESCE(sum(items), 0) FROM delivery_routetally {ours}"
    while query(product, tallied)[0] < number:
        assert time.monotonic() < until
        time.sleep(0.5)
    rows, distinct, on_time = query(
        product,
        f"SELECT count(*), count(DISTINCT waybill), (SELECT sum(on_time) FROM"
        f" delivery_routetally {ours}) FROM delivery_mailitem {ours}",
    )
    whole = query(product, tallied)[0]
    print(f"lines={number} rows={rows} twice={rows - distinct} tallied={whole}")
    assert (rows, distinct, whole, on_time) == (number, number, number, number)
    assert not path.exists()


CROWD = """
INSERT INTO customers_customer (office_id, code, kind, segment, name, pinyin, initials,
                                name_bigrams, created_at)
SELECT o.id, 'K' || o.id || '-' || n, 'corporate', 'contract', 'K' || n, 'k', 'k', '{}', now()
FROM org_office o, generate_series(1, 12000) n WHERE o.level = 'prefecture';
INSERT INTO customers_usagemonth (customer_id, month, lines, pieces, revenue, cost, is_summed)
SELECT c.id, date '2026-01-01' + (m || ' months')::interval, 1, 1, 1 + (c.id * 7919 + m) %% 90000,
       0, true
FROM customers_customer c, generate_series(0, 8) m WHERE c.code LIKE 'K%%';
SELECT count(*) FROM customers_customer WHERE code LIKE 'K%%'"""
RUN = (
    "from customers.grade_runs import start_run; from customers.models import GradeScheme; "
    "from datetime import date; s = GradeScheme.objects.order_by('pk').first(); "
    "print(start_run(s, s.office, date({}), by=None).pk)"
)
AWAY = "UPDATE customers_graderun SET until = '2026-10-29' WHERE id = {} RETURNING id"
STATE = "SELECT state FROM customers_graderun WHERE id = {}"
DIFFERENT = """
SELECT count(*) FROM (
    SELECT customer_id, grade, score, place, rule FROM customers_gradeassessment
    WHERE run_id = {} EXCEPT
    SELECT customer_id, grade, score, place, rule FROM customers_gradeassessment
    WHERE run_id = {}) x"""


@pytest.mark.timeout(600)
def test_three_kills_of_a_worker_leave_the_same_grades_as_none(product):
    """Each killed part is taken up again when its lease ends; nobody is graded twice."""
    (number,) = query(product, CROWD.replace("%%", "%"))
    first = int(product.manage("shell", "-v0", "-c", RUN.format("2026, 10, 30")).stdout)
    kills, until = 0, time.monotonic() + 500
    while query(product, STATE.format(first))[0] != "computed":
        assert time.monotonic() < until
        busy = "SELECT count(*) FROM jobs_job WHERE kind = 'customers.grade'"
        if kills < 3 and query(product, f"{busy} AND state = 'running'")[0]:
            worker = psutil.Process(product.pid_of("worker"))
            for process in [*worker.children(recursive=True), worker]:
                process.kill()
            kills += 1
            product.wait_until_well()
        time.sleep(0.01)
    # The same day once more: a day later an account can owe for a day too long.
    query(product, AWAY.format(first))
    second = int(
        product.manage("shell", "-v0", "-c", RUN.format("2026, 10, 30")).stdout
    )
    while query(product, STATE.format(second))[0] != "computed":
        assert time.monotonic() < until
        time.sleep(0.2)
    graded = (
        "SELECT count(*), count(DISTINCT customer_id) FROM customers_gradeassessment"
    )
    rows, distinct = query(product, f"{graded} WHERE run_id = {first}")
    (other,) = query(product, DIFFERENT.format(second, first))
    print(
        f"kills={kills} customers={number} rows={rows} twice={rows - distinct} other={other}"
    )
    assert kills == 3
    assert rows == distinct >= number
    assert other == 0


def office_pk(product) -> int:
    return query(product, "SELECT id FROM org_office WHERE code = '421300'")[0]


def upload(browser: Browser, path: Path, office: int) -> None:
    """Send the file as a browser does; remember the import's page and its mapping."""
    page = browser.get("/imports/new/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page).group(1)
    edge = "----postal"
    parts = [
        ("csrfmiddlewaretoken", token),
        ("target", "usage"),
        ("office", str(office)),
    ]
    body = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts
    ).encode()
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="l.csv"\r\n\r\n'
    body += head.encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={edge}",
        "Referer": browser.address,
    }
    wanted = urllib.request.Request(browser.address + "/imports/new/", body, headers)
    browser.detail = browser.opener.open(wanted, timeout=60).url.removeprefix(
        browser.address
    )
    targets = ["code", "posted_on", "pieces", "revenue"]
    browser.mapping = {f"map-{index}": to for index, to in enumerate(targets)}


def test_a_killed_database_comes_back_and_no_saved_complaint_is_lost(product):
    """B15: what was acknowledged is there; requests after the recovery do not fail."""
    agent, saved = Browser(product, "agent.wuhan"), 0
    (before,) = query(product, TAKEN_IN)
    for _time in range(5):
        agent.log("13000000007")
        saved += 1
    pid = int((product.folder / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    product.wait_until_well(90)
    for _time in range(5):
        agent.log("13000000007")
        saved += 1
    (after,) = query(product, TAKEN_IN)
    print(f"acked={saved} rows={after - before}")
    assert after - before == saved


def test_a_killed_web_process_is_started_again(product):
    os.kill(product.pid_of("web"), signal.SIGKILL)
    for process in product.servers():
        if "gunicorn" in " ".join(process.cmdline()):
            process.kill()
    product.wait_until_well()
    assert "Signed-in browsers" in Browser(product, "auditor").get("/accounts/profile/")


WITHDRAW = (
    "from customers.consents import withdraw_consent; from customers.models import Consent;"
    "from crm.notify.models import Message; "
    "rows = Consent.objects.filter(customer__code__startswith='OUT0199', withdrawn_at=None);"
    "[withdraw_consent(row, by=row.by) for row in rows.select_related('customer', 'by')]"
)
REPORT = (
    "from campaigns.models import Campaign; from campaigns import answering; "
    "f = answering.step_figures(Campaign.objects.get(pk={}))[0]; "
    "print(f.touched, f.sent, f.suppressed, f.waiting, f.refused)"
)


@pytest.mark.timeout(900)
def test_three_kills_amid_twenty_thousand_messages_reach_everybody_once(product):
    """B06, B11, B45: a campaign's messages, the worker killed three times, a hundred
    consents withdrawn while they go out: everybody has one message, those with a consent
    withdrawn before theirs was sent have none, and the report says what the rows say."""
    script = Path(__file__).parent / "outreach_crowd.py"
    made = product.manage("shell", "-v0", "-c", script.read_text())
    assert made.returncode == 0, made.stderr[-2000:]
    number, campaign = map(int, made.stdout.split())
    ours = (
        "WHERE id IN (SELECT message_id FROM campaigns_touch t JOIN campaigns_outreachstep s"
        f" ON s.id = t.step_id WHERE s.campaign_id = {campaign})"
    )
    sent = f"SELECT count(*) FROM notify_message {ours} AND state <> 'pending'"
    queued = f"SELECT count(*) FROM notify_message {ours}"
    kills, until, withdrawn = 0, time.monotonic() + 800, False
    while query(product, sent)[0] < number:
        assert time.monotonic() < until
        done = query(product, sent)[0]
        if kills < 3 and (
            done > 1500 * kills + 200 or kills == 0 and query(product, queued)[0]
        ):
            worker = psutil.Process(product.pid_of("worker"))
            for process in [*worker.children(recursive=True), worker]:
                process.kill()
            kills += 1
            product.wait_until_well()
        if not withdrawn and query(product, queued)[0] == number:
            assert product.manage("shell", "-v0", "-c", WITHDRAW).returncode == 0
            withdrawn = True
        time.sleep(0.2)
    rows, people, keys = query(
        product,
        "SELECT count(*), count(DISTINCT contact_index), count(DISTINCT key)"
        f" FROM notify_message {ours}",
    )
    (stopped,) = query(
        product, f"SELECT count(*) FROM notify_message {ours} AND state = 'suppressed'"
    )
    touched, gone, gated, waiting, refused = map(
        int,
        product.manage("shell", "-v0", "-c", REPORT.format(campaign)).stdout.split(),
    )
    print(
        f"kills={kills} recipients={number} messages={rows} twice={rows - people} "
        f"sent={gone} stopped={gated} report={touched}"
    )
    assert kills == 3
    assert rows == people == keys == number == touched
    assert (gone + gated, gated, waiting, refused) == (number, stopped, 0, 0)
    assert withdrawn
    assert stopped == 100


FIGURES = (
    "SELECT kpi, kind, first, office_id, numerator, denominator FROM dashboards_figure"
)
BEGIN = (
    "from crm.jobs.services import enqueue; "
    "print(*[enqueue('dashboards.figures').pk for _two in range(2)])"
)
UNDONE = "SELECT count(*) FROM jobs_job WHERE kind = 'dashboards.figures' AND state <> 'done'"


@pytest.mark.timeout(600)
def test_three_kills_and_two_beats_leave_each_figure_once_and_right(product):
    """B07: two jobs at once, their worker killed three times: as without any of it."""
    empty = "TRUNCATE dashboards_figure, dashboards_figurerun"
    query(product, f"{empty}; SELECT 1")
    product.manage("shell", "-v0", "-c", BEGIN)
    kills, until = 0, time.monotonic() + 500
    while query(product, UNDONE)[0]:
        assert time.monotonic() < until
        if kills < 3 and query(product, f"{UNDONE} AND state = 'running'")[0]:
            worker = psutil.Process(product.pid_of("worker"))
            for process in [*worker.children(recursive=True), worker]:
                process.kill()
            kills += 1
            product.wait_until_well()
        time.sleep(0.01)
    rows, periods = query(
        product,
        f"CREATE TABLE was AS {FIGURES}; SELECT (SELECT count(*) FROM was), "
        "(SELECT count(*) FROM dashboards_figurerun)",
    )
    query(product, f"{empty}; SELECT 1")
    product.manage("shell", "-v0", "-c", BEGIN)
    while query(product, UNDONE)[0]:
        assert time.monotonic() < until
        time.sleep(0.2)
    (other,) = query(
        product,
        f"SELECT count(*) FROM ((TABLE was EXCEPT {FIGURES}) UNION ALL "
        f"({FIGURES} EXCEPT TABLE was)) x",
    )
    print(f"kills={kills} periods={periods} figures={rows} other={other}")
    assert kills == 3
    assert rows > 1000
    assert other == 0
