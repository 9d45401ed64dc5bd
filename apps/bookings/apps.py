from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "apps.bookings"

    def ready(self) -> None:
        from apps.bookings.telling import HELD, words_of_hold
        from apps.notifications.letters import word_later

        word_later(HELD, words_of_hold)
