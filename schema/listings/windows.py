"""The windows in which calendars are looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import graphene

from apps.core.families import AVAILABILITY, LISTINGS
from apps.core.periods import Period
from schema.core.caching import Codec, Varies, cached
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


SPANS = Codec(
    write=lambda spans: [(span.start, span.end) for span in spans],
    read=lambda pairs: [Period(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in pairs],
)


def cached_periods(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep the periods that a field of a listing shows: they hang on its calendar, its terms and the moment alone."""
    return cached(
        name,
        about=attrgetter("pk"),
        invalidated_by=(LISTINGS, AVAILABILITY),
        varies_by=Varies.NOTHING,
        is_timed=True,
        codec=SPANS,
    )
