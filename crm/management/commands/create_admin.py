"""create_admin: the first security administrators of an empty place."""

import getpass
import sys

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand
from django.db import transaction

from crm import shell
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.org.models import Office


class Command(BaseCommand):
    help = (
        "Make a security administrator over the whole place. Works while there are fewer "
        "than two: later ones are granted on the users page."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--full-name", default="")
        parser.add_argument(
            "--office-code", default="420000", help="the top office, if none yet"
        )
        parser.add_argument("--office-name", default="湖北省邮政公司")

    @transaction.atomic
    def handle(self, *args, username: str, **options) -> None:
        if Posting.objects.filter(role=Role.SECURITY_ADMIN).count() >= 2:
            shell.fail("there are two security administrators: they grant the others")
        if User.objects.filter(username=username).exists():
            shell.fail(f"the user name {username} is taken")
        is_typed = sys.stdin.isatty()
        password = (
            getpass.getpass("Password: ")
            if is_typed
            else sys.stdin.readline().rstrip("\n")
        )
        try:
            validate_password(password, User(username=username))
        except ValidationError as error:
            shell.fail(" ".join(error.messages))
        root = Office.objects.filter(depth=1).first() or Office.objects.add_root(
            {
                "code": options["office_code"],
                "name": options["office_name"],
                "level": Office.Level.PROVINCE,
            }
        )
        user = User.objects.create_user(
            username, password, full_name=options["full_name"] or username
        )
        Posting.objects.create(user=user, office=root, role=Role.SECURITY_ADMIN)
        shell.note(
            "user.created", root, {"username": username, "role": Role.SECURITY_ADMIN}
        )
        shell.say({"username": username, "office": root.code})
