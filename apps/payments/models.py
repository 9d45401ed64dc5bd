"""The money ledger: what is owed, what was charged, what went back. Amounts are minor units of the bill's currency."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.core.money import Money


class PaymentTiming(models.TextChoices):
    """NOW: charged when paid. AT_END: the card is saved, and charged when the booking ends."""

    NOW = "NOW"
    AT_END = "AT_END"


class ChargeStatus(models.TextChoices):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"


OPEN_STATUSES = (ChargeStatus.PENDING, ChargeStatus.PROCESSING, ChargeStatus.REQUIRES_ACTION)
CAPTURED_STATUSES = (ChargeStatus.SUCCEEDED, ChargeStatus.REFUNDED, ChargeStatus.PARTIALLY_REFUNDED)


class Bill(models.Model):
    """A debt. `captured - refunded` is what the payer has paid, `total` is what it is about.

    `settled` is how much of the total needs no more paying. It is not what was paid: what the host gave back is not
    owed again, and of what became cheaper the terms may keep a part that pays for nothing.
    """

    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    settled_minor = models.BigIntegerField(default=0)
    timing = models.CharField(max_length=10, choices=PaymentTiming.choices)
    created_at = models.DateTimeField()
    # A saved card that refused to pay is asked again then; how often it has been asked again.
    retry_at = models.DateTimeField(null=True, blank=True)
    retries = models.PositiveSmallIntegerField(default=0)
    # Since then it is a debt: what was booked is over and was not paid in full.
    owed_since = models.DateTimeField(null=True, blank=True)
    # What was booked was called off: how much of what was paid is not to go back. Whatever is kept beyond that is owed.
    kept_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="bill_total_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("captured_minor")),
                name="bill_never_over_refunded",
            ),
        ]
        indexes = [
            models.Index(fields=["retry_at"], condition=~Q(retry_at=None), name="bill_retry"),
            models.Index(
                fields=["owed_since"],
                condition=Q(owed_since__isnull=False, total_minor__gt=F("settled_minor")),
                name="bill_debt",
            ),
            models.Index(
                fields=["id"],
                condition=Q(captured_minor__gt=F("refunded_minor") + F("kept_minor")),
                name="bill_kept_too_much",
            ),
        ]

    def __str__(self) -> str:
        return f"bill {self.pk}"

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def paid(self) -> Money:
        return Money(self.captured_minor - self.refunded_minor, self.currency)

    @property
    def owed(self) -> Money:
        """What is still to be paid; never less than nothing."""
        return Money(max(0, self.total_minor - self.settled_minor), self.currency)


class Customer(models.Model):
    """An account as the card processor knows it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="customer")
    processor_id = models.CharField(max_length=255, unique=True)

    def __str__(self) -> str:
        return f"customer {self.pk}"


