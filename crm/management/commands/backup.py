"""backup: a full sealed copy now; from then on the server's log is archived, too."""

from django.conf import settings
from django.core.management.base import BaseCommand

from crm import backup, shell
from crm.backup_steps import back_up, begin, ship


class Command(BaseCommand):
    help = "Back up database and files, sealed; prints one JSON line."

    def handle(self, *args, **options) -> None:
        try:
            begin()
            copy = back_up()
            shipped = ship()
        except backup.Broken as error:
            shell.fail(f"backup: {error}")
        size = (copy / "base.sealed").stat().st_size
        shell.say({"copy": str(copy), "bytes": size, "log": shipped})
        self.stderr.write(
            f"Keep a copy of {settings.DATA_DIR / 'keys'} elsewhere: "
            "without it no backup opens."
        )
