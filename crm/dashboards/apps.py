from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


class DashboardsConfig(AppConfig):
    name = "crm.dashboards"
    label = "dashboards"

    def ready(self) -> None:
        sow = import_string("crm.dashboards.assessing.sow")
        post_migrate.connect(sow, sender=self)
