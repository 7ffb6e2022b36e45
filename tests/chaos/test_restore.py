"""B17: the disk is lost after an operator has deleted a table; the copy proves itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from crm import embedded
from tests.chaos.conftest import ROOT, Browser, Product
from tests.chaos.test_faults import TAKEN_IN, query

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
PHONES = "SELECT count(*) FROM customers_customerphone"


def restore(target, *arguments: str) -> subprocess.CompletedProcess:
    """As an operator runs it, without what the tests have set."""
    ours = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL")
    env = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-m", "crm.restore", "--to", str(target), *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_dropped_table_comes_back_from_before_it_was_dropped(product, tmp_path):
    vault, kept = tmp_path / "vault", tmp_path / "keys"
    product.env["BACKUP_DIR"] = str(vault)
    made = product.manage("backup")
    assert made.returncode == 0, made.stderr
    shutil.copytree(product.folder / "keys", kept)
    agent = Browser(product, "agent.wuhan")
    for _marker in range(3):
        agent.log("13000000017")
    (taken,), (phones,) = query(product, TAKEN_IN), query(product, PHONES)
    time.sleep(1.5)
    before = datetime.now(UTC)
    time.sleep(1.5)
    connection = psycopg2.connect(embedded.place(product.folder).database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE customers_customerphone CASCADE")
        cursor.execute("SELECT pg_switch_wal()")
    connection.close()
    ship = "from crm.backup_steps import ship; print(ship())"
    for _wait in range(60):
        done = product.manage("shell", "-c", ship)
        if done.stdout.strip().splitlines()[-1:] == ["0"]:
            break
        time.sleep(0.5)
    product.stop()
    shutil.rmtree(product.folder)  # the disk is gone
    began = time.monotonic()
    home = product.folder.parent / "restored"  # where the server's account reaches it
    arguments = ("--from", str(vault), "--keys", str(kept))
    done = restore(home, *arguments, "--until", before.isoformat())
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-3000:]
    proof = json.loads(done.stdout.strip().splitlines()[-1])
    assert (proof["proved"], proof["faults"]) == (True, [])
    again = Product(home)
    try:
        again.start()
        assert query(again, TAKEN_IN)[0] == taken
        assert query(again, PHONES)[0] == phones
        Browser(again, "agent.wuhan").log("13000000018")
    finally:
        again.stop()
    print(f"restored and proved in {took:.0f} s: {proof['rows']}")
    # What is altered, or opened with another key, is refused before anything starts.
    sealed = next(vault.glob("*/base.sealed"))
    data = bytearray(sealed.read_bytes())
    data[len(data) // 2] ^= 1
    sealed.write_bytes(data)
    broken = restore(tmp_path / "broken", *arguments)
    assert (broken.returncode, "does not open" in broken.stderr) == (2, True)
    full = restore(home, *arguments)
    assert (full.returncode, "is not empty" in full.stderr) == (2, True)


def test_keys_rotate_while_people_work_and_nobody_is_signed_out():
    """B42: a new key amid complaints, the worker killed once; a new SECRET_KEY at a
    restart; then the old key goes."""
    parent = Path(tempfile.mkdtemp(prefix="postal-crm-chaos-"))
    parent.chmod(0o755)
    product = Product(parent / "data")
    try:
        product.start()
        agent = Browser(product, "agent.wuhan")
        assert product.manage("rotate_keys").returncode == 0
        os.kill(product.pid_of("worker"), signal.SIGKILL)
        until, logged, keys = time.monotonic() + 240, 0, {}
        while set(keys) != {"2"}:
            assert time.monotonic() < until, keys
            agent.log("13000000027")  # any answer that is no page raises
            logged += 1
            done = product.manage("rotate_keys", "--status")
            keys = json.loads(done.stdout.strip().splitlines()[-1])["keys"]
        assert product.manage("rotate_keys", "--forget", "1").returncode == 0
        assert product.manage("rotate_keys", "--secret-key").returncode == 0
        product.stop()
        product.start()
        agent.log("13000000028")  # signed in still
        assert not (product.folder / "keys" / "field_key").exists()
        print(f"logged={logged} while rotating, values={keys}")
    finally:
        product.stop()
        shutil.rmtree(parent, ignore_errors=True)
