"""The trail: append-only, chained, and its first bad row named (B43, B44)."""

import json

import pytest
from django.core.management import call_command
from django.db import Error, connection, transaction

from crm.audit import seal, services
from crm.audit.models import AuditEvent, AuditSeal

# Alone on the cluster: the sealer waits for every running transaction, of any database.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]


def write(count: int = 5) -> list[AuditEvent]:
    events = [services.record(None, "test.done", f"thing:{n}") for n in range(count)]
    while seal.seal_events():
        pass
    return events


def tamper(sql: str, *values) -> None:
    """As the tables' owner, who can switch the triggers off."""
    with connection.cursor() as cursor:
        for table in ("audit_auditevent", "audit_auditseal"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
        cursor.execute(sql, values)
        for table in ("audit_auditevent", "audit_auditseal"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_auditevent SET action = 'x'",
        "DELETE FROM audit_auditevent",
        "UPDATE audit_auditseal SET seq = 9",
        "DELETE FROM audit_auditseal",
    ],
)
def test_the_database_refuses_to_change_the_trail(sql):
    write(1)
    refused = pytest.raises(Error, match="append-only")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_database_refuses_to_empty_the_trail():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER no_truncate")
        try:
            with pytest.raises(Error, match="append-only"):
                cursor.execute("TRUNCATE audit_auditevent CASCADE")
        finally:
            cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER no_truncate")


def test_a_sound_trail_verifies():
    write(5)
    verdict = seal.verify()
    assert (verdict.rows, verdict.sealed, verdict.first_bad) == (5, 5, "")


def test_an_altered_row_is_named():
    events = write(5)
    tamper(
        "UPDATE audit_auditevent SET actor_name = 'nobody' WHERE id = %s", events[2].pk
    )
    assert seal.verify().first_bad == f"event {events[2].pk} was altered"


def test_a_deleted_middle_row_is_noticed():
    events = write(5)
    tamper("DELETE FROM audit_auditseal WHERE event_id = %s", events[2].pk)
    tamper("DELETE FROM audit_auditevent WHERE id = %s", events[2].pk)
    assert seal.verify().first_bad == "seal 3 is missing"


def test_two_swapped_rows_are_noticed():
    first, second = write(5)[1:3]
    rows = {
        row.pk: row for row in AuditEvent.objects.filter(pk__in=[first.pk, second.pk])
    }
    swap = "UPDATE audit_auditevent SET target = %s, mac = %s, at = %s WHERE id = %s"
    for to, source in ((first.pk, rows[second.pk]), (second.pk, rows[first.pk])):
        tamper(swap, source.target, bytes(source.mac), source.at, to)
    assert f"event {first.pk}" in seal.verify().first_bad


def test_a_cut_tail_is_noticed_by_the_head_kept_outside():
    events = write(5)
    seal.anchor_head()
    tamper("DELETE FROM audit_auditseal WHERE seq = 5")
    tamper("DELETE FROM audit_auditevent WHERE id = %s", events[4].pk)
    assert "tail was cut" in seal.verify().first_bad


def test_a_forged_row_is_noticed_before_it_is_sealed():
    write(2)
    forged = AuditEvent.objects.order_by("-pk").first()
    forged.pk, forged.action, forged._state.adding = None, "forged.row", True
    forged.save(force_insert=True)
    assert seal.verify().first_bad == f"event {forged.pk} was forged"


def test_rows_of_running_transactions_wait_for_the_next_seal(django_db_blocker):
    with transaction.atomic():
        services.record(None, "test.inside", "thing:1")
        assert seal.seal_events() == 0
    assert seal.seal_events() == 1


def test_if_the_trail_cannot_be_written_the_action_fails(monkeypatch):
    monkeypatch.setattr("crm.fields.sign", lambda message: None)
    with pytest.raises(Error), transaction.atomic():
        services.record(None, "test.done", "thing:1")
    assert AuditEvent.objects.count() == 0


def test_the_command_prints_one_json_line_and_exits_1_when_bad(capsys):
    events = write(3)
    call_command("audit_verify")
    assert json.loads(capsys.readouterr().out)["sealed"] == 3
    tamper("UPDATE audit_auditevent SET action = 'x' WHERE id = %s", events[0].pk)
    with pytest.raises(SystemExit) as stop:
        call_command("audit_verify")
    assert stop.value.code == 1
    assert (
        json.loads(capsys.readouterr().out)["first_bad"]
        == f"event {events[0].pk} was altered"
    )


def test_seals_are_given_out_without_gaps():
    write(3)
    write(3)
    assert list(AuditSeal.objects.values_list("seq", flat=True).order_by("seq")) == [
        *range(1, 7)
    ]
