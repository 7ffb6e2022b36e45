from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        post_migrate.connect(import_string("campaigns.sowing.sow"), sender=self)
