"""What an app sows into its tables once they are migrated: standard rules and words."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


def sow_after_migrate(app: AppConfig, path: str) -> None:
    """Call the function at `path` after migrating, once every migration is there: on the
    way back to an earlier release the tables are older than the models (B16)."""
    sow = import_string(path)

    def when_whole(using: str, **_facts: Any) -> None:
        loader = MigrationLoader(connections[using])
        if set(loader.graph.leaf_nodes()) <= set(loader.applied_migrations):
            sow()

    post_migrate.connect(when_whole, sender=app, weak=False, dispatch_uid=path)
