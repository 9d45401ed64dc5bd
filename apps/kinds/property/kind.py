"""How a property answers the questions that every kind is asked."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import DateField, DateTimeField, F, Func, Model, OuterRef, Q
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from apps.availability.selectors import unit_is_free
from apps.core.errors import Invalid
from apps.core.money import LARGEST_PRICE, Money, is_currency
from apps.core.periods import Period, instant
from apps.core.reads import DAY, INSTANT, INTEGER, TEXTS
from apps.core.shapes import Places, Put
from apps.core.texts import clean_text
from apps.kinds.property import rules
from apps.kinds.property.models import Property
from apps.listings.inputs import DetailsInput
from apps.listings.kinds import Capacity, Kind
from apps.listings.models import Listing
from apps.listings.offers import HORIZON_DAYS, BookingRequest, Line, Occupancy
from apps.listings.search import ListingSearch

MOST_AMENITIES = 100
LONGEST_STAY = 3650
# No zone's calendar is more than a day away from that of UTC.
ZONE_DAYS = 1


class PropertyKind(Kind):
    code = "PROPERTY"
    about = "A home, booked by nights."
    relation = "property"
    price_unit = "NIGHT"
    request_fields = frozenset({"check_in", "check_out", "guests"})
    change_fields = request_fields
    has_private_address = True
    indexed = frozenset({"amenities"})

    def clean_details(
        self, fields: dict[str, Any], *, existing: Model | None, listing: Listing, now: datetime
    ) -> dict[str, Any]:
        details = DetailsInput(fields, creating=existing is None)
        details.text("property_type", max_length=120, default="")
        details.whole("max_guests", lowest=1, highest=100)
        details.whole("bedrooms", lowest=0, highest=100, default=1)
        details.whole("beds", lowest=0, highest=100, default=1)
        details.take("bathrooms", _clean_bathrooms, default=Decimal(1))
        details.take("amenities", clean_amenities, default=[])
        details.take("check_in_time", _wall_clock, default=time(15))
        details.take("check_out_time", _wall_clock, default=time(11))
        details.whole("min_nights", lowest=1, highest=LONGEST_STAY, default=1)
        details.whole("max_nights", lowest=1, highest=LONGEST_STAY, default=365)
        details.whole("units", lowest=1, highest=500, default=1)
        _clean_fee(details, existing=existing, listing=listing)

        check_in_time = details.now_or("check_in_time", existing)
        check_out_time = details.now_or("check_out_time", existing)
        if check_in_time is not None and check_out_time is not None and check_out_time > check_in_time:
            details.problems.add(
                Invalid("Guests leave before the next ones come: not after the check-in time.", field="check_out_time")
            )
        min_nights, max_nights = details.now_or("min_nights", existing), details.now_or("max_nights", existing)
        if min_nights is not None and max_nights is not None and min_nights > max_nights:
            at = "min_nights" if "max_nights" not in fields else "max_nights"
            details.problems.add(Invalid("The least number of nights is not above the most.", field=at))
        return details.result()

    def save_details(self, listing: Listing, cleaned: dict[str, Any]) -> None:
        listing.property, _ = Property.objects.update_or_create(listing=listing, defaults=cleaned)

    def capacity(self, listing: Listing) -> Capacity:
        return Capacity(units=self.details(listing).units)

    def check_request(self, request: BookingRequest) -> None:
        super().check_request(request)
        rules.check_days(request.check_in, request.check_out, request.guests)

    def occupancy(
        self, listing: Listing, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
    ) -> Occupancy:
        return rules.stay(self._terms(listing), request, now=now, present=present)

    def lines(self, listing: Listing, occupancy: Occupancy, *, price: Money, booked: Sequence[Line] = ()) -> list[Line]:
        assert occupancy.check_in is not None
        assert occupancy.check_out is not None
        fee = self.details(listing).cleaning_fee_minor
        return rules.stay_lines(
            nights=(occupancy.check_out - occupancy.check_in).days,
            price=price,
            cleaning_fee=None if fee is None else Money(fee, listing.currency),
            booked=booked,
        )

    def request_of(self, listing: Listing, occupancy: Occupancy) -> BookingRequest:
        return BookingRequest(check_in=occupancy.check_in, check_out=occupancy.check_out, guests=occupancy.guests)

    def offered(self, listing: Listing, window: Period, *, now: datetime) -> list[Period]:
        end = min(window.end, rules.last_moment(max_nights=self.details(listing).max_nights, now=now))
        return [Period(window.start, end)] if window.start < end else []

    def days(self, listing: Listing, first: date, end: date) -> Period:
        """Days are nights: from check-in on the first to check-out on the day after the last."""
        terms = self._terms(listing)
        return Period(
            instant(first, terms.check_in_time, listing.time_zone),
            instant(end, terms.check_out_time, listing.time_zone),
        )

    def asked(self, search: ListingSearch, *, now: datetime) -> dict[str, Put] | None:
        if search.kinds is not None and self.code not in search.kinds:
            return None
        if search.asks_for("tickets", "starts_after", "starts_before"):
            return None
        asked: dict[str, Put] = {}
        if search.guests is not None:
            asked["guests"] = Put(search.guests, INTEGER)
        if search.amenities:
            asked["amenities"] = Put(list(search.amenities), TEXTS)
        if search.check_in is not None and search.check_out is not None:
            stay = _asked_of_stay(search.check_in, search.check_out, now=now)
            if stay is None:
                return None
            asked |= stay
        if search.free is not None:
            beyond = math.ceil((search.free.end - now) / timedelta(days=1)) - HORIZON_DAYS
            if beyond > 0:
                asked["most_nights"] = Put(beyond, INTEGER)
            asked["start"], asked["end"] = Put(search.free.start, INSTANT), Put(search.free.end, INSTANT)
        if search.free is not None or search.check_in is not None:
            asked["now"] = Put(now, INSTANT)
        return asked

    def search_filter(self, places: Places) -> Q:
        condition = Q()
        if "guests" in places:
            condition &= Q(property__max_guests__gte=places["guests"])
        if "amenities" in places:
            condition &= Q(property__amenities__contains=places["amenities"])
        if "nights" in places:
            condition &= Q(property__min_nights__lte=places["nights"], property__max_nights__gte=places["nights"])
        if "latest_day" in places:
            condition &= Q(LessThanOrEqual(_today(places["now"]), places["latest_day"]))
        if "earliest_day" in places:
            condition &= Q(GreaterThanOrEqual(_today(places["now"]), places["earliest_day"]))
        if "most_nights" in places:
            condition &= Q(property__max_nights__gte=places["most_nights"])
        return condition

    def free_filter(self, places: Places) -> Q:
        condition = Q()
        if "check_in" in places:
            start = _local_instant(places["check_in"], "property__check_in_time")
            end = _local_instant(places["check_out"], "property__check_out_time")
            condition &= Q(unit_is_free(start, end, now=places["now"]))
        if "start" in places:
            condition &= Q(unit_is_free(places["start"], places["end"], now=places["now"]))
        return condition

    def _terms(self, listing: Listing) -> rules.StayTerms:
        row: Property = self.details(listing)
        return rules.StayTerms(
            time_zone=listing.time_zone,
            check_in_time=row.check_in_time,
            check_out_time=row.check_out_time,
            min_nights=row.min_nights,
            max_nights=row.max_nights,
            max_guests=row.max_guests,
        )


def clean_amenities(values: Sequence[str | None]) -> list[str]:
    """Trimmed, each once, in the given order. Raises Required or Invalid at the first wrong one."""
    if len(values) > MOST_AMENITIES:
        raise Invalid(f"At most {MOST_AMENITIES} amenities are allowed.", field="amenities")
    cleaned = [
        clean_text(value, field=("amenities", str(index)), max_length=120, required=True)
        for index, value in enumerate(values)
    ]
    return list(dict.fromkeys(cleaned))


def _clean_bathrooms(value: Decimal) -> Decimal:
    if not value.is_finite() or not 0 <= value <= 100 or value != round(value, 1):
        raise Invalid("Bathrooms are from 0 to 100, with at most one decimal.", field="bathrooms")
    return round(value, 1)


def _wall_clock(value: time) -> time:
    return value.replace(tzinfo=None, fold=0)


def _clean_fee(details: DetailsInput, *, existing: Model | None, listing: Listing) -> None:
    def clean(fee: Money) -> Money:
        if not 0 <= fee.minor <= LARGEST_PRICE:
            raise Invalid(f"This must be from 0 to {LARGEST_PRICE}.", field=("cleaning_fee", "amount_minor"))
        # Where the price itself is wrong there is nothing to compare with.
        allowed = fee.currency == listing.currency if is_currency(listing.currency) else is_currency(fee.currency)
        if not allowed:
            raise Invalid("The cleaning fee is in the currency of the price.", field=("cleaning_fee", "currency"))
        return fee

    details.take("cleaning_fee", clean, default=None, null_clears=True)
    if "cleaning_fee" in details.cleaned:
        fee: Money | None = details.cleaned.pop("cleaning_fee")
        details.cleaned["cleaning_fee_minor"] = None if fee is None else fee.minor
    elif (
        "cleaning_fee" not in details.fields
        and isinstance(existing, Property)
        and existing.cleaning_fee_minor is not None
        and existing.listing.currency != listing.currency
    ):
        details.problems.add(
            Invalid(
                "The price's currency changes: give the cleaning fee in it too.", field=("cleaning_fee", "currency")
            )
        )


def _asked_of_stay(check_in: date, check_out: date, *, now: datetime) -> dict[str, Put] | None:
    """What makes `rules.stay` accept these days, and for which of them a unit is free; None where it never does."""
    nights = (check_out - check_in).days
    first_day = now.astimezone(UTC).date()
    ahead = (check_in - first_day).days
    if nights < 1 or not -ZONE_DAYS <= ahead <= HORIZON_DAYS + ZONE_DAYS:
        return None
    asked = {"nights": Put(nights, INTEGER), "check_in": Put(check_in, DAY), "check_out": Put(check_out, DAY)}
    # The zones' own calendars matter only near both ends.
    if ahead <= ZONE_DAYS:
        asked["latest_day"] = Put(check_in, DAY)
    if ahead >= HORIZON_DAYS - ZONE_DAYS:
        asked["earliest_day"] = Put(check_in - timedelta(days=HORIZON_DAYS), DAY)
    return asked


def _today(now: Combinable) -> Func:
    """Which day it is where the listing is."""
    return Func(
        Func(F("time_zone"), now, function="timezone", output_field=DateTimeField()),
        template="(%(expressions)s)::date",
        output_field=DateField(),
    )


def _local_instant(day: Combinable, clock: str) -> Func:
    """The instant of the day at the wall-clock time in that column, two subqueries below the listing."""
    wall = Func(
        day,
        OuterRef(OuterRef(clock)),
        template="(%(expressions)s)",
        arg_joiner=" + ",
        output_field=DateTimeField(),
    )
    return Func(wall, OuterRef(OuterRef("time_zone")), function="local_instant", output_field=DateTimeField())
