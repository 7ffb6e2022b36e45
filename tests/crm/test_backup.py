"""Sealed copies: whole or refused; the log is shipped once; what no copy needs goes."""

import os
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from crm import backup
from crm.backup import STAMP, Broken, Vault

SYSTEM = "7300000000000000001"


@pytest.fixture
def vault(tmp_path) -> Vault:
    return Vault.of(tmp_path / "data", tmp_path / "vault")


@pytest.fixture
def sealed(vault, tmp_path):
    """A file of several parts, that does not pack."""
    plain = tmp_path / "plain"
    plain.write_bytes(secrets.token_bytes(3 * backup.PART + 17))
    target = vault.folder / "one.sealed"
    vault.seal(plain, target)
    return plain, target


def refused(vault, path, tmp_path) -> bool:
    try:
        vault.open(path, tmp_path / "out")
    except Broken:
        return True
    return False


def test_what_is_sealed_opens_and_shows_nothing(vault, sealed, tmp_path):
    plain, target = sealed
    vault.open(target, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == plain.read_bytes()
    assert plain.read_bytes()[:64] not in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_a_file(vault, tmp_path):
    (tmp_path / "none").touch()
    vault.seal(tmp_path / "none", vault.folder / "none.sealed")
    vault.open(vault.folder / "none.sealed", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b""


def test_what_is_altered_cut_swapped_or_renamed_does_not_open(vault, sealed, tmp_path):
    _plain, target = sealed
    whole = target.read_bytes()
    size = 4 + 12 + int.from_bytes(whole[:4], "big")
    first, second, rest = whole[:size], whole[size : 2 * size], whole[2 * size :]
    for wrong in (
        whole[:-1],
        first,  # the end is missing
        first + second,
        second + first + rest,
        first + rest,
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        b"",
    ):
        target.write_bytes(wrong)
        assert refused(vault, target, tmp_path)
    other = vault.folder / "other.sealed"
    other.write_bytes(whole)
    assert refused(vault, other, tmp_path)
    target.write_bytes(whole)
    stranger = Vault.of(tmp_path / "elsewhere", vault.folder)
    assert refused(stranger, target, tmp_path)
    assert not refused(vault, target, tmp_path)


def test_the_log_is_shipped_once_and_leaves_the_servers_disk(vault, tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "000000010000000000000001").write_bytes(b"log" * 1000)
    (archive / ".000000010000000000000002").write_bytes(b"half")  # still being copied
    assert backup.ship(vault, archive, SYSTEM) == 1
    assert backup.ship(vault, archive, SYSTEM) == 0
    old = (datetime.now(UTC) - timedelta(minutes=11)).timestamp()
    os.utime(archive / "000000010000000000000001", (old, old))
    backup.ship(vault, archive, SYSTEM)
    assert [path.name for path in archive.iterdir()] == [".000000010000000000000002"]
    assert len(list(vault.log_of(SYSTEM).iterdir())) == 1


def test_three_copies_stay_and_the_log_since_the_oldest(vault):
    at = datetime.now(UTC)
    for days in range(5):
        folder = vault.folder / (at - timedelta(days=days)).strftime(STAMP)
        folder.mkdir()
        (folder / "base.sealed").touch()
    log = vault.log_of(SYSTEM)
    log.mkdir(parents=True)
    for name, days in (("old", 3), ("new", 1)):
        (log / f"{name}.sealed").touch()
        moment = (at - timedelta(days=days)).timestamp()
        os.utime(log / f"{name}.sealed", (moment, moment))
    assert backup.forget(vault) == 3
    assert len(vault.copies()) == 3
    assert [path.name for path in log.iterdir()] == ["new.sealed"]


def test_without_a_copy_from_before_there_is_nothing_to_restore(vault, tmp_path):
    with pytest.raises(Broken, match="no backup"):
        backup.restore(vault, tmp_path / "target")


def test_a_copy_of_a_restored_server_does_not_bring_its_restore_along(tmp_path):
    postgres = tmp_path / "postgres"
    log = tmp_path / "wal-restored"
    for folder in (postgres, log):
        folder.mkdir()
    auto = postgres / "postgresql.auto.conf"
    auto.write_text(
        "# made by the server\nwork_mem = '8MB'\narchive_command = 'cp x y'\n"
        "recovery_target_time = '2020-01-01'\nrestore_command = 'old'\n"
    )
    backup._recover(postgres, log, None)
    said = auto.read_text()
    assert "work_mem" in said
    assert "2020-01-01" not in said
    assert "old" not in said
    assert said.count("archive_command") == said.count("restore_command") == 1
    assert (postgres / "recovery.signal").exists()
