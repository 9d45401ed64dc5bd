"""A booking = a customer + a place in the calendar (`Allocation`) + a debt (`Bill`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from apps.availability.models import Allocation
from apps.bookings.announcing import announce_event
from apps.bookings.states import LIVE, Actor, BookingEventType, BookingStatus, may_follow
from apps.bookings.telling import tell_people
from apps.core.errors import WrongState
from apps.core.ids import derivations, derive, is_derived, new_reference, same_secret
from apps.core.metrics import BOOKING_EVENTS, count_on_commit
from apps.core.money import Money
from apps.core.periods import Period
from apps.listings.models import CancellationPolicy, Listing
from apps.live.actions import publish
from apps.payments.models import Bill


def choices(names: type[BookingStatus] | type[BookingEventType] | type[Actor]) -> list[tuple[str, str]]:
    return [(name.value, name.value.replace("_", " ").capitalize()) for name in names]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written with a booking that was just made and has nothing else yet: nobody needs to read it back."""

    lines: list["BookingLine"]
    history: list["BookingEvent"]


class Booking(models.Model):
    """Prices, terms and the zone are those of the moment it was booked. `status` is written by `move_to` alone."""

    reference = models.CharField(max_length=10, default=new_reference, unique=True)
    status = models.CharField(max_length=10, choices=choices(BookingStatus), default=BookingStatus.PENDING)
    # Where an index below begins with the column, one of the column alone would only be one more to write.
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="bookings", db_index=False)
    guest = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="bookings",
        db_index=False,
    )
    # Booked without an account: opened by the booking's secret token instead of a sign-in.
    is_anonymous = models.BooleanField(default=False)
    email = models.EmailField(max_length=254, blank=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="bookings")
    bill = models.OneToOneField(Bill, on_delete=models.PROTECT, related_name="booking")
    period = DateTimeRangeField()
    check_in = models.DateField(null=True, blank=True)
    check_out = models.DateField(null=True, blank=True)
    tickets = models.PositiveIntegerField(null=True, blank=True)
    guests = models.PositiveIntegerField(null=True, blank=True)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cancellation_policy = models.CharField(max_length=20, choices=CancellationPolicy.choices)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    checked_in_at = models.DateTimeField(null=True, blank=True)
    checked_out_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)

    # Not stored: set by the action that has just made the booking.
    written: Written | None = None

    class Meta:
        permissions = [
            ("cancel_booking", "Can cancel bookings and give money back for it"),
            ("refund_booking", "Can give money back for bookings that stand"),
            ("retry_charge", "Can charge the saved card of a debt again"),
        ]
        constraints = [
            models.UniqueConstraint(Upper("reference"), name="booking_reference_once_in_any_case"),
            models.CheckConstraint(
                condition=Q(status="PENDING", expires_at__isnull=False) | (~Q(status="PENDING") & Q(expires_at=None)),
                name="booking_expires_while_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["guest", "-created_at", "-id"], name="booking_of_guest"),
            models.Index(fields=["listing", "-created_at", "-id"], name="booking_of_listing"),
            models.Index(fields=["expires_at"], condition=Q(status="PENDING"), name="booking_expiry"),
            models.Index(fields=["-created_at", "-id"], name="booking_newest"),
            models.Index(
                models.Func("period", function="lower"), condition=Q(status="CONFIRMED"), name="booking_start"
            ),
            models.Index(
                models.Func("period", function="upper"),
                condition=Q(status__in=["CONFIRMED", "CHECKED_IN"]),
                name="booking_end",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def span(self) -> Period:
        """When it is used, in UTC."""
        return Period(self.period.lower, self.period.upper)

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def has_run_out(self, *, now: datetime) -> bool:
        """Whether the hold has ended by itself, be it that the sweep has not come by yet."""
        if self.status != BookingStatus.PENDING:
            return self.status == BookingStatus.EXPIRED
        held_until = self.allocation.held_until
        return held_until is not None and held_until <= now

    @property
    def access_token(self) -> str | None:
        """The secret that opens a booking made without an account; derived, never stored. None with an account."""
        return derive("booking", *self._named) if self.is_anonymous else None

    def is_opened_by(self, access_token: str) -> bool:
        """Whether that is its secret, or was under a key before."""
        return self.is_anonymous and is_derived(access_token, "booking", *self._named)

    @property
    def ticket_code(self) -> str | None:
        """What the door scans: the reference and a signature that nobody can make. None unless it admits somebody."""
        return self._ticket(derive("ticket", *self._named)) if self._admits else None

    def is_admitted_by(self, ticket_code: str) -> bool:
        """Whether that is what its door scans, or was under a key before."""
        made = [self._ticket(each) for each in derivations("ticket", *self._named)]
        return self._admits and any(same_secret(each, ticket_code) for each in made)

    @property
    def _admits(self) -> bool:
        return not (self.tickets is None or self.confirmed_at is None or self.status == BookingStatus.CANCELED)

    @property
    def _named(self) -> tuple[object, ...]:
        return self.pk, self.reference, self.created_at.isoformat()

    def _ticket(self, signature: str) -> str:
        return f"{self.reference}-{signature[:16].upper()}"

    def move_to(
        self, status: BookingStatus, *, now: datetime, actor: Actor, event: BookingEventType | None = None, **data: Any
    ) -> None:
        """The only writer of `status`: compare-and-swap against the database, with the event row beside it.

        `data` goes into the history and is seen by guest and host. Raises WrongState when the table forbids the move
        or somebody else moved first.
        """
        present = self.status
        if not may_follow(present, status):
            raise WrongState(f"A booking that is {present} cannot become {status}.", field="booking_id")
        stamp = {
            BookingStatus.CONFIRMED: "confirmed_at",
            BookingStatus.CHECKED_IN: "checked_in_at",
            BookingStatus.COMPLETED: "completed_at",
            BookingStatus.CANCELED: "canceled_at",
        }.get(status)
        changes: dict[str, Any] = {"status": status, "expires_at": None, "updated_at": now}
        if stamp:
            changes[stamp] = now
        if not Booking.objects.filter(pk=self.pk, status=present).update(**changes):
            raise WrongState("The booking has changed meanwhile.", field="booking_id")
        for name, value in changes.items():
            setattr(self, name, value)
        self.record(event or BookingEventType(status), now=now, actor=actor, **data)

    def record(self, event: BookingEventType, *, now: datetime, actor: Actor, **data: Any) -> None:
        """Append to the history, and tell those whom it concerns: people, integrators, listeners."""
        row = BookingEvent.objects.create(booking=self, at=now, type=event, actor=actor, data=data)
        tell_people(self, row)
        announce_event(self, row)
        count_on_commit(BOOKING_EVENTS, self.listing.kind, str(event))
        self.tell_listeners()

    def tell_listeners(self) -> None:
        """Tell those who follow the booking that something of it changed, once the transaction commits."""
        publish(topic=f"booking:{self.pk}")


class BookingLine(models.Model):
    """One line of the price, as booked. The lines of a booking always sum to its bill's total."""

    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    label = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=14, decimal_places=4)
    unit_amount_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["booking", "position"], name="booking_line_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def unit_amount(self) -> Money:
        return Money(self.unit_amount_minor, self.currency)

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class BookingEvent(models.Model):
    """Who did what, when. Append-only."""

    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="history", db_index=False)
    at = models.DateTimeField()
    type = models.CharField(max_length=20, choices=choices(BookingEventType))
    actor = models.CharField(max_length=10, choices=choices(Actor))
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["booking", "at", "id"], name="booking_event_story")]

    def __str__(self) -> str:
        return f"{self.type} of booking {self.booking_id}"
