"""From the release before to this one, on a filled database, while people work (B16)."""

import subprocess
import threading
import time

import pytest

from tests.chaos.conftest import ROOT, Browser, Product
from tests.chaos.test_faults import query

PREVIOUS = (
    "f1ebdcf8f1bb43f361165ab03a9347a89c8b173c"  # the card season, without figures
)
ROWS = 200_000
FILL = f"""
from django.db import connection
from bench.customers import fill
from bench.work_orders import fill_orders
from crm.access.models import User
from crm.org.models import Office
office, user = Office.objects.get(code="420100"), User.objects.get(username="agent.wuhan")
with connection.cursor() as cursor:
    cursor.execute("SET statement_timeout = 0")
    fill(cursor, office, user, {ROWS})
    fill_orders(cursor, office, user, {ROWS})
"""
# The apps of both releases whose migrations differ, where they stood.
BEFORE = {
    "crm.dashboards": ("dashboards", "0001"),
    "customers": ("customers", "0014"),
    "complaints": ("complaints", "0019"),
    "delivery": ("delivery", "0014"),
    "library": ("library", "zero"),
    "programmes": ("programmes", "zero"),
    "risk": ("risk", "zero"),
}
# Something that only this release knows.
WITHDRAWN = """
INSERT INTO programmes_unitrequest (asking_id, asked_id, subject, text, hours, state, reply,
  made_by_id, made_at, due_at, closed_at)
SELECT a.id, b.id, 'x', 'x', 8, 'dropped', '', u.id, now(), now(), now()
FROM org_office a, org_office b, access_user u
WHERE a.code = '420100' AND b.code = '420500' AND u.username = 'supervisor.wuhan'
RETURNING id"""
READ = """
from customers.models import CustomerPhone
print(CustomerPhone.objects.order_by("pk").first().number)"""


class Agent(threading.Thread):
    """Logs complaints one after another; how long each took, and what went wrong."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self.browser = Browser(product, "agent.wuhan")
        self.going, self.times, self.faults = True, [], []

    def run(self) -> None:
        while self.going:
            began = time.monotonic()
            try:
                self.browser.log("13900000016")
            except Exception as error:  # whatever it is, it is counted
                self.faults.append(f"{error}")
            self.times.append(time.monotonic() - began)


def migrate(product: Product, *arguments: str) -> float:
    """This release's migrations on the product's database; the seconds that took."""
    began = time.monotonic()
    done = subprocess.run(
        [".venv/bin/python", "manage.py", "migrate", "-v0", *arguments],
        cwd=ROOT,
        env=product.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return time.monotonic() - began


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_the_release_before_is_upgraded_under_writers_and_can_go_back(folder, tmp_path):
    archive = subprocess.run(
        ["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip("The release before is not in this clone.")
    root = tmp_path / "before"
    root.mkdir()
    subprocess.run(["tar", "x"], input=archive.stdout, cwd=root, check=True)
    (root / ".venv").symlink_to(ROOT / ".venv")

    old = Product(folder)
    old.root = root
    old.start()
    filled = old.manage("shell", "-v0", "-c", FILL)
    assert filled.returncode == 0, filled.stderr[-3000:]
    phone = old.manage("shell", "-v0", "-c", READ).stdout
    agent = Agent(old)
    (before,) = query(old, "SELECT count(*) FROM complaints_complaint")
    agent.start()
    there = migrate(old)
    query(old, WITHDRAWN)
    for name, target in BEFORE.values():
        migrate(old, name, target)
    again = migrate(old)
    time.sleep(2)
    agent.going = False
    agent.join()
    Browser(old, "supervisor.wuhan").get("/complaints/")
    (after,) = query(
        old, "SELECT count(*) FROM complaints_complaint WHERE channel <> 'system'"
    )
    (rows,) = query(old, "SELECT count(*) FROM complaints_complaint")
    old.stop()

    new = Product(folder)
    new.start()
    print(
        f"rows={ROWS} forward {there:.1f} s, again {again:.1f} s; {len(agent.times)} "
        f"complaints meanwhile, slowest {max(agent.times):.2f} s, {len(agent.faults)} failed"
    )
    for page in ("/now/", "/complaints/", "/customers/", "/kpi/figures/", "/library/"):
        Browser(new, "supervisor.wuhan").get(page)
    assert new.manage("shell", "-v0", "-c", READ).stdout == phone
    new.stop()
    assert agent.faults == []
    assert len(agent.times) <= rows - before
    assert max(agent.times) < 5
    assert after > before
