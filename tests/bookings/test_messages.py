"""How often the steps of a booking's life ask the database: what grows here is paid by every booking."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.bookings import actions
from tests.bookings.life import MINUTE, VISA, held, nights, parked
from tests.hosting.inputs import NOW
from tests.recipes import make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def count(call: Callable[..., Any], **arguments: Any) -> tuple[int, Any]:
    """How many messages the call sends, BEGIN and COMMIT among them as Django notes them, and what it returns."""
    with CaptureQueriesContext(connection) as captured:
        result = call(**{"now": NOW, **arguments})
    return len(captured), result


def test_the_steps_of_a_booking_send_no_more_than_they_have_to() -> None:
    sent: dict[str, int] = {}
    # The second time everything is prepared, and whoever is asked for once is known.
    for _ in range(2):
        home = make_property()
        booking = held(home, **nights(home, 2))
        sent["pay"], charge = count(actions.pay, viewer=booking.guest, booking_id=booking.pk, payment_method=VISA)
        sent["settle"], _ = count(actions.carry_out_payment, charge_id=charge.pk)
        sent["cancel"], _ = count(actions.cancel, viewer=booking.guest, booking_id=booking.pk)
        spot = parked(make_parking_spot(), start=NOW)
        sent["end"], _ = count(actions.end, now=NOW + 30 * MINUTE, viewer=spot.guest, booking_id=spot.pk)
    assert sent == {"pay": 13, "settle": 35, "cancel": 36, "end": 25}
