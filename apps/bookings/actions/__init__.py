"""Writes: one function per use case."""

from apps.bookings.actions.cancel import cancel
from apps.bookings.actions.change import change, change_quote
from apps.bookings.actions.collect import collect_debts, retry
from apps.bookings.actions.deal import deal_with
from apps.bookings.actions.end import end, finish_due
from apps.bookings.actions.events import handle_event, receive_event, resume_events
from apps.bookings.actions.expire import (
    clear_dead_holds,
    complete_ended,
    expire_every_dead_hold,
    expire_holds,
    give_up_unanswered,
    past_dead_holds,
)
from apps.bookings.actions.hold import Contact, hold
from apps.bookings.actions.pay import carry_out_payment, pay, refresh, resume_payments, settle
from apps.bookings.actions.processor import cancel_intent, carry_out_refund, resume_cancelations, resume_refunds
from apps.bookings.actions.reconcile import Reconciliation, reconcile
from apps.bookings.actions.refund import refund
from apps.bookings.actions.remind import remind_due
from apps.bookings.actions.use import check_in, check_out, mark_no_show

__all__ = [
    "Contact",
    "Reconciliation",
    "cancel",
    "cancel_intent",
    "carry_out_payment",
    "carry_out_refund",
    "change",
    "change_quote",
    "check_in",
    "check_out",
    "clear_dead_holds",
    "collect_debts",
    "complete_ended",
    "deal_with",
    "end",
    "expire_every_dead_hold",
    "expire_holds",
    "finish_due",
    "give_up_unanswered",
    "handle_event",
    "hold",
    "mark_no_show",
    "past_dead_holds",
    "pay",
    "receive_event",
    "reconcile",
    "refresh",
    "refund",
    "remind_due",
    "resume_cancelations",
    "resume_events",
    "resume_payments",
    "resume_refunds",
    "retry",
    "settle",
]
