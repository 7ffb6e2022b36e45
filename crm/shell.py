"""What the project's shell commands share: one JSON line last on stdout, all else stderr."""

import getpass
import json
import sys
from typing import Any, NoReturn

from crm.audit import services as audit
from crm.org.models import Office


def say(result: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


def fail(message: str) -> NoReturn:
    """Wrong input: a clear line on stderr and exit code 2."""
    sys.stderr.write(f"{message}\n")
    sys.exit(2)


def office_named(code: str) -> Office:
    office = Office.objects.filter(code=code).first()
    if office is None:
        fail(f"unknown office: {code}")
    return office


def note(action: str, office: Office, details: dict) -> None:
    """Shell commands act as "system", audited with the operating system's user."""
    audit.record(
        None, action, office, office=office, details=details | {"os": getpass.getuser()}
    )
