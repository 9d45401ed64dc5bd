"""Taking a person out of what was written: their own words, letters to them, and what others were told of them by name."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import F, Func, Value

from apps.bookings.models import Booking, BookingEvent
from apps.bookings.states import Actor
from apps.core.db import require_transaction
from apps.notifications.models import Letter, Notification
from apps.payments.models import Refund
from apps.reviews.actions import RECEIVED, received_key, said_by
from apps.reviews.models import Review
from apps.users.models import User

NOBODY = "A guest"
# Who wrote a review, as its host was told.
SAID_BY = "^" + said_by("[^\n]*")
# What stands for the words of somebody who has left.
NO_REASON = "The booking was canceled."


def forget_words(user: User, booked: list[Booking]) -> None:
    """Take the account's owner, who booked these, out of what was written. A step; reviews stay, they are about the listing."""
    require_transaction()
    if user.email:
        to_them = Letter.objects.filter(to=user.email)
        to_them.filter(next_try_at__isnull=False).delete()
        to_them.update(to="", data={})
    reasons = _reasons([booking.pk for booking in booked])
    for booking in booked:
        _forget_in_what_was_told(booking, reason=reasons.get(booking.pk, ""))
    reviews = Review.objects.filter(author=user).values_list("pk", flat=True)
    told_of = Notification.objects.filter(key__in=[received_key(pk) for pk in reviews])
    told_of.update(body=Func(F("body"), Value(SAID_BY), Value(said_by("")), function="regexp_replace"))
    for letter in Letter.objects.filter(key__in=[f"{received_key(pk)}:{RECEIVED}" for pk in reviews]).exclude(data={}):
        letter.data["paragraphs"][0] = said_by("")
        letter.save(update_fields=["data"])


def _reasons(bookings: list[int]) -> dict[int, str]:
    """Why the guest canceled, in their own words, by booking. They are gone from the history after that, and from the refunds."""
    found = {}
    events = BookingEvent.objects.filter(booking__in=bookings, actor=Actor.GUEST, data__has_key="reason")
    for event in events.select_related("booking"):
        reason = str(event.data.pop("reason"))
        found[event.booking_id] = reason
        BookingEvent.objects.filter(pk=event.pk).update(data=event.data)
        Refund.objects.filter(charge__bill=event.booking.bill_id, reason=reason).update(reason=NO_REASON)
    return found


def _forget_in_what_was_told(booking: Booking, *, reason: str) -> None:
    name = f"{booking.first_name} {booking.last_name}".strip()
    if not name and not reason:
        return
    # The name as a word of its own: there are people whose name is part of half the dictionary.
    named = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") if name else None

    def without(text: str) -> str:
        if reason:
            text = text.removesuffix(reason).rstrip() if text.endswith(f"\n\n{reason}") else text
        return named.sub(NOBODY, text) if named else text

    for told in Notification.objects.filter(booking=booking):
        title, body = without(told.title), without(told.body)
        if (title, body) != (told.title, told.body):
            Notification.objects.filter(pk=told.pk).update(title=title, body=body)
    for letter in Letter.objects.filter(booking=booking):
        data = _changed(letter.data, without)
        if data != letter.data:
            Letter.objects.filter(pk=letter.pk).update(data=data)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """The JSON value with every text in it changed; names of members stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    if isinstance(value, dict):
        return {name: _changed(each, change) for name, each in value.items()}
    return value
