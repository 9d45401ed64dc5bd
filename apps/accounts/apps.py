from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        """Bookings made without an account become their guest's once the address is verified."""
        from apps.accounts.actions import claim_bookings
        from apps.users.verification import on_verified

        on_verified(claim_bookings)
