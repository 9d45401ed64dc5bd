from django.apps import AppConfig


class PropertyConfig(AppConfig):
    name = "apps.kinds.property"
    label = "property"

    def ready(self) -> None:
        from apps.kinds.property.kind import PropertyKind
        from apps.listings.kinds import register

        register(PropertyKind())
