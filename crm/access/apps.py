from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "crm.access"
    label = "access"

    def ready(self) -> None:
        from crm.access import signin  # noqa: F401, PLC0415 - connects the sign-in receivers
