"""The life of a booking as pure data: which status may follow which."""

from enum import StrEnum


class BookingStatus(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    CHECKED_IN = "CHECKED_IN"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    NO_SHOW = "NO_SHOW"


class BookingEventType(StrEnum):
    HELD = "HELD"
    CONFIRMED = "CONFIRMED"
    CHANGED = "CHANGED"
    CHECKED_IN = "CHECKED_IN"
    CHECKED_OUT = "CHECKED_OUT"
    ENDED = "ENDED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    NO_SHOW = "NO_SHOW"
    PAYMENT_STARTED = "PAYMENT_STARTED"
    PAYMENT_SUCCEEDED = "PAYMENT_SUCCEEDED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    REFUNDED = "REFUNDED"


class Actor(StrEnum):
    GUEST = "GUEST"
    HOST = "HOST"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"


LIVE = frozenset({BookingStatus.PENDING, BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN})
# In these the guest knows where it is, to the door.
OPENS_ADDRESS = frozenset({BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN, BookingStatus.COMPLETED})

TRANSITIONS: dict[BookingStatus, frozenset[BookingStatus]] = {
    BookingStatus.PENDING: frozenset({BookingStatus.CONFIRMED, BookingStatus.CANCELED, BookingStatus.EXPIRED}),
    BookingStatus.CONFIRMED: frozenset(
        {BookingStatus.CHECKED_IN, BookingStatus.COMPLETED, BookingStatus.CANCELED, BookingStatus.NO_SHOW}
    ),
    BookingStatus.CHECKED_IN: frozenset({BookingStatus.COMPLETED}),
    BookingStatus.COMPLETED: frozenset(),
    BookingStatus.CANCELED: frozenset(),
    # A payment that succeeds after the hold died takes the place again if it is free.
    BookingStatus.EXPIRED: frozenset({BookingStatus.CONFIRMED}),
    BookingStatus.NO_SHOW: frozenset(),
}


def may_follow(present: str, wanted: str) -> bool:
    """Whether the table allows the move."""
    return BookingStatus(wanted) in TRANSITIONS[BookingStatus(present)]
