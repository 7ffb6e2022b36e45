from django.apps import AppConfig

from crm.sowing import sow_after_migrate


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        sow_after_migrate(self, "campaigns.sowing.sow")
