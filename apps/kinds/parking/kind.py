"""How a parking spot answers the questions that every kind is asked."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, Q

from apps.availability.selectors import unit_is_free
from apps.core.money import Money
from apps.core.periods import Period
from apps.core.reads import INSTANT, INTEGER
from apps.core.shapes import Places, Put
from apps.kinds.parking import rules
from apps.kinds.parking.models import ParkingSpot
from apps.listings.inputs import DetailsInput
from apps.listings.kinds import Capacity, Kind
from apps.listings.models import Listing
from apps.listings.offers import GRACE, HORIZON, BookingRequest, Line, Occupancy
from apps.listings.search import ListingSearch


class ParkingKind(Kind):
    code = "PARKING_SPOT"
    about = "A parking spot, paid by the minute at an hourly price."
    relation = "parking_spot"
    price_unit = "HOUR"
    payment_timing = "AT_END"
    request_fields = frozenset({"starts_at", "ends_at", "minutes"})
    change_fields = frozenset({"starts_at", "ends_at"})
    ends_early = True
    needs_coordinates = True

    def clean_details(
        self, fields: dict[str, Any], *, existing: Model | None, listing: Listing, now: datetime
    ) -> dict[str, Any]:
        details = DetailsInput(fields, creating=existing is None)
        details.text("street", max_length=300)
        details.whole("max_minutes", lowest=1, highest=43_200, default=1440)
        return details.result()

    def save_details(self, listing: Listing, cleaned: dict[str, Any]) -> None:
        row, _ = ParkingSpot.objects.update_or_create(listing=listing, defaults=cleaned)
        listing.parking_spot = row

    def capacity(self, listing: Listing) -> Capacity:
        return Capacity(units=1)

    def check_request(self, request: BookingRequest) -> None:
        super().check_request(request)
        rules.check_length(request)

    def occupancy(
        self, listing: Listing, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
    ) -> Occupancy:
        terms = rules.ParkingTerms(max_minutes=self.details(listing).max_minutes)
        return rules.parking_time(terms, request, now=now, present=present)

    def lines(self, listing: Listing, occupancy: Occupancy, *, price: Money, booked: Sequence[Line] = ()) -> list[Line]:
        return rules.hour_lines(length=occupancy.period.length, price=price)

    def request_of(self, listing: Listing, occupancy: Occupancy) -> BookingRequest:
        return BookingRequest(starts_at=occupancy.period.start, ends_at=occupancy.period.end)

    def offered(self, listing: Listing, window: Period, *, now: datetime) -> list[Period]:
        last = rules.last_moment(max_minutes=self.details(listing).max_minutes, latest_start=now + HORIZON)
        end = min(window.end, last)
        return [Period(window.start, end)] if window.start < end else []

    def asked(self, search: ListingSearch, *, now: datetime) -> dict[str, Put] | None:
        if search.kinds is not None and self.code not in search.kinds:
            return None
        if search.asks_for("guests", "amenities", "check_in", "check_out", "tickets", "starts_after", "starts_before"):
            return None
        if search.free is None:
            return {}
        if not now - GRACE <= search.free.start <= now + HORIZON:
            return None
        start = max(search.free.start, now)
        if search.free.end <= start or search.free.length < rules.MINUTE:
            return None
        minutes = math.ceil((search.free.end - start) / timedelta(minutes=1))
        return {
            "minutes": Put(minutes, INTEGER),
            "start": Put(start, INSTANT),
            "end": Put(search.free.end, INSTANT),
            "now": Put(now, INSTANT),
        }

    def search_filter(self, places: Places) -> Q:
        return Q(parking_spot__max_minutes__gte=places["minutes"]) if "minutes" in places else Q()

    def free_filter(self, places: Places) -> Q:
        return Q(unit_is_free(places["start"], places["end"], now=places["now"])) if "start" in places else Q()
