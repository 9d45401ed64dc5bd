"""The recipients of notifications, the two sides of a booking: how each is told, with what it may know of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.bookings.states import OPENS_ADDRESS
from apps.listings.kinds import kind_of
from apps.notifications.actions import tell, write_letter
from apps.notifications.letters import Entry, Words
from apps.notifications.models import NotificationType
from apps.notifications.wording import one_line, span

if TYPE_CHECKING:
    from apps.bookings.models import Booking
    from apps.users.models import User


class Teller:
    """Says things of one fact to the two sides of a booking."""

    def __init__(self, booking: Booking, *, key: str, data: Mapping[str, Any], now: datetime) -> None:
        self.booking = booking
        self.listing = booking.listing
        self.key = key
        self.data = data
        self.now = now

    def guest(
        self,
        type: NotificationType | None,  # noqa: A002 - as the contract names it
        title: str,
        body: str,
        *,
        template: str,
        more: tuple[str, ...] = (),
        by_mail: bool = True,
        entry: Entry | None = None,
    ) -> None:
        """Tell who booked: in their account if they have one, and by mail."""
        person = self.guest_account
        if type is not None and person is not None:
            self._note(person, type, title, body)
        if by_mail:
            words = self.words_to_guest(title, body, more=more, entry=entry)
            self._mail(self.guest_address, words, type=type, reader=person, template=template)

    def words_to_guest(self, title: str, body: str, *, more: tuple[str, ...] = (), entry: Entry | None = None) -> Words:
        """A mail to who booked, in words."""
        person = self.guest_account
        return Words(
            subject=title,
            # An address that nobody proved may be anybody's.
            name="" if person is None or person.email_verified_at is None else self.booking.first_name,
            paragraphs=[body, *more],
            details=self.details(for_guest=True),
            link_label="Your booking",
            link_path=f"/bookings/{self.booking.reference}",
            secret_of=self._secret(),
            entry=entry,
        )

    def host(self, type: NotificationType, title: str, body: str, *, template: str) -> None:  # noqa: A002
        """Tell whose listing it is, in their account and by mail."""
        host = self.listing.host
        if not is_open(host):
            return
        self._note(host, type, title, body)
        words = Words(
            subject=title,
            name=host.first_name,
            paragraphs=[body],
            details=self.details(for_guest=False),
            link_label="The booking",
            link_path=f"/bookings/{self.booking.reference}",
        )
        self._mail(host.email, words, type=type, reader=host, template=template)

    def _mail(
        self,
        to: str,
        words: Words,
        *,
        type: NotificationType | None,  # noqa: A002
        reader: User | None,
        template: str,
        key: str = "",
    ) -> None:
        write_letter(
            to=to,
            template=template,
            words=words,
            key=key or self.key,
            type=type,
            reader_id=None if reader is None else reader.pk,
            booking_id=self.booking.pk,
            now=self.now,
        )

    def _note(self, person: User, type: NotificationType, title: str, body: str) -> None:  # noqa: A002
        tell(
            recipient_ids=[person.pk],
            type=type,
            title=title,
            body=body,
            key=self.key,
            booking_id=self.booking.pk,
            now=self.now,
        )

    def _secret(self) -> list[str] | None:
        """What the secret in the link is derived from; nobody with an account needs one."""
        booking = self.booking
        return (
            ["booking", str(booking.pk), booking.reference, booking.created_at.isoformat()]
            if booking.is_anonymous
            else None
        )

    def details(self, *, for_guest: bool) -> list[tuple[str, str]]:
        booking = self.booking
        details = [("Reference", booking.reference), ("What", self.title), ("When", self.when)]
        if for_guest and (place := self.place):
            details.append(("Where", place))
        if not for_guest:
            details.append(("Guest", self.guest_name or "without a name"))
        if booking.tickets is not None:
            details.append(("Tickets", str(booking.tickets)))
        if booking.guests is not None:
            details.append(("Guests", str(booking.guests)))
        return details

    @property
    def guest_account(self) -> User | None:
        """Who booked, if they have an account that is open."""
        guest = self.booking.guest
        return guest if guest is not None and is_open(guest) else None

    @property
    def guest_address(self) -> str:
        """Where who booked is mailed: an account may have another address by now than when it booked."""
        person = self.guest_account
        return self.booking.email if person is None else person.email

    @property
    def title(self) -> str:
        """What was booked."""
        return one_line(self.listing.title)

    @property
    def guest_name(self) -> str:
        """Who booked, as they call themselves; "" where they do not say."""
        return one_line(f"{self.booking.first_name} {self.booking.last_name}")

    @property
    def when(self) -> str:
        """The period on the listing's wall."""
        return span(self.booking.span, self.listing.time_zone)

    @property
    def place(self) -> str:
        """Where it is, as far as the guest may know it in the booking's present state."""
        listing = self.listing
        is_open = self.booking.status in OPENS_ADDRESS or not kind_of(listing).has_private_address
        parts = (listing.address if is_open else "", listing.city, listing.country)
        return one_line(", ".join(part for part in parts if part))


def is_open(person: User) -> bool:
    """Whether somebody is behind the account: it was not closed, and it did not come with imported data."""
    return person.is_active and person.deleted_at is None and bool(person.email)
