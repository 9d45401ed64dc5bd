"""The story of a booking: everything that is known of it, in one order of time, with as many statements for a long one as
for a short one.

What is shown depends on whom it is shown to: of each table its rows are there for who may see that table, and who booked for
who may see accounts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Model, Q

from apps.audit.models import AuditEvent
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.states import BookingEventType
from apps.core.models import OutboxMessage
from apps.core.money import Money
from apps.integrations.models import WebhookDelivery
from apps.integrations.models import WebhookEvent as OutgoingEvent
from apps.listings.kinds import relations
from apps.notifications.models import Letter, Notification
from apps.payments.models import CAPTURED_STATUSES, Charge, ChargeStatus, Dispute, Refund, WebhookEvent
from apps.reviews.models import Review
from apps.users.models import User

# Of each table not more rows than these are told; a booking has a dozen of each at most.
MOST = 200
NOT_SHOWN = "not shown to your role"
ACTORS = {"GUEST": "the guest", "HOST": "the host", "STAFF": "our staff", "SYSTEM": "by itself"}
BAD = {ChargeStatus.FAILED, BookingEventType.PAYMENT_FAILED, "EXPIRED", "CANCELED", "NO_SHOW"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `source` is the sort of row that says so, `row` that row; `who` or what caused it."""

    at: datetime
    source: str
    what: str
    who: str = ""
    details: str = ""
    row: Model | None = None
    tone: str = ""
    # Of what happened at one instant: what brought about comes before what came of it.
    order: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """`moments` are oldest first. The other parts are the same rows as tables; those that may not be seen are empty."""

    booking: Booking
    moments: list[Moment]
    place: list[tuple[str, str]]
    person: list[tuple[str, str]]
    lines: list[BookingLine]
    charges: list[Charge]
    refunds: list[Refund]
    disputes: list[Dispute]
    letters: list[Letter]
    deliveries: list[WebhookDelivery]
    reviews: list[Review]
    hidden: list[str] = field(default_factory=list)

    @property
    def sums(self) -> list[tuple[str, Money]]:
        bill = self.booking.bill
        captured = Money(bill.captured_minor, bill.currency)
        went_back = Money(bill.refunded_minor, bill.currency)
        return [("Total", bill.total), ("Paid", captured), ("Gone back", went_back), ("Still owed", bill.owed)]


def booking_of_story(pk: int) -> Booking | None:
    """The booking with what its story begins with."""
    related = ("listing__host", "guest", "bill", "allocation__unit", *(f"listing__{name}" for name in relations()))
    return Booking.objects.select_related(*related).filter(pk=pk).first()


def story_of(booking: Booking, *, viewer: Any) -> Story:
    """All of it, as far as `viewer` may see it."""
    teller = _Teller(booking, viewer)
    lines = list(BookingLine.objects.filter(booking=booking).order_by("position"))
    history = list(BookingEvent.objects.filter(booking=booking).order_by("at", "pk"))
    charges = teller.rows(Charge, Charge.objects.filter(bill=booking.bill_id).order_by("pk"))
    refunds = teller.rows(
        Refund, Refund.objects.select_related("charge").filter(charge__bill=booking.bill_id).order_by("pk")
    )
    disputes = teller.rows(
        Dispute, Dispute.objects.select_related("charge").filter(charge__bill=booking.bill_id).order_by("pk")
    )
    intents = [name for charge in charges for name in (charge.intent_id, charge.setup_intent_id) if name]
    subjects = [*intents, *(row.processor_id for row in (*refunds, *disputes) if row.processor_id)]
    heard = Q(object_id__in=subjects) | Q(intent_id__in=intents)
    events = teller.rows(WebhookEvent, WebhookEvent.objects.filter(heard).order_by("pk"))
    letters = teller.rows(Letter, Letter.objects.filter(booking=booking).order_by("pk"))
    notes = teller.rows(Notification, Notification.objects.filter(booking=booking).order_by("pk"))
    reviews = teller.rows(
        Review, Review.objects.filter(listing=booking.listing_id, author=booking.guest_id or 0).order_by("pk")
    )
    topics = [f"booking:{booking.pk}", *(f"review:{review.pk}" for review in reviews)]
    told = teller.rows(OutgoingEvent, OutgoingEvent.objects.filter(topic__in=topics).order_by("pk"))
    deliveries = teller.rows(
        WebhookDelivery,
        WebhookDelivery.objects.select_related("endpoint", "event").filter(event__in=told).order_by("pk"),
    )
    letter_subjects = [f"letter:{letter.pk}" for letter in letters]
    audit = teller.rows(AuditEvent, AuditEvent.objects.filter(subject__in=[*topics, *letter_subjects]).order_by("pk"))
    waiting = _jobs(charges, refunds, events)
    staff = teller.staff(audit)

    moments = [
        *map(teller.of_history, history),
        *(moment for charge in charges for moment in teller.of_charge(charge)),
        *map(teller.of_refund, refunds),
        *map(teller.of_dispute, disputes),
        *(moment for event in events for moment in teller.of_event(event)),
        *map(teller.of_letter, letters),
        *map(teller.of_note, notes),
        *map(teller.of_outgoing, told),
        *(teller.of_audit(row, staff) for row in audit),
        *map(teller.of_job, waiting),
        *(moment for review in reviews for moment in teller.of_review(review)),
    ]
    return Story(
        booking=booking,
        moments=sorted(moments, key=lambda moment: (moment.at, moment.order)),
        place=teller.place(),
        person=teller.person(),
        lines=lines,
        charges=charges,
        refunds=refunds,
        disputes=disputes,
        letters=letters,
        deliveries=deliveries,
        reviews=reviews,
        hidden=teller.hidden,
    )


