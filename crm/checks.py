"""Start-up checks of what the house relies on; run by `manage.py check` and `serve`."""

from django.conf import settings
from django.core.checks import Error, register
from django.db import connection


@register()
def keys_are_keys(app_configs, **kwargs):
    """Field, index and audit keys are 32 bytes of hex each, and not one key twice."""
    named = {"INDEX_KEY": settings.INDEX_KEY, "AUDIT_KEY": settings.AUDIT_KEY}
    named |= {f"FIELD_KEYS[{n}]": key for n, key in settings.FIELD_KEYS.items()}
    errors = []
    for name, key in named.items():
        try:
            is_long_enough = len(bytes.fromhex(key)) >= 32
        except ValueError:
            is_long_enough = False
        if not is_long_enough:
            errors.append(
                Error(f"{name} must be 64 hex digits or more.", id="crm.E001")
            )
    if len(set(named.values())) < len(named):
        errors.append(Error("Two keys are the same.", id="crm.E002"))
    return errors


@register("database")
def chinese_is_searchable(app_configs, databases=None, **kwargs):
    """Trigrams of Chinese text are not empty: the cluster's locale provider is libc's."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        if not cursor.fetchone()[0]:
            return []  # before the first migration
        cursor.execute(
            "SELECT array_length(show_trgm('武汉邮政'), 1), '武汉邮政' LIKE '%汉邮%'"
        )
        trigrams, is_like = cursor.fetchone()
    if not trigrams or not is_like:
        hint = "initdb --encoding=UTF8 --locale-provider=libc --locale=C.UTF-8"
        return [Error("Chinese text gives no trigrams here.", hint=hint, id="crm.E003")]
    return []
