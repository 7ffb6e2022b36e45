"""Settings of the tests: throw-away servers that tests/conftest.py has started."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault(
    "DATA_DIR", str(Path(tempfile.gettempdir()) / "postal-crm-nothing")
)

from crm.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # speed, not secrecy
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
