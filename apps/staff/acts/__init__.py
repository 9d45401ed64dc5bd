"""What staff does in Django admin beyond looking: each with its own permission, told beforehand, confirmed and audited."""

from apps.core.acting import register
from apps.staff.acts.bookings import AskProcessor, CancelBooking, RefundBooking, RetryCharge
from apps.staff.acts.money import CarryOutEvent, DealWithMoney, RefundCharge
from apps.staff.acts.others import BlockPeriod, EndSessions, HideReview, SendAgain, ShowReview

STUCK_MODELS = ("payments.Refund", "payments.Bill", "payments.Dispute", "payments.WebhookEvent", "payments.Discrepancy")


def register_acts() -> None:
    """Make all of them known, in the order in which a page shows their buttons."""
    register(CancelBooking(), RefundBooking(), RetryCharge(), AskProcessor())
    register(RefundCharge(), CarryOutEvent(), *(DealWithMoney(model) for model in STUCK_MODELS))
    register(SendAgain(), BlockPeriod(), HideReview(), ShowReview(), EndSessions())
