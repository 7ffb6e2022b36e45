"""Monthly partitions, made on demand."""

from datetime import date

from django.db import connection


def month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def partition_months(table: str) -> list[date]:
    """The months that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits"
            " WHERE inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        names = [row[0] for row in cursor.fetchall()]
    return [date(int(name[:4]), int(name[4:]), 1) for name in names]


def ensure_partition(cursor, month: date, table: str) -> None:
    """Make the month's partition of `table` if it is missing.

    RACE: under a lock of its own; ATTACH, unlike CREATE … PARTITION OF, lets readers
    and writers of the other months go on.
    """
    name = f"{table}_p{month:%Y%m}"
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone()[0]:
        return
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table])
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone()[0]:
        return
    cursor.execute(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)"
    )
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
        [month, month_after(month)],
    )
