from django.apps import AppConfig


class ServiceConfig(AppConfig):
    name = "apps.kinds.service"
    label = "service"

    def ready(self) -> None:
        from apps.kinds.service.kind import ServiceKind
        from apps.listings.kinds import register

        register(ServiceKind())
