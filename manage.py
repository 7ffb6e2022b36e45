#!/usr/bin/env python
"""Django's command line; starts the embedded servers for the commands that need them."""

import os
import sys
from contextlib import nullcontext

from crm import embedded

WITHOUT_SERVERS = {"check", "collectstatic", "compilemessages", "makemessages", "help"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    from django.core.management import execute_from_command_line

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    needs_none = command in WITHOUT_SERVERS or "--help" in sys.argv
    try:
        with nullcontext() if needs_none else embedded.running(embedded.data_dir()):
            execute_from_command_line(sys.argv)
    except embedded.CannotStart as reason:
        sys.exit(f"postal-crm: {reason}")


if __name__ == "__main__":
    main()
