from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "crm.library"
    label = "library"
