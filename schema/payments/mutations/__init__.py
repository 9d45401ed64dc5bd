"""The payment mutations."""

from schema.payments.mutations.pay_booking import PayBooking
from schema.payments.mutations.refresh_payment import RefreshPayment
from schema.payments.mutations.refund_payment import RefundPayment


class PaymentMutations:
    """Mixed into Mutation."""

    pay_booking = PayBooking.Field()
    refresh_payment = RefreshPayment.Field()
    refund_payment = RefundPayment.Field()


__all__ = ["PaymentMutations"]
