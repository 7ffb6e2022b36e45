from django.apps import AppConfig

from crm.sowing import sow_after_migrate


class ComplaintsConfig(AppConfig):
    name = "complaints"

    def ready(self) -> None:
        sow_after_migrate(self, "complaints.sowing.sow")
