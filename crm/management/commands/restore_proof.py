"""restore_proof: whether this data folder, just restored, is whole and usable."""

import sys
import time

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.test import Client

from crm import shell
from crm.audit import seal
from customers.models import CustomerPhone

COUNTED = (
    *("customers.Customer", "complaints.Complaint", "delivery.Visit"),
    *("audit.AuditEvent", "access.User", "dashboards.Figure"),
)
WAIT = 1800  # seconds for the server to play its log


def wait_until_promoted() -> None:
    until = time.monotonic() + WAIT
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            if not cursor.fetchone()[0]:
                return
        if time.monotonic() > until:
            shell.fail("the server is still playing its log")
        time.sleep(0.5)


class Command(BaseCommand):
    help = "Check a restored data folder; prints one JSON line. Exit 1 when it is not whole."

    def handle(self, *args, **options) -> None:
        wait_until_promoted()
        faults = []
        try:
            call_command("migrate", "--check", verbosity=0)
        except SystemExit:
            faults.append("migrations are missing")
        verdict = seal.verify()
        if not verdict.is_sound:  # the heads that came along are among what it checks
            faults.append(verdict.first_bad)
        phone = CustomerPhone.objects.first()
        if phone is not None and not phone.number:
            faults.append("a phone does not open")
        call_command("collectstatic", verbosity=0, interactive=False)
        for address in ("/health/live", "/accounts/sign-in/"):
            status = Client(SERVER_NAME="localhost").get(address).status_code
            if status != 200:
                faults.append(f"{address}: {status}")
        counts = {name: apps.get_model(name).objects.count() for name in COUNTED}
        shell.say(
            {"proved": not faults, "faults": faults, "rows": counts}
            | {"trail": verdict.rows}
        )
        if faults:
            sys.exit(1)
