"""Servers for one run, the cast, and what every test may ask for."""

import os
import shutil
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation

from crm import embedded
from crm.management.commands.compilemessages import compile_all
from tests import factories as make

# No autovacuum: what rolled-back tests leave would be counted as pages without a row, and
# the next test's loaded tables planned as if they held one (nested loops for an hour).
FAST = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    " -c autovacuum=off -c statement_timeout=110s"
)


def pytest_configure(config: pytest.Config) -> None:
    """The first process starts the servers; pytest-xdist's workers find them running."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        embedded.start(Path(os.environ["POSTAL_CRM_TEST_DIR"]), extra=FAST)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ["POSTAL_CRM_TEST_DIR"])
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests that really commit are cleaned by TRUNCATE, which the trail refuses."""
    compile_all()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("audit_auditevent", "audit_auditseal"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER no_truncate")


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """Files of a test are its own."""
    settings.DATA_DIR = tmp_path
    settings.FILES_ROOT = tmp_path / "files"
    settings.INBOX_ROOT = tmp_path / "inbox"


@pytest.fixture(autouse=True)
def own_language(settings):
    """A request in another language leaves it behind in its thread: every test begins in
    the house's own."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture
def cast(db) -> make.Cast:
    return make.cast()


@pytest.fixture
def sign_in(client):
    """Sign a user of the cast in through the real session machinery."""

    def sign_in_as(user, *, at=client):
        return make.sign_in(at, user)

    return sign_in_as
