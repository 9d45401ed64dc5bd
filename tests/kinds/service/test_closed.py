"""What the slots of a service cost on a day on which it is closed."""

from datetime import UTC, datetime, time, timedelta

import pytest

from tests.listings.test_pages import explained
from tests.recipes import make_service

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def test_no_slots_are_made_of_a_service_that_is_closed() -> None:
    """Nor where it is open the day before, whose hours a change of the clocks might push into this one."""
    sunday = MIDNIGHT + timedelta(days=14 - NOW.isoweekday())
    service = make_service(time_zone="UTC", hours=[(day, time(9), time(17)) for day in range(1, 7)])

    def made_on(day: datetime) -> list[int]:
        """For how many of the opening hours days were looked for, for how many slots were made, and how many of these."""
        start, end = day + timedelta(hours=10), day + timedelta(hours=14)
        plan = explained(
            "SELECT FROM service_slots(%s, 'UTC', %s, %s, %s)", [service.pk, start, end, end + timedelta(days=9)]
        )
        loops = [sum(node["Actual Loops"] for node in plan if node.get("Alias") == name) for name in ("day", "slot")]
        return [*loops, plan[0]["Actual Rows"]]

    # Those of Saturday: who opens then might be open past midnight.
    assert made_on(sunday) == [1, 0, 0]
    assert made_on(sunday + timedelta(days=1)) == [1, 1, 4]
    assert made_on(sunday + timedelta(days=2)) == [2, 1, 4]
