"""audit_verify: walk the trail and its chain; names the first bad row. Exit 1 if any."""

import sys

from django.core.management.base import BaseCommand

from crm import shell
from crm.audit import seal


class Command(BaseCommand):
    help = "Verify the audit trail; prints one JSON line."

    def handle(self, *args, **options) -> None:
        while seal.seal_events():
            pass
        verdict = seal.verify()
        shell.say(
            {
                "rows": verdict.rows,
                "sealed": verdict.sealed,
                "first_bad": verdict.first_bad or None,
            }
        )
        if not verdict.is_sound:
            sys.stderr.write(f"{verdict.first_bad}\n")
            sys.exit(1)
