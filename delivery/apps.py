from django.apps import AppConfig

from crm.sowing import sow_after_migrate


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        sow_after_migrate(self, "delivery.sowing.sow")
