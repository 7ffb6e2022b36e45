"""A new field key: seals at once, old values open, all is sealed anew, the old one goes."""

import pytest
from cryptography.exceptions import InvalidTag

from crm import fields, rekeying
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from customers import exporting
from customers.models import CustomerPhone
from tests import factories as make


@pytest.fixture
def root(settings, tmp_path):
    """A key folder of this test's own, with the key that is in use."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "field_key").write_text(settings.FIELD_KEYS[1])
    settings.FIELD_KEYS_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def filled(cast, root):
    """Values in several tables, and a sealed file."""
    customers = [make.customer(cast.wuhan, address=f"中山路{n}号") for n in range(3)]
    make.complaint(cast.lin, cast.wuhan, customer=customers[0])
    make.recipient(make.recipient_list(customers[0]))
    file = exporting.request_export(by=cast.chen, query="", reason="x")
    run_inline(file.job)
    file.refresh_from_db()
    return file


def job() -> Job:
    return Job.objects.get(kind="keys.rekey")


def texts() -> list[str]:
    return [row.number for row in CustomerPhone.objects.order_by("pk")]


def test_everything_is_sealed_anew_and_reads_the_same(cast, filled, root):
    before, total = texts(), rekeying.counts()
    assert set(total) == {1}
    assert rekeying.begin() == 2
    assert fields.encrypt("x", "a.b.c")[0] == 2
    assert texts() == before
    with pytest.raises(Refused) as refusal:
        rekeying.forget(1)
    assert refusal.value.code == "keys.used"
    run_inline(job())
    assert set(rekeying.counts()) == {2}
    assert rekeying.counts()[2] >= total[1]
    assert texts() == before
    assert exporting.fetch_export(filled, by=cast.chen)
    with pytest.raises(Refused) as refusal:
        rekeying.forget(2)
    assert refusal.value.code == "keys.newest"
    rekeying.forget(1)
    assert not (root / "keys" / "field_key").exists()
    assert (root / "keys" / "retired" / "field_key").exists()  # for older backups
    assert texts() == before


def test_a_step_that_is_repeated_or_cut_off_does_no_harm(filled, monkeypatch):
    monkeypatch.setattr(rekeying, "CHUNK", 1)
    before = texts()
    rekeying.begin()
    row = job()
    for _step in range(7):
        rekeying.rekey_step(row)
    assert set(rekeying.counts()) == {1, 2}
    again = job()  # as a second worker finds it: from its kept cursor
    run_inline(again)
    assert set(rekeying.counts()) == {2}
    assert texts() == before


def test_what_somebody_writes_meanwhile_stays(cast, filled):
    phone = CustomerPhone.objects.first()
    (field,) = (one for one in rekeying.columns() if one.model is CustomerPhone)
    rows = dict(rekeying._old_rows(field, 2, None))
    phone.number = "13711112222"
    phone.save()
    rekeying._replace(field, phone.pk, rows[phone.pk], fields.encrypt("x", "a.b.c"))
    phone.refresh_from_db()
    assert phone.number == "13711112222"


def test_a_key_of_the_environment_is_not_rotated_by_a_file(settings):
    settings.FIELD_KEYS_ROOT = None
    with pytest.raises(Refused) as refusal:
        rekeying.begin()
    assert refusal.value.code == "keys.environment"


def test_a_value_of_a_key_that_is_gone_does_not_open(root):
    sealed = fields.encrypt("geheim", "a.b.c")
    (root / "keys" / "field_key_2").write_text("ab" * 32)
    assert fields.decrypt(sealed, "a.b.c") == "geheim"
    with pytest.raises((KeyError, InvalidTag)):
        fields.decrypt(bytes([9]) + sealed[1:], "a.b.c")
