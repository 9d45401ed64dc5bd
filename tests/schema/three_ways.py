"""A small market, and what is asked of it in all three ways of reading."""

import json
from datetime import date, timedelta
from typing import Any

from django.test import override_settings

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.listings.models import Image, Listing, ListingStatus
from apps.listings.offers import BookingRequest
from apps.payments.models import Charge
from apps.reviews.models import Review
from apps.users.models import User
from tests.hosting.inputs import NOW
from tests.recipes import MAKE, make_guest, make_host, make_property, make_staff
from tests.schema.listings.api import ask

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"


def small_market() -> dict[str, User | None]:
    """People who have something to see, each of their own, by what they are."""
    host, other, guest = make_host(), make_host(), make_guest()
    listings: list[Listing] = []
    for number in range(10):
        kind = list(MAKE)[number % 4]
        owner = host if number % 3 else other
        listings.append(
            MAKE[kind](host=owner, price_minor=1_000 * (number % 4 + 1), city="Bonn" if number % 2 else "Ulm")
        )
    Listing.objects.filter(pk=listings[0].pk).update(status=ListingStatus.DRAFT)
    homes = [make_property(host=host, units=2) for _ in range(3)]
    for number, home in enumerate(homes):
        stay = BookingRequest(
            check_in=date(2026, 12, 1 + number), check_out=date(2026, 12, 3 + 2 * number), guests=number + 1
        )
        booking = hold(
            kind_code="PROPERTY", listing_id=home.pk, listing_field="property_id", request=stay, guest=guest, now=NOW
        )
        paid_as(booking, status=["CONFIRMED", "COMPLETED", "PENDING"][number])
    Listing.objects.filter(pk=homes[1].pk).update(status=ListingStatus.ARCHIVED)
    shown = [*listings, *homes]
    Image.objects.bulk_create(
        Image(listing=listing, file=f"listings/{listing.pk}-{number}.webp", alt="Ä", position=number)
        for listing in shown[::2]
        for number in range(3)
    )
    Review.objects.bulk_create(
        Review(
            listing=listing,
            author=None if number == 3 else author,
            rating=number or None,
            comment=f"Number {number}",
            created_at=NOW + timedelta(days=number // 2),
            updated_at=NOW,
            hidden_at=NOW if number == 1 else None,
            external_id=f"{listing.pk}-{number}-{author.pk}",
        )
        for listing in shown
        for number in range(5)
        for author in (guest, other)
    )
    return {"nobody": None, "guest": guest, "host": host, "other": other, "staff": make_staff()}


def paid_as(booking: Booking, *, status: str) -> None:
    """The booking is in that state, and paid unless it is PENDING."""
    if status != "PENDING":
        Charge.objects.create(
            bill=booking.bill,
            payer=booking.guest,
            timing="NOW",
            status="SUCCEEDED",
            amount_minor=booking.bill.total_minor,
            currency="EUR",
            payment_method="pm_card_visa",
            idempotency_key=f"key-{booking.pk}",
            receipt_number=f"2026-{booking.pk:06}",
            card_last4="4242",
            created_at=NOW,
            paid_at=NOW,
        )
        Booking.objects.filter(pk=booking.pk).update(status=status, expires_at=None, confirmed_at=NOW)


def answers(query: str, viewer: User | None, variables: dict[str, Any] | None = None, *, may_fail: bool = False) -> Any:
    """The answer, which is the same in every way of reading, with the same errors if it may fail."""
    told = []
    for is_compiled, is_prepared in ((True, True), (True, False), (False, False)):
        with override_settings(COMPILED_READS=is_compiled, PREPARED_STATEMENTS=is_prepared):
            told.append(ask(query, variables, viewer=viewer))
    server, text, plain = (json.dumps(each, default=str) for each in told)
    assert server == plain
    assert text == plain
    assert may_fail or "errors" not in told[0], told[0]["errors"]
    return told[0]["data"]
