"""Acts on a booking."""

from datetime import datetime
from typing import Any

from django import forms

from apps.bookings import actions
from apps.bookings.actions.cancel import checked_amount, require_cancelable
from apps.bookings.actions.collect import debt_of
from apps.bookings.actions.refund import REFUNDABLE, checked_refund
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.bookings.terms import refundable, share_now
from apps.core.acting import Act, Foresight
from apps.core.errors import Required, WrongState
from apps.core.money import Money
from apps.payments.models import OPEN_STATUSES, Bill, Charge, ChargeStatus, Refund, RefundStatus
from apps.payments.selectors import left_to_refund
from apps.staff.acts.words import Reason, card_of, guest_mail, host_mail, money_kept, money_said, terms_of

ALL, TERMS, OTHER = "all", "terms", "other"


class CancelForm(Reason):
    """How much goes back. What each choice comes to is put into its label."""

    back = forms.ChoiceField(label="What goes back", widget=forms.RadioSelect, choices=[])
    amount = forms.DecimalField(required=False, min_value=0, label="Amount", help_text="For another amount.")
    field_order = ("back", "amount", "reason")


class CancelBooking(Act):
    """As `cancelBooking` does; staff says how much goes back."""

    name, model, title, done = "cancel", "bookings.Booking", "Cancel and refund", "Canceled"
    icon, permission, is_grave = "cancel", "bookings.cancel_booking", True

    def is_offered(self, row: Booking) -> bool:
        return row.status in (BookingStatus.PENDING, BookingStatus.CONFIRMED)

    def make_form(self, row: Booking, *, data: Any = None, initial: Any = None) -> forms.Form:
        form = CancelForm(data, initial={"back": ALL, **(initial or {})})
        left = Money(left_to_refund(row.bill_id), row.currency)
        own = self._by_terms(row, left, now=form_moment(initial))
        field = form.fields["back"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (ALL, f"Everything that is left: {left}"),
            (TERMS, f"By the guest's terms ({row.cancellation_policy.replace('_', ' ').lower()}): {own}"),
            (OTHER, f"Another amount, up to {left}"),
        ]
        return form

    @staticmethod
    def _by_terms(booking: Booking, left: Money, *, now: datetime) -> Money:
        own = refundable(booking, now=now)
        return own if own.minor <= left.minor else left

    def foresee(self, *, row: Booking, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        require_cancelable(row, now=now)
        bill = row.bill
        left = Money(left_to_refund(bill.pk), bill.currency)
        choice = said.get("back", ALL)
        back = left if choice == ALL else self._by_terms(row, left, now=now)
        if choice == OTHER:
            if said.get("amount") is None:
                raise Required("Say how much goes back.", field="amount")
            back = money_said(said["amount"], bill.currency)
        checked_amount(back, bill)
        reason = said.get("reason", "")
        sentences = [f"Booking {row.reference} is canceled, and its place is free again at once."]
        sentences += self._money(row, back)
        what = "that it was canceled by our staff" + (f", and why (“{reason}”)" if reason else "")
        refund_too = "; and one about the refund" if back.minor else ""
        sentences.append(guest_mail(row, viewer, what=f"{what}{refund_too}"))
        sentences.append(host_mail(row, viewer, what=what))
        warnings = []
        if row.span.start <= now:
            warnings.append("It has begun already.")
        if bill.paid.minor > left.minor:
            with_bank = bill.paid - left
            warnings.append(f"{with_bank} is with the payer's bank, which took it back: of that nothing is refunded.")
        if share_now(row, now=now) and choice == OTHER and back.minor < self._by_terms(row, left, now=now).minor:
            warnings.append("That is less than the guest would get by canceling.")
        return Foresight(sentences, {"amount": terms_of(back), "reason": reason}, warnings)

    @staticmethod
    def _money(booking: Booking, back: Money) -> list[str]:
        bill = booking.bill
        if Charge.objects.filter(bill=bill, status=ChargeStatus.AUTHORIZED).exists():
            return ["The card that was saved for the end is never charged."]
        if bill.paid.minor == 0:
            return ["Nothing was paid, so nothing goes back."]
        kept = bill.paid - back
        if back.minor == 0:
            return [f"Nothing goes back: {kept} that was paid is kept."]
        return [
            f"{back} goes back to the card that paid." if kept.minor == 0 else f"{back} goes back, and {kept} is kept."
        ]

    def act(self, *, row: Booking, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        actions.cancel(
            viewer=viewer,
            booking_id=row.pk,
            reason=terms["reason"],
            amount=money_kept(terms),
            idempotency_key=key,
            now=now,
        )


def form_moment(initial: Any) -> datetime:
    """The moment for which a form is drawn; the page puts it into what a form begins with."""
    moment = (initial or {})["now"]
    assert isinstance(moment, datetime)
    return moment


class RefundForm(forms.Form):
    """Of which payment, and how much."""

    payment = forms.ChoiceField(label="Payment", choices=[])
    amount = forms.DecimalField(required=False, min_value=0, label="Amount", help_text="Empty: all that is left of it.")
    reason = forms.CharField(required=False, max_length=1000, label="Reason", help_text="Kept with the refund.")


class RefundBooking(Act):
    """As `refundPayment` does, of one of the booking's payments."""

    name, model, title, done = "refund", "bookings.Booking", "Give money back", "Refunded"
    icon, permission = "undo", "bookings.refund_booking"

    def is_offered(self, row: Booking) -> bool:
        return row.bill.paid.minor > 0

    def make_form(self, row: Booking, *, data: Any = None, initial: Any = None) -> forms.Form:
        form = RefundForm(data, initial=initial)
        field = form.fields["payment"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (str(charge.pk), f"{charge.receipt_number}: {charge.amount - charge.refunded} left of {charge.amount}")
            for charge in Charge.objects.filter(bill=row.bill_id, status__in=REFUNDABLE).order_by("-pk")
        ]
        return form

    def foresee(self, *, row: Booking, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        charge = Charge.objects.filter(bill=row.bill_id, pk=said.get("payment") or 0).first()
        if charge is None:
            raise WrongState("There is nothing left to refund.", field="payment")
        return foresee_refund(charge, row, viewer=viewer, said=said)

    def act(self, *, row: Booking, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        give_back(viewer=viewer, terms=terms, key=key, now=now)


def foresee_refund(charge: Charge, booking: Booking, *, viewer: Any, said: dict[str, Any]) -> Foresight:
    """What a refund of the payment would do. Raises what the refund would."""
    typed = said.get("amount")
    wanted = checked_refund(charge, None if typed is None else money_said(typed, charge.currency))
    left = charge.amount - charge.refunded - wanted
    sentences = [
        f"{wanted} of payment {charge.receipt_number} goes back to {card_of(charge)}; {left} of it is left.",
        f"Booking {booking.reference} stays {booking.status.replace('_', ' ').lower()}.",
        guest_mail(booking, viewer, what=f"that {wanted} goes back"),
    ]
    terms = {"payment": charge.pk, "amount": terms_of(wanted), "reason": said.get("reason", "")}
    return Foresight(sentences, terms)


def give_back(*, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
    """Carry out what `foresee_refund` told."""
    actions.refund(
        viewer=viewer,
        payment_id=terms["payment"],
        amount=money_kept(terms),
        reason=terms["reason"],
        idempotency_key=key,
        now=now,
    )


class RetryCharge(Act):
    """Ask the card of a debt again, as the schedule does."""

    name, model, title, done = "retry", "bookings.Booking", "Charge the card again", "Charged again"
    icon, permission = "credit_card", "bookings.retry_charge"

    def is_offered(self, row: Booking) -> bool:
        return row.bill.owed.minor > 0 and row.status in (
            BookingStatus.COMPLETED,
            BookingStatus.CONFIRMED,
            BookingStatus.CHECKED_IN,
        )

    def foresee(self, *, row: Booking, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        bill = Bill.objects.get(pk=row.bill_id)
        saved = debt_of(row, bill)
        return Foresight(
            [
                f"{bill.owed} is charged to {card_of(saved)}, without its owner being there.",
                "If the card refuses again, the guest gets a mail that says so, and the debt stays.",
                guest_mail(row, viewer, what="that it was paid, or that the card refused"),
            ],
            {"amount": terms_of(bill.owed)},
        )

    def act(self, *, row: Booking, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        actions.retry(viewer=viewer, booking_id=row.pk, amount=money_kept(terms), idempotency_key=key, now=now)


class AskProcessor(Act):
    """As `refreshPayment` does; refunds that are under way are asked about too."""

    name, model, title, done = "refresh", "bookings.Booking", "Ask the processor", "Asked the processor"
    icon, permission = "sync", "bookings.view_booking"

    def is_offered(self, row: Booking) -> bool:
        return self._open(row) > 0

    @staticmethod
    def _open(booking: Booking) -> int:
        charges = Charge.objects.filter(bill=booking.bill_id, status__in=OPEN_STATUSES).count()
        return charges + Refund.objects.filter(charge__bill=booking.bill_id, status=RefundStatus.PENDING).count()

    def foresee(self, *, row: Booking, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        count = self._open(row)
        if not count:
            raise WrongState("Nothing of this booking is under way with the processor.", field="booking_id")
        open_ones = "the one payment or refund" if count == 1 else f"the {count} payments and refunds"
        return Foresight(
            [
                f"The card processor is asked what became of {open_ones} under way.",
                "What it answers is written down, and what follows from it happens: a confirmation, a mail, a refund.",
            ]
        )

    def act(self, *, row: Booking, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        actions.refresh(viewer=viewer, booking_id=row.pk, now=now)
        pending = Refund.objects.filter(charge__bill=row.bill_id, status=RefundStatus.PENDING)
        for refund_id in list(pending.values_list("pk", flat=True)):
            actions.carry_out_refund(refund_id=refund_id)
