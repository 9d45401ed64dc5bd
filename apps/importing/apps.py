from django.apps import AppConfig


class ImportingConfig(AppConfig):
    name = "apps.importing"
