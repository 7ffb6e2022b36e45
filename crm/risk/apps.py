from django.apps import AppConfig


class RiskConfig(AppConfig):
    name = "crm.risk"
    label = "risk"
