from django.apps import AppConfig

from crm.sowing import sow_after_migrate


class DashboardsConfig(AppConfig):
    name = "crm.dashboards"
    label = "dashboards"

    def ready(self) -> None:
        sow_after_migrate(self, "crm.dashboards.assessing.sow")
