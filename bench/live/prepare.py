"""Makes what is watched, twenty parking spots on a map, and who books; prints it as JSON."""

import json
import os
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.db import transaction  # noqa: E402 - the settings are there now

from apps.users.actions.sessions import open_session  # noqa: E402
from schema.core.ids import to_global_id  # noqa: E402
from tests.recipes import make_guest, make_host, make_parking_spot  # noqa: E402

SPOTS = 20
LATITUDE, LONGITUDE = 52.52, 13.40


def main() -> None:
    host = make_host()
    spots = [
        make_parking_spot(
            host=host, title=f"Spot {number}", latitude=LATITUDE + number / 1e4, longitude=LONGITUDE + number / 1e4
        )
        for number in range(SPOTS)
    ]
    with transaction.atomic():
        pair = open_session(user=make_guest(), user_agent="bench", now=datetime.now(UTC))
    found = {
        "token": pair.access_token,
        "spot": to_global_id("ParkingSpot", spots[0].pk),
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
