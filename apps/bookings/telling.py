"""Notifications of a booking: the one place that turns a row of its history into what people are told, on the site and by mail.

`Booking.record` calls it in the transaction of the fact, so a fact that was rolled back is told to nobody, and one that
was committed to everybody, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from apps.bookings.states import OPENS_ADDRESS, Actor, BookingEventType, BookingStatus
from apps.bookings.tellers import Teller, is_open
from apps.core.money import Money
from apps.listings.kinds import kind_of
from apps.notifications.actions import letter_to, tell, write_letter
from apps.notifications.letters import Entry, Words
from apps.notifications.models import Letter, NotificationType
from apps.notifications.wording import amount, moment, one_line
from apps.payments.models import PaymentTiming
from apps.payments.stripe_amounts import ODD_AMOUNT, UNKNOWN_CURRENCY

if TYPE_CHECKING:
    from apps.bookings.models import Booking, BookingEvent

# By whom something was done, as the others are told.
BY = {
    Actor.GUEST: "by the guest",
    Actor.HOST: "by the host",
    Actor.STAFF: "by our staff",
    Actor.SYSTEM: "automatically",
}
# The letter of a hold.
HELD = "held"
# Moved by more than this, a guest may cancel and gets everything back.
FAR = timedelta(days=1)


def tell_people(booking: Booking, event: BookingEvent) -> None:
    """Tell guest and host of what has just been written into the history. Most of it is nobody's news.

    The letter of the hold is written with the hold itself: see `letter_of_hold`.
    """
    match event.type:
        case BookingEventType.CONFIRMED:
            _Story(booking, event).confirmed()
        case BookingEventType.CHANGED:
            _Story(booking, event).changed()
        case BookingEventType.CANCELED:
            _Story(booking, event).canceled()
        case BookingEventType.COMPLETED:
            _Story(booking, event).completed()
        case BookingEventType.PAYMENT_SUCCEEDED:
            _Story(booking, event).paid()
        case BookingEventType.PAYMENT_FAILED:
            _Story(booking, event).refused()
        case BookingEventType.REFUNDED:
            _Story(booking, event).refunded()
        case _:
            pass


def letter_of_hold(booking: Booking, event: BookingEvent) -> Letter | None:
    """What the guest is mailed of a hold, not yet written down; None where there is nothing to pay or nobody to mail.

    Somebody waits for a hold, so it is put into words when it leaves: see `words_of_hold`.
    """
    teller = Teller(booking, key=f"event:{event.pk}", data={}, now=event.at)
    to, person = teller.guest_address, teller.guest_account
    if booking.expires_at is None or booking.bill.total_minor == 0 or not to:
        return None
    data = {"facts": {"until": booking.expires_at.isoformat()}, "reader": None if person is None else person.pk}
    return letter_to(to=to, template=HELD, data=data, key=teller.key, booking_id=booking.pk, now=teller.now)


def words_of_hold(letter: Letter) -> dict[str, Any]:
    """The data of such a letter with its words: how long it is kept as it was, and what was booked as it is by now.

    Raises ValueError where the booking is gone.
    """
    booking = letter.booking
    if booking is None:
        raise ValueError(f"the booking of letter {letter.pk} is gone")
    teller = Teller(booking, key="", data={}, now=letter.created_at)
    person, until = teller.guest_account, datetime.fromisoformat(letter.data["facts"]["until"])
    step = "Leave a card" if booking.bill.timing == PaymentTiming.AT_END else "Pay"
    body = f"We keep it for you until {moment(until, booking.listing.time_zone)}. {step} until then and it is yours."
    words = teller.words_to_guest(f"Held for you: {teller.title}", body, more=(price_of(booking),))
    return {**words.kept(), "reader": None if person is None else person.pk}


def tell_of_move(moved: Sequence[tuple[Booking, BookingEvent]]) -> None:
    """Tell each guest that the host moved what they booked, and the host once of all that moved along."""
    for booking, event in moved:
        _Story(booking, event).changed(to_host=False)
    if moved:
        _Story(*moved[0]).moved(len(moved))


def remind(booking: Booking, *, is_fresh: bool, now: datetime) -> None:
    """Remind the guest of what is about to begin or, where they choose when to leave, about to end.

    What is fresh in their mind, since they were mailed of it within the same span, they are reminded of in their account
    alone.
    """
    leaves = kind_of(booking.listing).ends_early
    due = booking.span.end if leaves else booking.span.start
    title = f"{'Your time ends soon' if leaves else 'It begins soon'}: {one_line(booking.listing.title)}"
    body = f"It {'ends' if leaves else 'begins'} on {moment(due, booking.listing.time_zone)}."
    Teller(booking, key=f"reminder:{booking.pk}:{due.isoformat()}", data={}, now=now).guest(
        NotificationType.BOOKING_REMINDER, title, body, template="reminder", by_mail=not is_fresh
    )


def price_of(booking: Booking) -> str:
    """What it costs, in a sentence."""
    bill = booking.bill
    if bill.timing == PaymentTiming.AT_END:
        return "You pay when you leave, for the time that you used."
    return f"The price is {amount(bill.total)}."


def details_for_guest(booking: Booking) -> list[tuple[str, str]]:
    """What a guest is told of their booking in every mail, as label and value."""
    return Teller(booking, key="", data={}, now=booking.updated_at).details(for_guest=True)


class _Story(Teller):
    """What each fact of a booking's history is told as."""

    def __init__(self, booking: Booking, event: BookingEvent) -> None:
        self.event = event
        super().__init__(booking, key=f"event:{event.pk}", data=event.data, now=event.at)
        self.actor = Actor(event.actor)

    def confirmed(self) -> None:
        title = f"Confirmed: {self.title}"
        self.guest(
            NotificationType.BOOKING_CONFIRMED,
            title,
            f"Your booking {self.booking.reference} is confirmed: {self.when}.",
            template="confirmed",
            more=(price_of(self.booking),),
            entry=self._entry(),
        )
        body = f"{self.guest_name or 'Somebody'} has booked {self.when}."
        self.host(NotificationType.BOOKING_CONFIRMED, f"Booked: {self.title}", body, template="host_confirmed")

    def changed(self, *, to_host: bool = True) -> None:
        title = f"Changed: {self.title}"
        body = f"Booking {self.booking.reference} was changed {BY[self.actor]}. It is now {self.when}."
        total = self.data.get("totalMinor")
        more = () if total is None else (f"The new price is {self._amount(total)}.",)
        before = self.data.get("previousStartsAt")
        if before is not None and abs(self.booking.span.start - datetime.fromisoformat(before)) > FAR:
            more = ("It was moved by more than a day: if that does not suit you, cancel and get everything back.",)
        is_firm = self.booking.status != BookingStatus.PENDING
        entry = self._entry() if is_firm else None
        self.guest(NotificationType.BOOKING_CHANGED, title, body, template="changed", more=more, entry=entry)
        if to_host:
            self.host(NotificationType.BOOKING_CHANGED, title, body, template="host_changed")

    def moved(self, count: int) -> None:
        """To the host, once for all that moved."""
        bookings = "1 booking" if count == 1 else f"{count:,} bookings"
        body = f"It now takes place {self.when}. {bookings} moved along; the guests were told."
        listing = self.listing
        if not is_open(listing.host):
            return
        title = f"Moved: {self.title}"
        tell(
            recipient_ids=[listing.host_id],
            type=NotificationType.BOOKING_CHANGED,
            title=title,
            body=body,
            key=self.key,
            now=self.now,
        )
        words = Words(subject=title, name=listing.host.first_name, paragraphs=[body])
        write_letter(
            to=listing.host.email,
            template="host_moved",
            words=words,
            key=self.key,
            type=NotificationType.BOOKING_CHANGED,
            reader_id=listing.host_id,
            now=self.now,
        )

    def canceled(self) -> None:
        title = f"Canceled: {self.title}"
        news = f"Booking {self.booking.reference} ({self.when}) was canceled {BY[self.actor]}."
        reason = self.data.get("reason")
        body = f"{news}\n\n{reason}" if reason else news
        more: tuple[str, ...] = ()
        if self.booking.bill.paid.minor > 0:
            back = self.data.get("refundMinor")
            more = (
                (f"{self._amount(back)} goes back{self._card()}.",)
                if back
                else ("By the terms of your booking nothing of what you paid goes back.",)
            )
        entry = self._entry() if self.booking.confirmed_at is not None else None
        # Nobody is mailed their own words: the address may be anybody's.
        is_own = self.actor == Actor.GUEST and self.booking.is_anonymous
        to_guest = news if is_own else body
        self.guest(NotificationType.BOOKING_CANCELED, title, to_guest, template="canceled", more=more, entry=entry)
        self.host(NotificationType.BOOKING_CANCELED, title, body, template="host_canceled")

    def completed(self) -> None:
        booking = self.booking
        is_charged_now = booking.bill.timing == PaymentTiming.AT_END
        title = f"Over: {self.title}"
        body = f"Booking {booking.reference} is over."
        if is_charged_now:
            body = f"{self.when}: {amount(booking.bill.total)}."
        # What is charged at its end is written to when the charge has gone through; what costs nothing, now.
        is_free = is_charged_now and not booking.bill.total_minor
        self.guest(NotificationType.BOOKING_ENDED, title, body, template="ended", by_mail=is_free)
        self._invite()

    def _invite(self) -> None:
        """Ask for a review, once for each account and listing: whoever came again has been asked."""
        guest = self.booking.guest
        if guest is None or not is_open(guest):
            return
        title = f"How was it? {self.title}"
        words = Words(
            subject=title,
            name=self.booking.first_name,
            paragraphs=[
                f"Booking {self.booking.reference} is over. We would be glad to read your review: a few words help whoever "
                "comes next."
            ],
            details=[("What", self.title), ("When", self.when)],
            link_label="Write a review",
            link_path=f"/bookings/{self.booking.reference}",
        )
        self._mail(
            guest.email,
            words,
            type=NotificationType.BOOKING_ENDED,
            reader=guest,
            template="review_invitation",
            key=f"invitation:{self.listing.pk}:{guest.pk}",
        )

    def paid(self) -> None:
        minor = self.data.get("amountMinor")
        # A payment that confirms the booking is told of by that; a saved card is no payment yet.
        if minor is None or self.booking.status not in OPENS_ADDRESS:
            return
        body = f"{self._amount(minor)} was charged{self._card()}."
        self.guest(None, f"Paid: {self.title}", body, template="paid")

    def refused(self) -> None:
        # One that was called off by itself is nobody's news.
        if not self.data.get("code"):
            return
        body = f"A payment for booking {self.booking.reference} did not go through ({self.data['code']})."
        title = f"Payment failed: {self.title}"
        self.guest(NotificationType.PAYMENT_FAILED, title, f"{body} {self._way_out()}", template="payment_failed")

    def _way_out(self) -> str:
        """What the guest can do about a payment that failed."""
        booking = self.booking
        if booking.status in (BookingStatus.CANCELED, BookingStatus.EXPIRED):
            return "The booking had ended by then: there is nothing for you to pay."
        if self.data["code"] in (UNKNOWN_CURRENCY, ODD_AMOUNT):
            return "No card can be charged with this amount in this currency: please ask your host."
        if booking.status == BookingStatus.PENDING and booking.expires_at is not None:
            return f"Pay with another card until {moment(booking.expires_at, self.listing.time_zone)}, or the booking ends."
        return "Please pay with another card."

    def refunded(self) -> None:
        minor = self.data.get("amountMinor")
        if minor is None:
            return
        body = f"{self._amount(minor)} for booking {self.booking.reference} goes back{self._card()}."
        title = f"Refund: {self.title}"
        self.guest(NotificationType.PAYMENT_REFUNDED, title, body, template="refunded")

    def _amount(self, minor: int) -> str:
        return amount(Money(int(minor), self.data.get("currency") or self.booking.currency))

    def _card(self) -> str:
        """ " to your card ending in 4242", or nothing where no card is known."""
        charge = self.booking.bill.charges.exclude(card_last4="").order_by("-pk").first()
        return "" if charge is None else f" to your card ending in {charge.card_last4}"

    def _entry(self) -> Entry:
        booking = self.booking
        return Entry(
            uid=booking.reference,
            # Grows with everything that happens to the booking, also within one second.
            sequence=booking.history.filter(pk__lt=self.event.pk).count(),
            starts_at=booking.span.start,
            ends_at=booking.span.end,
            summary=f"{self.title} ({booking.reference})",
            location=self.place,
            is_canceled=booking.status == BookingStatus.CANCELED,
        )
