"""Whom an act writes to, and how amounts that staff types are read."""

from decimal import Decimal
from typing import Any

from django import forms

from apps.bookings.models import Booking
from apps.bookings.tellers import is_open
from apps.core.errors import Invalid
from apps.core.money import DIGITS, Money
from apps.payments.models import Charge


def money_said(amount: Decimal, currency: str) -> Money:
    """The amount that somebody typed. Raises Invalid at `amount` for parts of the smallest unit."""
    minor = amount.scaleb(DIGITS[currency])
    if minor != minor.to_integral_value():
        raise Invalid(f"{currency} has {DIGITS[currency]} digits after the point.", field="amount")
    return Money(int(minor), currency)


def money_kept(terms: dict[str, Any], name: str = "amount") -> Money:
    """The amount that was put into terms by `terms_of`."""
    minor, currency = terms[name]
    return Money(minor, currency)


def terms_of(amount: Money) -> tuple[int, str]:
    """The amount as JSON."""
    return amount.minor, amount.currency


def card_of(charge: Charge) -> str:
    """ "the card visa 4242", as far as it is known."""
    return f"the card {charge.card_brand} {charge.card_last4}".strip() if charge.card_last4 else "the card that paid"


def seen_address(address: str, viewer: Any) -> str:
    """The address for who may see accounts; for others only that there is one."""
    return address if viewer.has_perm("users.view_user") else "the address that is kept of them"


def guest_mail(booking: Booking, viewer: Any, *, what: str) -> str:
    """Who is mailed `what`, or that nobody is."""
    guest = booking.guest
    address = guest.email if guest is not None and is_open(guest) else booking.email
    if not address:
        return "The guest has left and is told nothing."
    return f"The guest gets a mail ({seen_address(address, viewer)}): {what}."


def host_mail(booking: Booking, viewer: Any, *, what: str) -> str:
    """Who is mailed `what`, or that nobody is."""
    host = booking.listing.host
    if not is_open(host):
        return "Nobody stands behind the host's account: the host is told nothing."
    return f"The host gets a mail ({seen_address(host.email, viewer)}): {what}."


class Reason(forms.Form):
    """Why, for those who are told."""

    reason = forms.CharField(
        required=False,
        max_length=1000,
        label="Reason",
        help_text="Guest and host read it. Leave it empty to give none.",
    )
