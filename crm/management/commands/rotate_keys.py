"""rotate_keys: a new key for the fields while people work; --status, --forget ID; a new
SECRET_KEY without logouts by --secret-key (from the next start on)."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from crm import keyfiles, rekeying, shell
from crm.audit import services as audit
from crm.errors import Refused


class Command(BaseCommand):
    help = "Rotate keys; prints one JSON line: how many values are under which key."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--status", action="store_true", help="change nothing")
        parser.add_argument(
            "--forget", type=int, metavar="ID", help="remove an old key"
        )
        parser.add_argument("--secret-key", action="store_true")

    def handle(self, *args, **options) -> None:
        try:
            if options["secret_key"]:
                keyfiles.renew_secret_key(Path(settings.DATA_DIR))
                audit.record(None, "keys.secret_renewed")
            elif options["forget"]:
                rekeying.forget(options["forget"])
            elif not options["status"]:
                rekeying.begin()
        except Refused as refusal:
            shell.fail(str(refusal))
        if not options["status"]:
            self.stderr.write(f"Copy {settings.DATA_DIR / 'keys'} elsewhere anew.")
        shell.say({"keys": {str(n): k for n, k in sorted(rekeying.counts().items())}})
