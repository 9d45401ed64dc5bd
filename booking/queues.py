"""Which job waits in which line. Workers listen to all of them unless told with --queues, and take from the first that has one.

A job that is in no line here cannot be sent: `tests/core/test_queues.py` asks for every one there is.
"""

PAYMENTS, NOTIFICATIONS, SWEEPS, BULK = "payments", "notifications", "sweeps", "bulk"

# In the order in which a worker of several takes from them.
QUEUES: dict[str, tuple[str, ...]] = {
    # Somebody waits for their money to have moved.
    PAYMENTS: (
        "bookings.carry_out_payment",
        "bookings.carry_out_refund",
        "bookings.cancel_intent",
        "bookings.handle_event",
    ),
    # What people are told; a mail server may take its time.
    NOTIFICATIONS: (
        "notifications.deliver",
        "notifications.send_letters",
        "users.mail_link",
        "users.mail_password_reset",
        "users.mail_email_change_notice",
    ),
    # What is looked after every few seconds, and is quick unless much was left undone.
    SWEEPS: (
        "core.send_outbox",
        "core.tell_versions",
        "live.publish_waiting",
        "bookings.expire_holds",
        "bookings.complete_ended",
        "bookings.resume",
        "bookings.remind",
        "bookings.collect_debts",
    ),
    # What is slow, or much, or asks strangers who may be slow: nobody waits for it.
    BULK: (
        "integrations.deliver",
        "hosting.sync_calendars",
        "payments.forget_card",
        "bookings.reconcile",
        "core.forget",
        "availability.look_for_oversold",
    ),
}
ROUTES = {task: {"queue": queue} for queue, tasks in QUEUES.items() for task in tasks}
