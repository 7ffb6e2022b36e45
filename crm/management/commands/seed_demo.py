"""seed_demo: the demo province, into an empty database only."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crm import shell
from crm.demo.seed import seed
from crm.org.models import Office


class Command(BaseCommand):
    help = "Make the demo province (Hubei) with its accounts."

    def handle(self, *args, **options) -> None:
        if not (settings.LOOPBACK_ONLY or settings.DEBUG):
            raise CommandError(
                "the demo accounts are refused when the server is not on loopback"
            )
        if Office.objects.exists():
            raise CommandError("the database is not empty: nothing was changed")
        shell.say(seed())
