"""The windows in which calendars are looked at."""

from __future__ import annotations

from datetime import datetime, timedelta

import graphene

from apps.core.periods import Period
from schema.core.errors import BadUserInput
from schema.core.scalars import DateTime

# Bookings go 730 days ahead; a little more lets a client ask from yesterday.
LONGEST = timedelta(days=740)


def window_arguments() -> dict[str, graphene.Argument]:
    """`from` and `to`; the resolver gets them as `from_` and `to`."""
    return {
        "from_": graphene.Argument(DateTime, required=True, name="from", description="Where the window begins."),
        "to": graphene.Argument(
            DateTime, required=True, description=f"Where the window ends, at most {LONGEST.days} days later."
        ),
    }


def read_window(start: datetime, end: datetime) -> Period:
    """Raises BadUserInput when it ends before it begins, or is too long."""
    if end <= start:
        raise BadUserInput("`to` must come after `from`.")
    if end - start > LONGEST:
        raise BadUserInput(f"The window may be at most {LONGEST.days} days long.")
    return Period(start, end)
