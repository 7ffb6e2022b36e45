"""`migrate` beside people who work: it waits for no lock longer than it may make them wait."""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg2.errors import DeadlockDetected, LockNotAvailable

# Shorter than PostgreSQL's second before it looks for deadlocks, so that it is the migration
# that gives way and not somebody's request (reliability.md B16). Building an index
# concurrently (`atomic = False`) holds nobody up and waits as long as it must.
LOCK_TIMEOUT = "500ms"
TRIES = 60


class Command(migrate.Command):
    """An atomic migration is applied whole or not at all; one that met a lock is tried
    again."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.at = connections[options["database"]]
        for left in reversed(range(TRIES)):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                met = isinstance(error.__cause__, DeadlockDetected | LockNotAvailable)
                if not (left and met and self.is_atomic):
                    raise
            else:
                self._wait_for("0")
                return
            self.stderr.write("somebody works on that table: trying again")
            time.sleep(1)

    def migration_progress_callback(
        self, action: str, migration: Any = None, fake: bool = False
    ) -> None:
        if action in ("apply_start", "unapply_start"):
            self.is_atomic = migration.atomic
            self._wait_for(LOCK_TIMEOUT if migration.atomic else "0")
        super().migration_progress_callback(action, migration, fake)

    def _wait_for(self, limit: str) -> None:
        with self.at.cursor() as cursor:
            cursor.execute("SET lock_timeout = %s", [limit])
