"""Stripe's test cards: what each is, and what happens when it is saved or charged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """Why an issuer refuses: Stripe's `code`, `decline_code` and message."""

    code: str
    decline_code: str
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
FRAUDULENT = Decline("card_declined", "fraudulent", "Your card was declined.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
BAD_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
NEEDS_AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NOT_HANDLED = Decline(
    "authentication_required",
    "authentication_not_handled",
    "This payment required an authentication action to complete, but `error_on_requires_action` was set. When you're "
    "ready, you can upgrade your integration to handle actions at "
    "https://stripe.com/docs/payments/payment-intents/upgrade-to-handle-actions.",
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. For a list of valid test "
    "cards, visit: https://stripe.com/docs/testing.",
)


@dataclass(frozen=True)
class Card:
    """
    A test card.

    `decline` meets every charge, and every attempt to save the card unless `saves`.
    `authentication`: `always`; `unless_set_up` (an off-session charge passes once a setup was authenticated);
    `on_session` (off-session charges pass from the start); or none.
    `refund`: `succeeds`; `pending` (succeeds a moment later); `fails` (succeeds, then fails a moment later).
    """

    name: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    saves: bool = False
    authentication: str | None = None
    dispute: str | None = None
    refund: str = "succeeds"
    kind: str = "card"

    @property
    def last4(self) -> str:
        """The last four digits of the number."""
        return self.number[-4:]

    def asks_for_authentication(self, *, off_session: bool, set_up: bool) -> bool:
        """Whether a charge must be authenticated by the customer."""
        match self.authentication:
            case "always":
                return True
            case "unless_set_up":
                return not (off_session and set_up)
            case "on_session":
                return not off_session
        return False


_CARDS = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556", funding="debit"),
    Card("mastercard", "5555555555554444", brand="mastercard"),
    Card("mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("amex", "378282246310005", brand="amex"),
    Card("discover", "6011111111111117", brand="discover"),
    Card("diners", "3056930009020004", brand="diners"),
    Card("jcb", "3566002020360505", brand="jcb"),
    Card("unionpay", "6200000000000005", brand="unionpay"),
    Card("gb", "4000008260000000", country="GB"),
    Card("de", "4000002760000016", country="DE"),
    Card("fr", "4000002500000003", country="FR"),
    Card("nz", "4000005540000008", country="NZ"),
    Card("bypassPending", "4000000000000077"),
    Card("chargeDeclined", "4000000000000002", decline=GENERIC),
    Card("visa_chargeDeclined", "4000000000000002", decline=GENERIC),
    Card("chargeDeclinedInsufficientFunds", "4000000000009995", decline=NO_FUNDS),
    Card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", decline=NO_FUNDS),
    Card("visa_chargeDeclinedLostCard", "4000000000009987", decline=LOST),
    Card("visa_chargeDeclinedStolenCard", "4000000000009979", decline=STOLEN),
    Card("chargeDeclinedFraudulent", "4100000000000019", decline=FRAUDULENT),
    Card("chargeDeclinedExpiredCard", "4000000000000069", decline=EXPIRED),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", decline=BAD_CVC),
    Card("chargeDeclinedProcessingError", "4000000000000119", decline=PROCESSING),
    Card("chargeCustomerFail", "4000000000000341", decline=GENERIC, saves=True),
    Card("authenticationRequired", "4000002760003184", country="DE", authentication="always"),
    Card("authenticationRequiredOnSetup", "4000002500003155", country="FR", authentication="unless_set_up"),
    Card("authenticationRequiredSetupForOffSession", "4000003800000446", authentication="on_session"),
    Card(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        country="GB",
        authentication="always",
        decline=NO_FUNDS,
        saves=True,
    ),
    Card("threeDSecure2Required", "4000000000003220", authentication="always"),
    Card("threeDSecureRequired", "4000000000003063", authentication="always"),
    Card(
        "threeDSecureRequiredChargeDeclined", "4000008400001629", authentication="always", decline=GENERIC, saves=True
    ),
    Card("threeDSecureOptional", "4000000000003055"),
    Card("createDispute", "4000000000000259", dispute="fraudulent"),
    Card("createDisputeProductNotReceived", "4000000000002685", dispute="product_not_received"),
    Card("pendingRefund", "4000000000007726", refund="pending"),
    Card("refundFail", "4000000000005126", refund="fails"),
)

# Payments by bank debit are how a test reaches the `processing` state: cards never stay in it.
_BANKS = (
    Card("success", "000123456789", brand="", kind="us_bank_account"),
    Card(
        "insufficientFunds",
        "000222222227",
        brand="",
        kind="us_bank_account",
        decline=Decline(
            "payment_method_customer_decline",
            "insufficient_funds",
            "The customer's account has insufficient funds to cover this payment.",
        ),
        saves=True,
    ),
)

BY_NAME: dict[str, Card] = {f"pm_card_{card.name}": card for card in _CARDS} | {
    f"pm_usBankAccount_{bank.name}": bank for bank in _BANKS
}
BY_TOKEN: dict[str, Card] = {f"tok_{card.name}": card for card in _CARDS}
BY_NUMBER: dict[str, str] = {card.number: f"pm_card_{card.name}" for card in reversed(_CARDS)}


def passes_luhn(number: str) -> bool:
    """Whether the digits carry the check digit that card numbers carry."""
    total = 0
    for index, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
