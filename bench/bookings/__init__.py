"""How many bookings per second, against the same transaction in plain SQL."""
