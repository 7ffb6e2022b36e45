"""`migrate` beside people who work: it waits for no lock longer than it may make them wait."""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg2.errors import DeadlockDetected, LockNotAvailable

# Shorter than PostgreSQL's second before it looks for deadlocks, so that it is the migration
# that gives way and not somebody's request (reliability.md B16).
LOCK_TIMEOUT = "500ms"
TRIES = 60
# An index that was being built concurrently when its migration gave way: built anew.
INVALID = """
SELECT format('DROP INDEX CONCURRENTLY %I', c.relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE NOT i.indisvalid AND i.indislive"""


class Command(migrate.Command):
    """Each migration is applied whole or not at all; one that met a lock is tried again."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            self._until_done(connection, *args, **options)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")

    def _until_done(self, connection: Any, *args: Any, **options: Any) -> None:
        for left in reversed(range(TRIES)):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                met_lock = isinstance(
                    error.__cause__, DeadlockDetected | LockNotAvailable
                )
                if not (left and met_lock):
                    raise
            else:
                return
            self.stderr.write("somebody works on that table: trying again")
            time.sleep(1)
            with connection.cursor() as cursor:
                cursor.execute(INVALID)
                for (drop,) in cursor.fetchall():
                    cursor.execute(drop)
