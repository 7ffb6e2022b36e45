"""All settings, from the environment. `make run` needs none of them.

HTTPS=1 is production behind a proxy that ends TLS: redirect, HSTS, `__Host-` cookies.
Without it the product answers on loopback only, over plain HTTP.
"""

import os
from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from crm import embedded, keyfiles
from crm.schedule import (  # noqa: F401 - settings by these names
    ANALYTICS_KINDS,
    ANALYTICS_QUEUE,
    JOB_KINDS,
    JOB_SCHEDULE,
)

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = embedded.data_dir()
PLACE = embedded.place(DATA_DIR)

DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=False)
LOOPBACK_ONLY = not HTTPS
PORT = env.int("PORT", default=8000)
# Where customers reach us: it stands before the links that are sent to them.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")


def secret(name: str) -> str:
    """From the environment, or from a file of DATA_DIR that only its owner can read."""
    return env.str(name.upper(), default="") or keyfiles.secret(DATA_DIR, name)


SECRET_KEY = secret("secret_key")
SECRET_KEY_FALLBACKS = env.list(
    "SECRET_KEY_FALLBACKS", default=keyfiles.old_secret_keys(DATA_DIR)
)
# Field keys by key id: "1:hex,2:hex"; the highest id encrypts, all of them decrypt.
# From files, a new one holds at once, in every process (crm/rekeying.py).
FIELD_KEYS_ROOT = None if env.list("FIELD_KEYS", default=[]) else DATA_DIR
FIELD_KEYS = (
    keyfiles.field_keys(DATA_DIR)
    if FIELD_KEYS_ROOT
    else {
        int(key_id): key
        for key_id, key in (pair.split(":") for pair in env.list("FIELD_KEYS"))
    }
)
INDEX_KEY = secret("index_key")
AUDIT_KEY = secret("audit_key")
TELEPHONY_KEY = secret("telephony_key")  # the exchange signs with it

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if HTTPS and "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts when HTTPS=1.")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if HTTPS else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "treebeard",
    "rest_framework",
    "drf_spectacular",
    "axes",
    "crm",
    "crm.audit",
    "crm.jobs",
    "crm.org",
    "crm.access",
    "crm.notify",
    "crm.hooks",
    "crm.teams",
    "crm.transfer",
    "crm.improvement",
    "crm.library",
    "crm.programmes",
    "crm.dashboards",
    "crm.risk",
    "customers",
    "delivery",
    "campaigns",
    "complaints",
    "django.forms",  # last: our own field.html must win
]
MIDDLEWARE = [
    "crm.web.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crm.web.AnswerMiddleware",
    "crm.access.middleware.SessionGuardMiddleware",
    "axes.middleware.AxesMiddleware",  # answers a locked-out sign-in by AXES_LOCKOUT_CALLABLE
]
ROOT_URLCONF = "crm.urls"
WSGI_APPLICATION = "crm.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": [
                "django.templatetags.static",
                "django.templatetags.i18n",
                "crm.templatetags.ui",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "crm.web.frame",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- database: web, worker and commands differ only in how long they may wait ---------
PROCESS = env.str("CRM_PROCESS", default="command")
TIMEOUTS = {"web": (15_000, 3_000, 30_000), "worker": (300_000, 10_000, 60_000)}
DATABASES = {"default": env.db_url("DATABASE_URL", default=PLACE.database_url)}
DATABASES["default"].update(
    CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True, ATOMIC_REQUESTS=False
)
if PROCESS in TIMEOUTS:
    statement, lock, idle = TIMEOUTS[PROCESS]
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
        f"-c statement_timeout={statement} -c lock_timeout={lock} "
        f"-c idle_in_transaction_session_timeout={idle}"
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery: jobs are rows in PostgreSQL, Valkey is only the bell ---------------------
CELERY_BROKER_URL = env.str("REDIS_URL", default=PLACE.redis_url)
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5  # seconds; chunks are short and resume
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ETA_TASK_LIMIT = 1000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,  # three times the hard limit, or a task runs twice
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
    "socket_connect_timeout": 3,
    "socket_timeout": 10,
    "global_keyprefix": "crm:",
}
CELERY_BEAT_SCHEDULER = "crm.jobs.beat.Metronome"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = {"sweep": {"task": "crm.jobs.tasks.sweep", "schedule": 10.0}}
CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_ENABLE_UTC = True
# What an import of each kind fills: wiring by name, as in urls.py, because the kernel may
# not import the apps above it.
IMPORT_TARGETS = {
    "usage": "customers.usage_import.TARGET",
    "customers": "customers.customer_import.TARGET",
    "organisations": "customers.directory.TARGET",
    "contracts": "customers.money_import.CONTRACTS",
    "receivables": "customers.money_import.RECEIVABLES",
    "recipients": "customers.recipient_import.TARGET",
    "followups": "delivery.followup_import.TARGET",
    "items": "delivery.quality.item_import.TARGET",
    "items_by_days": "delivery.quality.item_import.BY_DAYS",
    "pickups": "delivery.quality.pickup_import.TARGET",
    "item_events": "delivery.quality.event_import.TARGET",
    "orders": "campaigns.order_import.TARGET",
}

