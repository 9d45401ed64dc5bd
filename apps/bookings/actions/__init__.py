"""Writes: one function per use case."""

from apps.bookings.actions.expire import complete_ended, expire_dead_holds, expire_holds
from apps.bookings.actions.hold import Contact, hold
from apps.bookings.actions.pay import carry_out_payment, pay, refresh, resume_payments, settle
from apps.bookings.actions.processor import (
    cancel_intent,
    carry_out_refund,
    handle_event,
    receive_event,
    resume_events,
    resume_refunds,
)

__all__ = [
    "Contact",
    "cancel_intent",
    "carry_out_payment",
    "carry_out_refund",
    "complete_ended",
    "expire_dead_holds",
    "expire_holds",
    "handle_event",
    "hold",
    "pay",
    "receive_event",
    "refresh",
    "resume_events",
    "resume_payments",
    "resume_refunds",
    "settle",
]
