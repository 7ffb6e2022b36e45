"""A theft that was faked: the report names exactly whom it hit (reliability.md B46)."""

import csv
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils.timezone import now

from crm.audit import services as audit
from crm.audit.models import AuditEvent
from crm.jobs.running import run_inline
from crm.risk import breach
from customers import exporting, services
from customers.duplicates import look_for_likely
from customers.models import Export
from tests import factories as make


@pytest.fixture
def theft(cast):
    """Lin, an agent, reveals two numbers, one of them twice, and looks one up; Zhao, a
    manager, fetches a file of three. Yong does nothing."""
    seen = [make.customer(cast.wuhan) for _one in range(2)]
    for customer in (*seen, seen[0]):
        phone = customer.phones.get(level="known")
        services.reveal(customer, "phone", phone.pk, by=cast.lin, reason="回访")
    looked = make.customer(cast.wuhan)
    number = looked.phones.get(level="known").number
    services.lookup_by_phone(number, by=cast.lin)
    services.lookup_by_phone("13000000000", by=cast.lin)  # nobody has it
    portfolio = [make.customer(cast.wuhan, manager=cast.zhao) for _one in range(3)]
    file = exporting.request_export(by=cast.zhao, query="", reason="走访")
    run_inline(file.job)
    file.refresh_from_db()
    exporting.fetch_export(file, by=cast.zhao)
    return {"seen": seen, "looked": looked, "file": file, "portfolio": portfolio}


def hit(**asked) -> set[int]:
    return {one.customer for one in breach.report(**asked).hits}


def test_an_accounts_looks_are_all_there_and_nobody_elses(cast, theft):
    found = breach.report(actor=cast.lin)
    first, second = theft["seen"]
    assert {one.customer: one.times for one in found.hits} == {
        first.pk: 2,
        second.pk: 1,
        theft["looked"].pk: 1,
    }
    assert found.hits[0].code == first.code
    assert hit(actor=cast.yong) == set()


def test_a_file_hits_everybody_in_it_even_before_it_was_fetched(cast, theft):
    in_file = set(theft["file"].subjects)
    assert {one.pk for one in theft["portfolio"]} <= in_file
    assert len(in_file) == theft["file"].rows
    assert hit(export=theft["file"]) == in_file
    assert hit(actor=cast.zhao) == in_file
    made = exporting.request_export(by=cast.zhao, query="", reason="x")
    run_inline(made.job)
    made.refresh_from_db()
    assert hit(export=made) == in_file


def test_a_time_takes_everybody_and_nothing_outside(cast, theft):
    at = now()
    day = timedelta(days=1)
    known = {one.pk for one in (*theft["seen"], theft["looked"])}
    known |= set(theft["file"].subjects)
    assert hit(since=at - day, until=at + day) == known
    assert hit(actor=cast.lin, until=at - day) == set()
    with pytest.raises(ValueError, match="of a time"):
        breach.report(since=at)


def test_an_older_file_says_how_many_it_cannot_name(theft):
    Export.objects.update(subjects=None)
    found = breach.report(export=Export.objects.get())
    assert (found.hits, found.unknown) == ([], theft["file"].rows)


def test_the_command_writes_persons_and_both_notices(theft, cast, tmp_path, capsys):
    out = tmp_path / "leak"
    call_command(
        *("breach_report", "--actor", cast.lin.username, "--out", str(out)),
        *("--cause", "账号被盗", "--measures", "已停用"),
    )
    said = json.loads(capsys.readouterr().out.strip().split("\n")[-1])
    assert said == {"customers": 3, "recipients": 0, "unknown": 0}
    with (out / "persons.csv").open(encoding="utf-8-sig") as source:
        rows = list(csv.reader(source))
    assert {row[0] for row in rows[1:]} == {
        one.code for one in (*theft["seen"], theft["looked"])
    }
    for name in ("persons", "authority"):
        text = (out / f"notice-{name}.txt").read_text(encoding="utf8")
        assert "账号被盗" in text
        assert "已停用" in text
    assert AuditEvent.objects.filter(action="breach.reported").exists()
    for wrong in (("--actor", "nobody"), ("--export", "x"), ("--since", "gestern")):
        with pytest.raises(SystemExit):
            call_command("breach_report", *wrong)


def test_the_page_is_the_house_auditors_alone(theft, cast, client):
    url = reverse("risk:breach")
    make.sign_in(client, cast.tang)  # an auditor of one city
    assert client.get(url).status_code == 403
    top = make.user("house-auditor", ("auditor", cast.hubei))
    make.sign_in(client, top)
    bad = client.post(url, {})
    assert bad.status_code == 422
    assert "Name an account, a file, or a time" in bad.content.decode()
    bad = client.post(url, {"export": "no-uuid", "cause": "<b>盗</b>"})
    assert "There is no such file." in bad.content.decode()
    assert "&lt;b&gt;盗" in bad.content.decode()
    page = client.post(url, {"actor": "lin"}).content.decode()
    assert theft["seen"][0].code in page
    answer = client.post(url, {"actor": "lin", "file": "1"})
    assert theft["looked"].code in b"".join(answer.streaming_content).decode()


def test_a_look_for_a_likely_customer_hits_whom_it_found(cast):
    customer = make.customer(cast.yichang, phone="13944445555")
    look_for_likely(by=cast.lin, kind="corporate", name="x", phone="13944445555")
    assert hit(actor=cast.lin) == {customer.pk}


def test_winners_on_a_phone_list_are_hit_and_older_lists_are_counted(cast):
    customer = make.customer(cast.wuhan)
    about = {"found": [customer.pk], "recipients": [7, 8]}
    audit.record(cast.zhao, "win.phone_list", "campaigns.season:1", details=about)
    audit.record(cast.zhao, "win.phone_list", "campaigns.season:1")
    found = breach.report(actor=cast.zhao)
    assert [one.customer for one in found.hits] == [customer.pk]
    assert (found.recipients, found.unknown) == (2, 1)
