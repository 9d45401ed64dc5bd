"""The booking mutations."""

from schema.bookings.mutations.book import BookEvent, BookParkingSpot, BookProperty, BookService
from schema.bookings.mutations.life import (
    CancelBooking,
    ChangeBooking,
    CheckInBooking,
    CheckOutBooking,
    EndBooking,
    MarkNoShow,
)


class BookingMutations:
    """Mixed into Mutation."""

    book_property = BookProperty.Field()
    book_service = BookService.Field()
    book_event = BookEvent.Field()
    book_parking_spot = BookParkingSpot.Field()
    change_booking = ChangeBooking.Field()
    end_booking = EndBooking.Field()
    cancel_booking = CancelBooking.Field()
    check_in_booking = CheckInBooking.Field()
    check_out_booking = CheckOutBooking.Field()
    mark_no_show = MarkNoShow.Field()


__all__ = ["BookingMutations"]
