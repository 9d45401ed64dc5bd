"""`booking.wsgi` as the comparison runs it: nights can be booked until 2056, where its bookings are made."""

from datetime import timedelta

from apps.listings import offers

# Before anybody takes it from there.
offers.HORIZON_DAYS = 12_000
offers.HORIZON = timedelta(days=offers.HORIZON_DAYS)

from booking.wsgi import application  # noqa: E402

__all__ = ["application"]
