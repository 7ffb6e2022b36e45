"""Monthly partitions, made on demand."""

from datetime import date


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
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    cursor.execute(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)"
    )
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
        [month, following],
    )
