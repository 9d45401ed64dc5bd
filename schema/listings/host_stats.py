"""How a host's listings did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import graphene

from apps.core.money import Money as Amount
from apps.core.periods import Period
from apps.hosting.statistics import host_statistics, window_of
from apps.reviews.selectors import average_rating
from schema.core.errors import BadUserInput
from schema.core.scalars import Date
from schema.listings.values import Money

if TYPE_CHECKING:
    from apps.users.models import User
    from schema.core.context import Info

LONGEST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Stats:
    """What `HostStats` is shown from."""

    bookings: int
    canceled: int
    revenue: list[Amount]
    occupancy: float
    average_rating: float | None


class HostStats(graphene.ObjectType):
    """How a host's listings did in a window of days."""

    bookings = graphene.Int(
        required=True, description="How many bookings begin in it that were confirmed and not canceled."
    )
    canceled = graphene.Int(required=True, description="How many bookings that would begin in it were canceled.")
    revenue = graphene.List(
        graphene.NonNull(Money),
        required=True,
        description="What was captured for bookings that begin in it, less what was refunded; one amount per currency.",
    )
    occupancy = graphene.Float(
        required=True,
        description="From 0 to 1: time sold by time offered, of properties, services and parking spots.",
    )
    average_rating = graphene.Float(description="The mean of the ratings given in it; null without any.")


class ViewerHosting:
    """Mixed into Viewer. `parent` is the account."""

    host_stats = graphene.Field(
        HostStats,
        required=True,
        from_=graphene.Argument(Date, required=True, name="from", description="The first day, in UTC."),
        to=graphene.Argument(
            Date, required=True, description=f"The day after the last, at most {LONGEST_DAYS} days later."
        ),
        description="How this person's listings did from one day up to another.",
    )

    def resolve_host_stats(parent: User, info: Info, from_: date, to: date) -> Stats:
        window = read_days(from_, to)
        found = host_statistics(host=parent, window=window)
        return Stats(
            bookings=found.bookings,
            canceled=found.canceled,
            revenue=found.revenue,
            occupancy=found.occupancy,
            average_rating=average_rating(host=parent, window=window),
        )


def read_days(first: date, end: date) -> Period:
    """Raises BadUserInput when no day lies between, or too many do."""
    if end <= first:
        raise BadUserInput("`to` must come after `from`.")
    if (end - first).days > LONGEST_DAYS:
        raise BadUserInput(f"The window may be at most {LONGEST_DAYS} days long.")
    return window_of(first, end)
