"""What a client sees of a booking that it has just made: what it sees when it asks for it, and read from nowhere."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.hosting.inputs import NOW
from tests.recipes import MAKE, make_guest
from tests.schema.listings.api import TYPE_NAMES, ask, global_id, mutate

pytestmark = pytest.mark.django_db(transaction=True)

# Without the street, which hangs on what else the guest has booked there.
MONEY = "{ amountMinor amount currency }"
BOOKING = f"""
    id reference status email period {{ start end }} checkIn checkOut tickets guests guest {{ id firstName }}
    lines {{ label quantity unitAmount {MONEY} amount {MONEY} }} total {MONEY} refundable {MONEY} paymentStatus
    payments {{ id status amount {MONEY} cardLast4 }} expiresAt createdAt confirmedAt checkedInAt checkedOutAt canceledAt
    history {{ at type actor data }} ticketCode
    listing {{
        id kind status title description price {MONEY} priceUnit cancellationPolicy ratingAverage ratingCount createdAt
        location {{ latitude longitude city region country timeZone }}
        ... on Property {{ propertyType maxGuests checkInTime checkOutTime cleaningFee {MONEY} }}
        ... on Service {{ durationMinutes bufferMinutes staff }}
        ... on Event {{ startsAt endsAt venue totalTickets }}
        ... on ParkingSpot {{ street maxMinutes }}
    }}
"""
START = (NOW + timedelta(days=10)).replace(hour=12, minute=0, second=0, microsecond=0)
WANTED: dict[str, dict[str, Any]] = {
    "PROPERTY": {"checkIn": str(START.date()), "checkOut": str((START + timedelta(days=2)).date()), "guests": 2},
    "SERVICE": {"startsAt": START.isoformat()},
    "EVENT": {"tickets": 3},
    "PARKING_SPOT": {"startsAt": START.isoformat(), "minutes": 90},
}


@pytest.mark.parametrize("is_signed_in", [True, False])
@pytest.mark.parametrize("kind", MAKE)
def test_the_booking_is_shown_as_it_is_found_and_nothing_is_read_for_it(kind: str, is_signed_in: bool) -> None:
    own = {"property__cleaning_fee_minor": 900} if kind == "PROPERTY" else {}
    starts = {"starts_at": START} if kind == "EVENT" else {}
    listing = MAKE[kind](**own, **starts)
    data = {f"{TYPE_NAMES[kind][0].lower()}{TYPE_NAMES[kind][1:]}Id": global_id(listing), **WANTED[kind]}
    guest = make_guest(email_verified_at=NOW) if is_signed_in else None
    if guest is None:
        data["contact"] = {"email": "zoe@example.com", "firstName": "Zoë"}
    with CaptureQueriesContext(connection) as captured:
        payload = mutate(
            f"book{TYPE_NAMES[kind]}", data, viewer=guest, shows=f"accessToken booking {{ {BOOKING} }}", now=NOW
        )
    assert payload["errors"] == []
    # BEGIN is what Django has noted: it goes with the first, and the COMMIT with the last.
    assert [query["sql"].split()[0] for query in captured] == ["BEGIN", "EXECUTE", "EXECUTE", "COMMIT"]

    found = ask(
        f"query($id: ID!, $token: String) {{ booking(id: $id, accessToken: $token) {{ {BOOKING} }} }}",
        {"id": payload["booking"]["id"], "token": payload["accessToken"]},
        viewer=guest,
        now=NOW,
    )
    assert found["data"]["booking"] == payload["booking"]
    assert payload["booking"]["lines"]
    assert payload["booking"]["status"] == "PENDING"
    assert (payload["accessToken"] is None) == is_signed_in
