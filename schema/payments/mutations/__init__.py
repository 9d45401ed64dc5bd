"""The payment mutations."""

from schema.payments.mutations.pay_booking import PayBooking
from schema.payments.mutations.refresh_payment import RefreshPayment
from schema.payments.mutations.refund_payment import RefundPayment
from schema.payments.mutations.remove_card import RemoveCard


class PaymentMutations:
    """Mixed into Mutation."""

    pay_booking = PayBooking.Field()
    refresh_payment = RefreshPayment.Field()
    refund_payment = RefundPayment.Field()
    remove_card = RemoveCard.Field()


__all__ = ["PaymentMutations"]