def _jobs(charges: list[Charge], refunds: list[Refund], events: list[WebhookEvent]) -> list[OutboxMessage]:
    """What was promised about the booking and has not left for the workers."""
    about = Q(arguments__charge_id__in=[row.pk for row in charges])
    about |= Q(arguments__refund_id__in=[row.pk for row in refunds])
    about |= Q(arguments__event_id__in=[row.event_id for row in events])
    return list(OutboxMessage.objects.filter(about).order_by("pk")[:MOST])


class _Teller:
    """Turns rows into moments, for one viewer."""

    def __init__(self, booking: Booking, viewer: Any) -> None:
        self.booking = booking
        self.viewer = viewer
        self.hidden: list[str] = []
        self.sees_people: bool = viewer.has_perm("users.view_user")

    def rows(self, model: type[Any], rows: Any) -> list[Any]:
        """The rows, where their table may be seen."""
        if self.viewer.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
            return list(rows[:MOST])
        self.hidden.append(str(model._meta.verbose_name_plural))
        return []

    def staff(self, audit: Iterable[AuditEvent]) -> dict[int, str]:
        """Who of the staff stands behind the numbers."""
        numbers = {row.actor_id for row in audit if row.actor_id is not None}
        names = User.objects.filter(pk__in=numbers).values_list("pk", "email") if self.sees_people else ()
        return dict(names)

    def person(self) -> list[tuple[str, str]]:
        booking = self.booking
        if not self.sees_people:
            return [("Guest", NOT_SHOWN)]
        name = f"{booking.first_name} {booking.last_name}".strip()
        how = "without an account" if booking.is_anonymous else "with an account"
        if not booking.is_anonymous and booking.guest is None:
            how = "with an account that is closed by now"
        return [("Guest", name or "-"), ("Email", booking.email or "-"), ("Booked", how)]

    def place(self) -> list[tuple[str, str]]:
        """What of the calendar it takes, on the listing's clocks and in UTC."""
        booking, allocation = self.booking, self.booking.allocation
        zone = ZoneInfo(booking.listing.time_zone)
        unit = allocation.unit
        what = f"unit {unit.number}" if unit is not None else f"{allocation.quantity} of the stock"
        state = "taken" if allocation.is_active else "given back"
        if allocation.is_active and allocation.held_until is not None:
            state = f"held until {allocation.held_until:%Y-%m-%d %H:%M:%S} UTC"
        period, occupied = booking.span, allocation.occupied
        told = [
            ("Place", f"{what} ({state})"),
            (
                f"There ({booking.listing.time_zone})",
                f"{period.start.astimezone(zone):%a %Y-%m-%d %H:%M} to {period.end.astimezone(zone):%a %Y-%m-%d %H:%M}",
            ),
            ("In UTC", f"{period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M}"),
        ]
        if occupied != period:
            told.append(("Kept free in UTC", f"{occupied.start:%Y-%m-%d %H:%M} to {occupied.end:%Y-%m-%d %H:%M}"))
        return told

    def of_history(self, event: BookingEvent) -> Moment:
        data = dict(event.data)
        parts = []
        reason = data.pop("reason", "")
        if reason:
            parts.append(f"“{reason}”" if self.sees_people else "with a reason")
        currency = data.pop("currency", self.booking.currency)
        for name, label in (("amountMinor", ""), ("refundMinor", "goes back: "), ("totalMinor", "new total: ")):
            minor = data.pop(name, None)
            if minor is not None:
                parts.append(f"{label}{Money(int(minor), currency)}")
        moved = [data.pop(name, None) for name in ("previousStartsAt", "startsAt", "previousEndsAt", "endsAt")]
        if moved[0] and moved[1]:
            parts.append(f"moved by the host from {_short(moved[0])} to {_short(moved[1])} UTC")
        parts += [f"{name}: {_short(str(value))}" for name, value in sorted(data.items()) if value not in ("", None)]
        tone = "bad" if event.type in BAD else "life"
        what = event.get_type_display()
        return Moment(event.at, "booking", what, ACTORS.get(event.actor, event.actor), "; ".join(parts), tone=tone)

    def of_charge(self, charge: Charge) -> Iterable[Moment]:
        card = f"{charge.card_brand} {charge.card_last4}".strip()
        what = f"Payment of {charge.amount} written down"
        yield Moment(charge.created_at, "charge", what, "", card, charge, order=1)
        if charge.card_saved_at is not None:
            yield Moment(
                charge.card_saved_at, "charge", "Card saved for the end", "the processor", card, charge, order=1
            )
        if charge.paid_at is not None:
            done = f"Paid {charge.amount}, receipt {charge.receipt_number}"
            yield Moment(charge.paid_at, "charge", done, "the processor", card, charge, order=1)
        elif charge.status not in CAPTURED_STATUSES:
            state = charge.status.replace("_", " ").lower()
            why = charge.failure_code.replace("_", " ")
            tone = "bad" if charge.status in BAD else ""
            yield Moment(
                charge.updated_at, "charge", f"Payment is {state}", "the processor", why, charge, tone=tone, order=2
            )

    def of_refund(self, refund: Refund) -> Moment:
        amount = Money(refund.amount_minor, refund.charge.currency)
        state = {"PENDING": "on its way", "SUCCEEDED": "gone back", "FAILED": "failed"}[refund.status]
        tone = "bad" if refund.status == "FAILED" else ""
        details = refund.reason if self.sees_people else ""
        return Moment(refund.created_at, "refund", f"Refund of {amount}: {state}", "", details, refund, tone, order=2)

    def of_dispute(self, dispute: Dispute) -> Moment:
        amount = Money(dispute.amount_minor, dispute.currency)
        what = f"Dispute over {amount}: {dispute.status.replace('_', ' ')}"
        why = dispute.reason.replace("_", " ")
        # The processor writes whole seconds: it came after the payment all the same.
        at = max(dispute.created_at, dispute.charge.paid_at or dispute.created_at)
        return Moment(at, "dispute", what, "the payer's bank", why, dispute, "bad", order=2)

    def of_event(self, event: WebhookEvent) -> Iterable[Moment]:
        state = "waits to be carried out" if event.handled_at is None else "carried out"
        tone = "bad" if event.handled_at is None else ""
        yield Moment(event.received_at, "webhook", event.type, "the processor", state, event, tone, order=3)

    def of_letter(self, letter: Letter) -> Moment:
        to = letter.to if self.sees_people else NOT_SHOWN
        subject = letter.data.get("subject") or letter.template
        if letter.sent_at is not None:
            return Moment(letter.sent_at, "mail", f"Mail left: {subject}", "", f"to {to or 'nobody'}", letter, order=5)
        if letter.failed_at is not None:
            why = f"to {to}: {letter.last_error}"
            return Moment(letter.failed_at, "mail", f"Mail given up: {subject}", "", why, letter, "bad", order=5)
        why = f"to {to}, tried {letter.tries} times {letter.last_error}".strip()
        return Moment(letter.created_at, "mail", f"Mail waits: {subject}", "", why, letter, order=5)

    def of_note(self, note: Notification) -> Moment:
        read = "" if note.read_at is None else f"read {note.read_at:%Y-%m-%d %H:%M}"
        who = "to the host" if note.recipient_id == self.booking.listing.host_id else "to the guest"
        return Moment(note.created_at, "notice", note.title, "", f"{who} {read}".strip(), note, order=4)

    def of_outgoing(self, event: OutgoingEvent) -> Moment:
        state = "waits for its deliveries" if event.fanned_out_at is None else "handed to the deliveries"
        return Moment(event.at, "integration", f"Told integrators: {event.type}", "", state, order=4)

    def of_audit(self, row: AuditEvent, staff: dict[int, str]) -> Moment:
        who = "" if row.actor_id is None else staff.get(row.actor_id, f"account {row.actor_id}")
        details = "; ".join(f"{name}: {value}" for name, value in sorted(row.data.items()))
        return Moment(row.at, "audit", row.get_kind_display(), who, details, row, order=6)

    def of_job(self, job: OutboxMessage) -> Moment:
        return Moment(job.created_at, "outbox", f"Job waits for the broker: {job.task}", "", "", None, "bad", order=6)

    def of_review(self, review: Review) -> Iterable[Moment]:
        stars = "without a rating" if review.rating is None else f"{review.rating} of 5"
        hidden = "" if review.hidden_at is None else "hidden from the public"
        yield Moment(review.created_at, "review", f"Reviewed: {stars}", "the guest", hidden, review, order=4)
        if review.replied_at is not None:
            yield Moment(review.replied_at, "review", "The review was answered", "the host", "", review, order=4)


def _short(text: str) -> str:
    """An instant in ISO 8601 without seconds; any other text as it is."""
    return text[:16].replace("T", " ") if len(text) >= 19 and text[10:11] == "T" else text
