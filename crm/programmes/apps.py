from django.apps import AppConfig


class ProgrammesConfig(AppConfig):
    name = "crm.programmes"
    label = "programmes"
