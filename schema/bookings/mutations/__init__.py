"""The booking mutations."""

from schema.bookings.mutations.book import BookEvent, BookParkingSpot, BookProperty, BookService


class BookingMutations:
    """Mixed into Mutation."""

    book_property = BookProperty.Field()
    book_service = BookService.Field()
    book_event = BookEvent.Field()
    book_parking_spot = BookParkingSpot.Field()


__all__ = ["BookingMutations"]
