"""What an app sows into its tables once they are migrated: standard rules and words."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


def sow_after_migrate(app: AppConfig, path: str) -> None:
    """Call the function at `path` after migrating, but never on the way back to an earlier
    release: its tables are older than the models (B16)."""
    sow = import_string(path)

    def forward_only(plan: Any = (), **_facts: Any) -> None:
        if not any(is_backwards for _migration, is_backwards in plan):
            sow()

    post_migrate.connect(forward_only, sender=app, weak=False, dispatch_uid=path)
