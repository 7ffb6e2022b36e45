from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "crm.notify"
    label = "notify"
