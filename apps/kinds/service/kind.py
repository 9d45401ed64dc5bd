"""How a service answers the questions that every kind is asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Model, Q
from django.db.models.expressions import BaseExpression

from apps.core.errors import Invalid
from apps.core.money import Money
from apps.core.periods import Period
from apps.core.reads import INSTANT
from apps.core.shapes import Places, Put
from apps.kinds.service import rules
from apps.kinds.service.models import OpeningHours, Service
from apps.kinds.service.selectors import (
    ALONG,
    asked_of_slots,
    opening_hours_along,
    read_opening_hours,
    some_slot_is_free,
    terms_of,
)
from apps.listings.inputs import DetailsInput
from apps.listings.kinds import Capacity, Kind
from apps.listings.models import Listing
from apps.listings.offers import HORIZON, BookingRequest, Line, Occupancy
from apps.listings.search import ListingSearch

MOST_OPENINGS = 100
LONGEST = timedelta(minutes=1440)


class ServiceKind(Kind):
    code = "SERVICE"
    about = "Appointments on a grid of slots."
    relation = "service"
    price_unit = "APPOINTMENT"
    request_fields = frozenset({"starts_at"})
    change_fields = request_fields
    capacity_field = "staff"

    def prepare(self, listings: Sequence[Listing]) -> None:
        read_opening_hours(listings)

    def along(self) -> dict[str, BaseExpression]:
        return {ALONG: opening_hours_along()}

    def clean_details(
        self, fields: dict[str, Any], *, existing: Model | None, listing: Listing, now: datetime
    ) -> dict[str, Any]:
        """`opening_hours` comes as a list of mappings and leaves as a list of `rules.Opening`."""
        details = DetailsInput(fields, creating=existing is None)
        details.whole("duration_minutes", lowest=1, highest=1440)
        details.whole("buffer_minutes", lowest=0, highest=1440, default=0)
        details.whole("staff", lowest=1, highest=200, default=1)
        details.take("opening_hours", clean_openings)
        return details.result()

    def save_details(self, listing: Listing, cleaned: dict[str, Any]) -> None:
        own = {name: value for name, value in cleaned.items() if name != "opening_hours"}
        service, _ = Service.objects.update_or_create(listing=listing, defaults=own)
        if "opening_hours" in cleaned:
            OpeningHours.objects.filter(service=service).delete()
            OpeningHours.objects.bulk_create(
                OpeningHours(
                    service=service,
                    weekday=opening.weekday,
                    opens_at=opening.opens_at,
                    closes_at=opening.closes_at,
                )
                for opening in cleaned["opening_hours"]
            )
        listing.service = service

    def capacity(self, listing: Listing) -> Capacity:
        return Capacity(units=self.details(listing).staff)

    def check_request(self, request: BookingRequest) -> None:
        super().check_request(request)
        rules.check_given(request.starts_at)

    def occupancy(
        self, listing: Listing, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
    ) -> Occupancy:
        return rules.appointment(terms_of(listing), request, now=now, present=present)

    def lines(self, listing: Listing, occupancy: Occupancy, *, price: Money, booked: Sequence[Line] = ()) -> list[Line]:
        return rules.appointment_lines(price=price)

    def request_of(self, listing: Listing, occupancy: Occupancy) -> BookingRequest:
        return BookingRequest(starts_at=occupancy.period.start)

    def offered(self, listing: Listing, window: Period, *, now: datetime) -> list[Period]:
        """The opening hours from today on; what is past of earlier days is left out."""
        within = rules.bookable_window(window, now=now, time_zone=listing.time_zone, longest=LONGEST)
        return rules.opened(terms_of(listing), within) if within else []

    def asked(self, search: ListingSearch, *, now: datetime) -> dict[str, Put] | None:
        if search.kinds is not None and self.code not in search.kinds:
            return None
        if search.asks_for("guests", "amenities", "check_in", "check_out", "tickets", "starts_after", "starts_before"):
            return None
        if search.free is None:
            return {}
        # What of the window can be booked now.
        ahead = search.free.clip(Period(now, now + HORIZON + LONGEST))
        if ahead is None:
            return None
        return {name: Put(moment, INSTANT) for name, moment in asked_of_slots(ahead, now=now).items()}

    def search_filter(self, places: Places) -> Q:
        return Q()

    def free_filter(self, places: Places) -> Q:
        return Q(some_slot_is_free(**places)) if places else Q()


def clean_openings(values: Sequence[Mapping[str, Any]]) -> list[rules.Opening]:
    """Raises Invalid at `opening_hours` unless they are some, of the week's days, in order and apart."""
    if not values or len(values) > MOST_OPENINGS:
        raise Invalid(f"From 1 to {MOST_OPENINGS} opening hours are needed.", field="opening_hours")
    openings = []
    for value in values:
        opens_at: time = value["opens_at"].replace(tzinfo=None, fold=0)
        closes_at: time = value["closes_at"].replace(tzinfo=None, fold=0)
        if not 1 <= value["weekday"] <= 7:
            raise Invalid("A weekday is from 1 (Monday) to 7 (Sunday).", field="opening_hours")
        if opens_at >= closes_at != rules.MIDNIGHT:
            raise Invalid("A service closes after it opens.", field="opening_hours")
        openings.append(rules.Opening(weekday=value["weekday"], opens_at=opens_at, closes_at=closes_at))
    if rules.overlapping(openings):
        raise Invalid("Opening hours overlap.", field="opening_hours")
    return sorted(openings, key=lambda opening: (opening.weekday, opening.opens_at))
