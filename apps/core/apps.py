from django.apps import AppConfig
from django.core.checks import Tags, register


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        from apps.core.checks import check_pooler
        from apps.core.versions import begin_watching

        begin_watching()
        register(check_pooler, Tags.database)
