"""Starting, stopping and failing as the README promises."""

import json
import socket

import pytest

from tests.chaos.conftest import Product

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


def test_it_starts_keeps_its_data_and_leaves_nothing_behind(folder):
    product = Product(folder)
    product.start()
    made = product.manage("kpi", "retention_rate", "--office", "420000", "--json")
    before = json.loads(made.stdout)
    assert product.stop() <= 10
    assert product.servers() == []
    assert product.start() <= 10
    assert (
        "making the demo province" not in product.log.read_text().split("stopped")[-1]
    )
    product.stop()
    alone = product.manage("kpi", "retention_rate", "--office", "420000", "--json")
    assert json.loads(alone.stdout) == before  # the command started what it needs
    assert product.servers() == []


@pytest.mark.parametrize("trouble", ["port", "major", "half"])
def test_what_is_in_the_way_is_one_clear_line(folder, trouble):
    product = Product(folder)
    blocker = socket.socket()
    if trouble == "port":
        blocker.bind(("127.0.0.1", product.port))
        blocker.listen()
    else:
        data = folder / "postgres"
        data.mkdir(parents=True)
        (data / ("PG_VERSION" if trouble == "major" else "base")).write_text("17\n")
    ended = product.manage("serve")
    blocker.close()
    assert ended.returncode != 0
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, ended.stderr
    assert {"port": "is busy", "major": "PostgreSQL 17", "half": "half-made"}[
        trouble
    ] in lines[0]
    assert product.servers() == []


def test_an_empty_place_asks_for_its_first_administrator(folder):
    product = Product(folder, DEMO="0")
    product.start()
    assert "create_admin" in product.log.read_text()
    product.stop()
