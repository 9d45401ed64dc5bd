"""Acts on rows of the money ledger."""

from datetime import datetime
from typing import Any

from django import forms

from apps.bookings import actions
from apps.bookings.selectors import bookings_of_bills
from apps.bookings.stuck import CAN_BE_DEALT_WITH, find_stuck
from apps.core.acting import Act, Foresight
from apps.core.errors import NotFound, WrongState
from apps.payments.models import Bill, Charge, Discrepancy, Refund, WebhookEvent
from apps.staff.acts.bookings import foresee_refund, give_back


class AmountForm(forms.Form):
    """How much goes back."""

    amount = forms.DecimalField(required=False, min_value=0, label="Amount", help_text="Empty: all that is left.")
    reason = forms.CharField(required=False, max_length=1000, label="Reason", help_text="Kept with the refund.")


class RefundCharge(Act):
    """As `refundPayment` does."""

    name, model, title, done = "refund", "payments.Charge", "Give money back", "Refunded"
    icon, permission = "undo", "bookings.refund_booking"
    form = AmountForm

    def is_offered(self, row: Charge) -> bool:
        return row.paid_at is not None and row.refunded_minor < row.amount_minor

    def foresee(self, *, row: Charge, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        booking = bookings_of_bills([row.bill_id]).get(row.bill_id)
        if booking is None:
            raise NotFound("There is no such payment.", field="payment_id")
        return foresee_refund(row, booking, viewer=viewer, said=said)

    def act(self, *, row: Charge, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        give_back(viewer=viewer, terms=terms, key=key, now=now)


class CarryOutEvent(Act):
    """Do what the sweep does about a message of the processor, now."""

    name, model, title, done = "handle", "payments.WebhookEvent", "Carry out now", "Carried out"
    icon, permission = "play_arrow", "payments.view_webhookevent"

    def is_offered(self, row: WebhookEvent) -> bool:
        return row.handled_at is None

    def foresee(self, *, row: WebhookEvent, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        if row.handled_at is not None:
            raise WrongState("It was carried out already.", field="event_id")
        return Foresight(
            [
                f"The processor is asked about {row.object_id or 'what it told of'} ({row.type}).",
                "What it answers is written down, and what follows from it happens: a confirmation, a mail, a refund.",
            ]
        )

    def act(self, *, row: WebhookEvent, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        actions.handle_event(event_id=row.event_id, now=now)


class NoteForm(forms.Form):
    """How it was dealt with."""

    note = forms.CharField(
        max_length=1000,
        label="What was done",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For your colleagues. Name nobody: the booking does.",
    )


# Under which names a row of each model can be stuck.
NAMES = {
    "payments.Refund": ("failed_refund",),
    "payments.Bill": ("kept", "debt"),
    "payments.Dispute": ("dispute",),
    "payments.WebhookEvent": ("event",),
    "payments.Discrepancy": ("discrepancy",),
}


def subjects_of(row: Refund | Bill | Discrepancy | Any) -> list[str]:
    """The names under which the row can be stuck."""
    begun = f":{int(row.found_at.timestamp())}" if isinstance(row, Discrepancy) else ""
    return [f"{name}:{row.pk}{begun}" for name in NAMES[row._meta.label]]


class DealWithMoney(Act):
    """Say that something stuck was dealt with outside of the ledger."""

    name, title, done = "deal", "Dealt with", "Dealt with"
    icon, permission = "task_alt", "payments.deal_with_money"
    form = NoteForm

    def __init__(self, model: str) -> None:
        self.model = model

    def is_offered(self, row: Any) -> bool:
        # Whether it is stuck only the list of stuck money knows; it leads here.
        return False

    def foresee(self, *, row: Any, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        for subject in subjects_of(row):
            found = find_stuck(subject=subject, now=now)
            if found is not None and subject.partition(":")[0] in CAN_BE_DEALT_WITH:
                about = f" of booking {found.booking.reference}" if found.booking is not None else ""
                return Foresight(
                    [
                        f"It leaves the list of stuck money: {found.amount or 'what'}{about}. {found.words}",
                        "No money moves, and nobody gets a mail.",
                        "Your note and your name are kept.",
                    ],
                    {"subject": subject, "note": said["note"]},
                )
        raise NotFound("Nothing is stuck there any more.", field="subject")

    def act(self, *, row: Any, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        actions.deal_with(viewer=viewer, subject=terms["subject"], note=terms["note"], now=now)
