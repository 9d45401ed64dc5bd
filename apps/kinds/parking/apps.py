from django.apps import AppConfig


class ParkingConfig(AppConfig):
    name = "apps.kinds.parking"
    label = "parking"

    def ready(self) -> None:
        from apps.kinds.parking.kind import ParkingKind
        from apps.listings.kinds import register

        register(ParkingKind())
