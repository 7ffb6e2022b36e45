"""Settings of the tests: throw-away servers in a folder of their own.

The first process makes the folder and names it in the environment, so that the parallel
ones use the same servers; tests/conftest.py starts and stops them.
"""

import os
import tempfile

if "POSTAL_CRM_TEST_DIR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="postal-crm-test-")
    os.chmod(folder, 0o755)  # noqa: S103 - PostgreSQL's own user must reach its files
    os.environ["POSTAL_CRM_TEST_DIR"] = folder
os.environ["DATA_DIR"] = os.environ["POSTAL_CRM_TEST_DIR"]
for name in ("DATABASE_URL", "REDIS_URL", "PORT", "HTTPS", "DEBUG"):
    os.environ.pop(name, None)

from crm.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # speed, not secrecy
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
FIGURES_KEPT_SECONDS = 0  # each test sees what it has just made
