from django.apps import AppConfig


class EventConfig(AppConfig):
    name = "apps.kinds.event"
    label = "event"

    def ready(self) -> None:
        from apps.kinds.event.kind import EventKind
        from apps.listings.kinds import register

        register(EventKind())
