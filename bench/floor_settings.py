"""The bare Django list that the customer list is measured against."""

from crm.settings import *  # noqa: F403 - the product's settings, less what the floor does without

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench.floor"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
