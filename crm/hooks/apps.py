from django.apps import AppConfig


class HooksConfig(AppConfig):
    name = "crm.hooks"
    label = "hooks"
