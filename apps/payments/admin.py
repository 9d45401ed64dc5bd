"""The money ledger in Django admin, to be read. What lets somebody act on a payment, its client secret, is not shown."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline, money, way_to
from apps.payments.models import (
    Bill,
    Card,
    Charge,
    Customer,
    DealtWith,
    Discrepancy,
    Dispute,
    ReceiptCounter,
    Refund,
    WebhookEvent,
)


class ChargeInline(ReadOnlyInline):
    model = Charge
    fields = ("amount", "refunded", "status", "failure_code", "receipt_number", "created_at", "paid_at")
    readonly_fields = ("amount", "refunded")
    ordering = ("pk",)
    show_change_link = True

    @admin.display(description="amount")
    def amount(self, charge: Charge) -> str:
        return str(charge.amount)

    @admin.display(description="refunded")
    def refunded(self, charge: Charge) -> str:
        return str(charge.refunded)


def booking_of(bill: Bill) -> Any:
    """What the bill is about; None where there is nothing any more."""
    return getattr(bill, "booking", None)


@admin.register(Bill)
class BillAdmin(ReadOnlyAdmin):
    """What a booking owes, and what of it was paid."""

    list_display = ("id", "total", "paid", "owed", "timing", "retries", "retry_at", "created_at")
    list_filter = ("timing", ("retry_at", admin.EmptyFieldListFilter))
    search_fields = ("=id", "=booking__reference")
    fields = (
        "booking", "total", "captured", "refunded", "owed", "owed_since", "kept_minor", "timing", "retries", "retry_at",
        "created_at",
    )  # fmt: skip
    readonly_fields = ("booking", "total", "captured", "refunded", "owed")
    inlines = (ChargeInline,)

    @admin.display(description="booking")
    def booking(self, bill: Bill) -> SafeString | str:
        return way_to(booking_of(bill))

    @admin.display(description="total", ordering="total_minor")
    def total(self, bill: Bill) -> str:
        return str(bill.total)

    @admin.display(description="paid")
    def paid(self, bill: Bill) -> str:
        return str(bill.paid)

    @admin.display(description="owed")
    def owed(self, bill: Bill) -> str:
        return str(bill.owed)

    @admin.display(description="captured")
    def captured(self, bill: Bill) -> str:
        return money(bill.captured_minor, bill.currency)

    @admin.display(description="refunded")
    def refunded(self, bill: Bill) -> str:
        return money(bill.refunded_minor, bill.currency)


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = ("amount", "status", "reason", "processor_id", "created_at")
    readonly_fields = ("amount",)
    ordering = ("pk",)

    @admin.display(description="amount")
    def amount(self, refund: Refund) -> str:
        return money(refund.amount_minor, refund.charge.currency)


class DisputeInline(ReadOnlyInline):
    model = Dispute
    fields = ("status", "reason", "amount", "processor_id", "created_at")
    readonly_fields = ("amount",)
    ordering = ("pk",)

    @admin.display(description="amount")
    def amount(self, dispute: Dispute) -> str:
        return money(dispute.amount_minor, dispute.currency)


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    """Each try to be paid, with the processor's names for it and what went back."""

    list_display = (
        "id", "status", "amount", "refunded", "receipt_number", "paid_with", "failure_code", "created_at", "paid_at",
    )  # fmt: skip
    list_filter = ("status", "timing")
    search_fields = ("=receipt_number", "=intent_id", "=setup_intent_id", "=bill__booking__reference", "=payer__email")
    fields = (
        "booking", "bill", "payer",
        "status", "timing", "amount", "refunded", "receipt_number", "paid_with", "failure_code", "intent_id",
        "setup_intent_id", "customer_id", "payment_method", "created_at", "updated_at", "paid_at", "card_saved_at",
    )  # fmt: skip
    readonly_fields = ("booking", "amount", "refunded", "paid_with")
    inlines = (RefundInline, DisputeInline)

    @admin.display(description="booking")
    def booking(self, charge: Charge) -> SafeString | str:
        return way_to(booking_of(charge.bill))

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, charge: Charge) -> str:
        return str(charge.amount)

    @admin.display(description="refunded", ordering="refunded_minor")
    def refunded(self, charge: Charge) -> str:
        return str(charge.refunded)

    @admin.display(description="card")
    def paid_with(self, charge: Charge) -> str:
        return f"{charge.card_brand} {charge.card_last4}".strip() or "-"


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """Money on its way back."""

    list_display = ("id", "charge", "amount", "status", "reason", "processor_id", "created_at", "updated_at")
    list_filter = ("status",)
    list_select_related = ("charge",)
    search_fields = ("=processor_id", "=charge__receipt_number", "=charge__bill__booking__reference")
    fields = ("booking", "charge", "amount", "status", "reason", "processor_id", "created_at", "updated_at")
    readonly_fields = ("booking", "amount")

    @admin.display(description="booking")
    def booking(self, refund: Refund) -> SafeString | str:
        return way_to(booking_of(refund.charge.bill))

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, refund: Refund) -> str:
        return money(refund.amount_minor, refund.charge.currency)


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Payments that their payers contest."""

    list_display = (
        "id",
        "reference",
        "charge",
        "amount",
        "status",
        "reason",
        "processor_id",
        "created_at",
        "updated_at",
    )
    list_filter = ("status", "reason")
    list_select_related = ("charge__bill__booking",)
    search_fields = (
        "=processor_id", "=charge__receipt_number", "=charge__intent_id", "=charge__bill__booking__reference",
        "=charge__payer__email",
    )  # fmt: skip
    fields = ("booking", "charge", "amount", "status", "reason", "processor_id", "created_at", "updated_at")
    readonly_fields = ("booking", "amount")

    @admin.display(description="booking")
    def booking(self, dispute: Dispute) -> SafeString | str:
        return way_to(booking_of(dispute.charge.bill))

    @admin.display(description="booking")
    def reference(self, dispute: Dispute) -> str:
        return str(dispute.charge.bill.booking)

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, dispute: Dispute) -> str:
        return money(dispute.amount_minor, dispute.currency)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """What the processor told. An event that waits has no time at which it was handled."""

    list_display = ("event_id", "type", "object_id", "received_at", "handled_at")
    list_filter = (("handled_at", admin.EmptyFieldListFilter),)
    search_fields = ("=event_id", "=object_id", "=intent_id")
    fields = ("booking", "event_id", "type", "object_id", "intent_id", "received_at", "handled_at")
    readonly_fields = ("booking",)

    @admin.display(description="booking")
    def booking(self, event: WebhookEvent) -> SafeString | str:
        names = [name for name in (event.object_id, event.intent_id) if name]
        about = Charge.objects.filter(Q(intent_id__in=names) | Q(setup_intent_id__in=names)).first()
        return way_to(booking_of(about.bill)) if about is not None else "-"


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """What comparing our ledger with the processor's reported and could not heal."""

    list_display = ("id", "text", "amount", "found_at", "seen_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    search_fields = ("text",)
    fields = ("text", "booking", "charge", "amount", "since", "found_at", "seen_at", "ended_at")
    readonly_fields = ("booking", "amount")

    @admin.display(description="booking")
    def booking(self, row: Discrepancy) -> SafeString | str:
        return way_to(booking_of(row.charge.bill)) if row.charge is not None else "-"

    @admin.display(description="amount")
    def amount(self, row: Discrepancy) -> str:
        return money(row.amount_minor, row.currency)


@admin.register(DealtWith)
class DealtWithAdmin(ReadOnlyAdmin):
    """What staff settled outside of the ledger, and how."""

    list_display = ("id", "subject", "note", "actor_id", "at")
    search_fields = ("=subject", "=actor_id")


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Accounts as the card processor knows them."""

    list_display = ("id", "user", "processor_id")
    list_select_related = ("user",)
    search_fields = ("=processor_id", "=user__email")


@admin.register(Card)
class CardAdmin(ReadOnlyAdmin):
    """Saved cards, by what is printed on a receipt. The processor's names for them stay out of sight: they charge."""

    list_display = ("id", "user", "brand", "last4", "exp_month", "exp_year", "created_at")
    list_select_related = ("user",)
    list_filter = ("brand",)
    search_fields = ("=user__email", "=last4")
    fields = ("user", "brand", "last4", "exp_month", "exp_year", "created_at")


@admin.register(ReceiptCounter)
class ReceiptCounterAdmin(ReadOnlyAdmin):
    """The last receipt number of each year."""

    list_display = ("year", "last")
    search_fields = ("=year",)
