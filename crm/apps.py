from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Table-less: templates tags, commands and start-up checks of the house."""

    name = "crm"

    def ready(self) -> None:
        from crm import checks  # noqa: F401, PLC0415 - registers the checks
