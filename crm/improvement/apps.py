from django.apps import AppConfig


class ImprovementConfig(AppConfig):
    name = "crm.improvement"
    label = "improvement"