# What counts its due times anew when a calendar changes; params: office (none: all).
CALENDAR_JOBS = ["complaints.again", "delivery.workdays"]
# What else forgets a person when the record is erased: the apps above customers.
CUSTOMER_ERASERS = [
    "complaints.services.forget_customer",
    "delivery.surveys.forget_customer",
    "delivery.visit_log.forget_customer",
    "campaigns.files.forget_customer",
]
# What else made files of a recipient list, which go when it is destroyed.
LIST_DESTROYED_HEARERS = ["campaigns.files.forget_list"]
# Boards keep their figures so long in the web worker; tallies lag behind as much anyway.
FIGURES_KEPT_SECONDS = 60
# What is called, in the same transaction, with an office whose place in the tree changed.
OFFICE_MOVED_HEARERS = ["delivery.quality.again.recount"]
# Who is told, in the same transaction, that a survey about its row was answered.
SURVEY_HEARERS = {
    "complaints": "complaints.surveying.heard",
    "round": "delivery.rounds.heard",
}

# --- accounts and sessions ------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "crm.access.signin.Backend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in [
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 10}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    ]
]
LOGIN_URL = "access:sign_in"
LOGIN_REDIRECT_URL = "home"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 8 * 3600  # one shift
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=15 * 60)
SESSIONS_PER_USER = 2
STEP_UP_SECONDS = 5 * 60
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="postal-demo-2026")
# Five failures of one account from one address close that pair for 15 minutes; the
# owner at another desk is not locked out.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_CLIENT_IP_CALLABLE = "crm.access.signin.client_ip"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_LOCKOUT_CALLABLE = "crm.access.views.locked_out"
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["password", "code"]
TRUSTED_PROXY = env.bool(
    "TRUSTED_PROXY", default=HTTPS
)  # our proxy overwrites the header

# --- transport ------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sid", "csrf"
if HTTPS:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^health/live$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sid", "__Host-csrf"
# W021: HSTS preload is a choice of the domain's owner, not of the product.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb")
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_PERMISSIONS = 0o640
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crm.api.SessionAuthentication",
        "crm.api.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["crm.api.DenyByDefault"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.api.StrictJSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "crm.api.Pages",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "crm.api.explain",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Postal CRM",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "crm.openapi.describe_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "WorkOrderKind": "complaints.kinds.Kind.choices",
        "WorkOrderState": "complaints.workflow.State.choices",
        "Clock": "complaints.models.Clock.choices",
        "CustomerKind": "customers.models.choices.Kind.choices",
    },
}

# --- files, language, messages ---------------------------------------------------------
# Not MEDIA_ROOT: nothing may ever serve these by path; scoped views do.
FILES_ROOT = DATA_DIR / "files"
# Where other systems put files to be brought in: <import>/<code of the office>/<file>.
INBOX_ROOT = Path(env.str("INBOX_ROOT", default=str(DATA_DIR / "inbox")))
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LANGUAGE_CODE = "en"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
# Private networks that webhooks may reach ("10.0.0.0/8,…"); none unless named.
HOOK_NETWORKS = env.list("HOOK_NETWORKS", default=[])
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10  # seconds; the outbox holds a row lock meanwhile
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="crm@localhost")
SMS_CHANNEL = env.str("SMS_CHANNEL", default="crm.notify.channels.ConsoleSms")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "crm.logs.ScrubFilter"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["scrub"],
        }
    },
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"handlers": ["console"], "propagate": False},
        "axes": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
    },
}
