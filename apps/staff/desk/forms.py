"""What is asked on the desk's pages."""

from datetime import datetime
from typing import Any

from django import forms

from apps.core.periods import instant
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest

WALL_CLOCK = "%Y-%m-%dT%H:%M"


class ListingForm(forms.Form):
    """Which listing, by its number or by a booking of it."""

    listing = forms.CharField(
        max_length=20, label="Listing", help_text="Its number, or the reference of a booking of it."
    )


class RequestForm(forms.Form):
    """What somebody would book; only the fields that the kind knows are there."""

    check_in = forms.DateField(required=False, label="Check-in", widget=forms.DateInput(attrs={"type": "date"}))
    check_out = forms.DateField(required=False, label="Check-out", widget=forms.DateInput(attrs={"type": "date"}))
    guests = forms.IntegerField(required=False, label="Guests", min_value=-1_000, max_value=1_000_000)
    starts_at = forms.DateTimeField(
        required=False, label="From", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL_CLOCK)
    )
    ends_at = forms.DateTimeField(
        required=False, label="Until", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL_CLOCK)
    )
    minutes = forms.IntegerField(required=False, label="Minutes", min_value=-1_000, max_value=1_000_000)
    tickets = forms.IntegerField(required=False, label="Tickets", min_value=-1_000, max_value=100_000_000)
    unit = forms.IntegerField(
        required=False, label="Unit", min_value=1, max_value=1_000, help_text="Empty: all of them."
    )

    def __init__(self, listing: Listing, data: Any = None) -> None:
        super().__init__(data)
        self.listing = listing
        known = kind_of(listing).request_fields
        has_units = kind_of(listing).capacity(listing).stock is None
        for name in list(self.fields):
            if name not in known and not (name == "unit" and has_units):
                del self.fields[name]
        for name in ("starts_at", "ends_at"):
            if name in self.fields:
                self.fields[name].help_text = f"On the clocks of {listing.time_zone}."

    def request(self) -> BookingRequest:
        """The request, with its instants on the listing's wall clock. The form is valid."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "unit"}
        for name in ("starts_at", "ends_at"):
            if said.get(name) is not None:
                said[name] = on_the_wall(said[name], self.listing.time_zone)
        return BookingRequest(**said)


def on_the_wall(typed: datetime, time_zone: str) -> datetime:
    """The instant at which the clocks there show what was typed; what they skip is moved forward."""
    return instant(typed.date(), typed.time(), time_zone)
