"""How an event answers the questions that every kind is asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model, Q
from django.db.models.lookups import GreaterThanOrEqual

from apps.availability.selectors import tickets_left
from apps.core.errors import Invalid
from apps.core.money import Money
from apps.core.periods import Period
from apps.core.reads import INSTANT, INTEGER
from apps.core.shapes import Places, Put
from apps.kinds.event import rules
from apps.kinds.event.models import Event
from apps.listings.inputs import DetailsInput
from apps.listings.kinds import Capacity, Kind
from apps.listings.models import Listing
from apps.listings.offers import HORIZON, BookingRequest, Line, Occupancy
from apps.listings.search import ListingSearch

# An event further ahead is a slip of the pen; days near the end of the calendar exist in no zone.
FURTHEST = timedelta(days=3650)


class EventKind(Kind):
    code = "EVENT"
    about = "Tickets for something that takes place once."
    relation = "event"
    start_path = "event__starts_at"
    price_unit = "TICKET"
    request_fields = frozenset({"tickets"})
    change_fields = request_fields
    is_blockable = False
    capacity_field = "total_tickets"
    indexed = frozenset({"from", "before", "start", "now"})

    def clean_details(
        self, fields: dict[str, Any], *, existing: Model | None, listing: Listing, now: datetime
    ) -> dict[str, Any]:
        latest = now + FURTHEST

        def instant_at(name: str) -> Any:
            def clean(value: datetime) -> datetime:
                if value > latest:
                    raise Invalid("This is too far ahead.", field=name)
                if value <= now and getattr(existing, name, None) != value:
                    raise Invalid("This is in the past.", field=name)
                return value.astimezone(UTC)

            return clean

        details = DetailsInput(fields, creating=existing is None)
        details.take("starts_at", instant_at("starts_at"))
        details.take("ends_at", instant_at("ends_at"))
        details.text("venue", max_length=300)
        details.whole("total_tickets", lowest=1, highest=1_000_000)
        starts_at, ends_at = details.now_or("starts_at", existing), details.now_or("ends_at", existing)
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            details.problems.add(Invalid("An event ends after it starts.", field="ends_at"))
        return details.result()

    def save_details(self, listing: Listing, cleaned: dict[str, Any]) -> None:
        listing.event, _ = Event.objects.update_or_create(listing=listing, defaults=cleaned)

    def capacity(self, listing: Listing) -> Capacity:
        return Capacity(stock=self.details(listing).total_tickets)

    def fixed_period(self, listing: Listing) -> Period | None:
        event: Event = self.details(listing)
        return Period(event.starts_at, event.ends_at)

    def check_request(self, request: BookingRequest) -> None:
        super().check_request(request)
        rules.check_tickets(request.tickets)

    def occupancy(
        self, listing: Listing, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
    ) -> Occupancy:
        row: Event = self.details(listing)
        terms = rules.EventTerms(period=_period(row), total_tickets=row.total_tickets)
        return rules.admission(terms, request, now=now, present=present)

    def lines(self, listing: Listing, occupancy: Occupancy, *, price: Money, booked: Sequence[Line] = ()) -> list[Line]:
        assert occupancy.quantity is not None
        return rules.ticket_lines(tickets=occupancy.quantity, price=price)

    def request_of(self, listing: Listing, occupancy: Occupancy) -> BookingRequest:
        return BookingRequest(tickets=occupancy.quantity)

    def offered(self, listing: Listing, window: Period, *, now: datetime) -> list[Period]:
        shown = _period(self.details(listing)).clip(window)
        return [shown] if shown else []

    def asked(self, search: ListingSearch, *, now: datetime) -> dict[str, Put] | None:
        """With `tickets` or `free` only what can still be booked is found."""
        if search.kinds is not None and self.code not in search.kinds:
            return None
        if search.asks_for("guests", "amenities", "check_in", "check_out"):
            return None
        asked: dict[str, Put] = {}
        if search.starts_after is not None:
            asked["from"] = Put(search.starts_after, INSTANT)
        if search.starts_before is not None:
            asked["before"] = Put(search.starts_before, INSTANT)
        if search.free is not None:
            asked["start"], asked["end"] = Put(search.free.start, INSTANT), Put(search.free.end, INSTANT)
        if search.free is not None or search.tickets is not None:
            asked["now"], asked["latest"] = Put(now, INSTANT), Put(now + HORIZON, INSTANT)
            asked["tickets"] = Put(search.tickets or 1, INTEGER)
        return asked

    def search_filter(self, places: Places) -> Q:
        condition = Q()
        if "from" in places:
            condition &= Q(event__starts_at__gte=places["from"])
        if "before" in places:
            condition &= Q(event__starts_at__lt=places["before"])
        if "start" in places:
            condition &= Q(event__starts_at__gte=places["start"], event__ends_at__lte=places["end"])
        if "tickets" in places:
            condition &= Q(event__starts_at__gt=places["now"], event__starts_at__lte=places["latest"])
        return condition

    def free_filter(self, places: Places) -> Q:
        if "tickets" not in places:
            return Q()
        return Q(GreaterThanOrEqual(tickets_left(now=places["now"]), places["tickets"]))


def _period(row: Event) -> Period:
    return Period(row.starts_at, row.ends_at)