class Card(models.Model):
    """A card that an account has paid with or saved, once per card. Its owner may have it forgotten: the row goes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="cards")
    # The first name under which the processor knew it; its later names are on the charges.
    payment_method = models.CharField(max_length=255)
    # The same for the same card number, whatever it is called.
    fingerprint = models.CharField(max_length=255)
    brand = models.CharField(max_length=40)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "fingerprint"], name="card_once_per_account")]

    def __str__(self) -> str:
        return f"card {self.pk}"


class Charge(models.Model):
    """One attempt to be paid, written down before the processor is asked, with the idempotency key it is asked with."""

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="charges")
    payer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="charges"
    )
    timing = models.CharField(max_length=10, choices=PaymentTiming.choices)
    status = models.CharField(max_length=20, choices=ChargeStatus.choices, default=ChargeStatus.PENDING)
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=255)
    idempotency_key = models.CharField(max_length=64, unique=True)
    # The processor's names for it: a payment intent, a setup intent (AT_END), the saved card's customer.
    intent_id = models.CharField(max_length=255, blank=True)
    setup_intent_id = models.CharField(max_length=255, blank=True)
    customer_id = models.CharField(max_length=255, blank=True)
    client_secret = models.CharField(max_length=255, blank=True)
    next_action_url = models.CharField(max_length=2000, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)
    card_brand = models.CharField(max_length=40, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    card = models.ForeignKey(Card, on_delete=models.SET_NULL, null=True, blank=True, related_name="charges")
    receipt_number = models.CharField(max_length=20, null=True, blank=True, unique=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    # AT_END: since then the card can be charged without its owner.
    card_saved_at = models.DateTimeField(null=True, blank=True)
    # When the processor was first to be asked for what it is asked now: how long it has known the idempotency key.
    asked_at = models.DateTimeField(null=True, blank=True)
    # Since then the processor is to be told that nobody waits for this payment; empty once it knows.
    cancel_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="charge_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="charge_never_over_refunded",
            ),
            # In parallel: one charge.
            models.UniqueConstraint(
                fields=["bill"],
                condition=Q(status__in=["PENDING", "PROCESSING", "REQUIRES_ACTION"]),
                name="charge_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["payer", "-created_at", "-id"], name="charge_of_payer"),
            models.Index(
                fields=["updated_at"],
                condition=Q(status__in=["PENDING", "PROCESSING", "REQUIRES_ACTION"]),
                name="charge_open",
            ),
            models.Index(fields=["cancel_asked_at"], condition=~Q(cancel_asked_at=None), name="charge_to_cancel"),
            models.Index(fields=["intent_id"], condition=~Q(intent_id=""), name="charge_intent"),
            models.Index(fields=["setup_intent_id"], condition=~Q(setup_intent_id=""), name="charge_setup_intent"),
            models.Index(fields=["paid_at"], condition=Q(paid_at__isnull=False), name="charge_paid"),
            models.Index(fields=["updated_at"], condition=Q(status="FAILED"), name="charge_failed"),
        ]

    def __str__(self) -> str:
        return f"charge {self.pk}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def refunded(self) -> Money:
        return Money(self.refunded_minor, self.currency)


class RefundStatus(models.TextChoices):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Refund(models.Model):
    """Money on its way back. The charge's `refunded_minor` counts it from the moment it is written."""

    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=1000, blank=True)
    status = models.CharField(max_length=10, choices=RefundStatus.choices, default=RefundStatus.PENDING)
    idempotency_key = models.CharField(max_length=64, unique=True)
    processor_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive")]
        indexes = [
            models.Index(fields=["updated_at"], condition=Q(status="PENDING"), name="refund_open"),
            models.Index(fields=["updated_at"], condition=Q(status="FAILED"), name="refund_failed"),
        ]

    def __str__(self) -> str:
        return f"refund {self.pk}"


# Nobody has to do anything about these, and the money stayed.
DISPUTE_ENDED_WELL = ("won", "warning_closed")
DISPUTE_OVER = ("won", "lost", "warning_closed")
# While it stands so the money is with the payer's bank, and the processor refunds nothing of the payment.
DISPUTE_TAKES_BACK = ("needs_response", "under_review", "lost")


class Dispute(models.Model):
    """A payer took the money back through the bank. The processor's word; the ledger's sums do not count it."""

    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, related_name="disputes")
    processor_id = models.CharField(max_length=255, unique=True)
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=100, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=~Q(status__in=DISPUTE_ENDED_WELL), name="dispute_costs_us")
        ]

    def __str__(self) -> str:
        return self.processor_id


class ReceiptCounter(models.Model):
    """The last receipt number of a year (UTC), taken under its row lock so that numbers have no gaps."""

    year = models.PositiveIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class WebhookEvent(models.Model):
    """An event of the processor, kept once by its id; what it says is asked again before it is believed."""

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255, blank=True)
    # Of a charge, a refund or a dispute: the payment intent that it belongs to.
    intent_id = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["received_at"], condition=Q(handled_at=None), name="webhook_event_waiting"),
            models.Index(fields=["object_id"], name="webhook_event_object"),
            models.Index(fields=["intent_id"], condition=~Q(intent_id=""), name="webhook_event_intent"),
        ]

    def __str__(self) -> str:
        return self.event_id


class Discrepancy(models.Model):
    """What a comparison with the processor reported and could not heal. `key` is a digest of its words: it is kept once.

    `since` is how far back the comparison went that found it first: one that goes as far back and does not find it any more
    ends it. Found again after that it begins anew.
    """

    key = models.CharField(max_length=64, unique=True)
    text = models.CharField(max_length=500)
    charge = models.ForeignKey(Charge, on_delete=models.SET_NULL, null=True, blank=True, related_name="discrepancies")
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    since = models.DateTimeField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "discrepancies"
        indexes = [models.Index(fields=["found_at"], condition=Q(ended_at=None), name="discrepancy_open")]

    def __str__(self) -> str:
        return f"discrepancy {self.pk}"


class DealtWith(models.Model):
    """That staff has settled something about money in a way that the ledger does not show, and how. Append-only.

    `subject` names it as the list of stuck money does: "refund:5". `actor_id` is a plain number, as in the audit.
    """

    subject = models.CharField(max_length=60, unique=True)
    note = models.CharField(max_length=1000)
    actor_id = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "dealt with"
        permissions = [("deal_with_money", "Can say that stuck money was dealt with")]

    def __str__(self) -> str:
        return self.subject
