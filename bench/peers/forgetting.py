"""Putting back what M1 wrote. The benchmark reads this file by itself, as it does `requests.py`."""

# Bookings of the data end in the autumn of 2027, and those of the comparison start after it.
OF_THE_COMPARISON = "lower(period) > timestamptz '2027-12-31'"
COUNT = f"SELECT count(*) FROM bookings_booking WHERE {OF_THE_COMPARISON}"
TOLD = ("notifications_letter", "notifications_reminder", "notifications_notification")
PARTS = ("bookings_bookingevent", "bookings_bookingline", *TOLD)
LIVE = "live_liveevent"
WRITTEN = ("bookings_booking", "availability_allocation", "payments_bill", LIVE, *PARTS)


def statements(which: str) -> list[str]:
    """Delete the bookings for which the condition holds, with their place, their debt and all that was told of them,
    and what waits to be pushed to listeners.

    To be sent in one transaction. They fail where anything else hangs on a booking.
    """
    gone = "(SELECT id FROM gone)"
    return [
        f"CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT id, bill_id, allocation_id FROM bookings_booking WHERE {which}",
        *(f"DELETE FROM {table} WHERE booking_id IN {gone}" for table in PARTS),
        f"DELETE FROM bookings_booking WHERE id IN {gone}",
        "DELETE FROM payments_bill WHERE id IN (SELECT bill_id FROM gone)",
        "DELETE FROM availability_allocation WHERE id IN (SELECT allocation_id FROM gone)",
        f"DELETE FROM {LIVE}",
    ]
