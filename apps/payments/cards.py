"""The cards of accounts: remembered when they pay or are saved, forgotten when their owner says so."""

import re
from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import NotFound, WrongState
from apps.core.promises import enqueue_until_done
from apps.payments import gateway
from apps.payments.models import OPEN_STATUSES, Card, Charge, ChargeStatus
from apps.payments.outcomes import Outcome
from apps.users.models import User

NAME = re.compile(r"pm_[A-Za-z0-9_]{1,252}")


def cards_of(*, owner: User) -> QuerySet[Card]:
    """The account's cards, the newest first."""
    return Card.objects.filter(user=owner).order_by("-created_at", "-pk")


def remember_card(charge: Charge, outcome: Outcome, *, now: datetime) -> None:
    """Keep the card of a charge that succeeded or saved it, once per card; the charge is told which it was.

    An anonymous payer's card is kept nowhere. A step: the caller saves the charge.
    """
    require_transaction()
    if charge.payer_id is None or not outcome.card_fingerprint:
        return
    card = Card(
        user_id=charge.payer_id,
        payment_method=outcome.payment_method,
        fingerprint=outcome.card_fingerprint,
        brand=outcome.card_brand,
        last4=outcome.card_last4,
        exp_month=outcome.card_exp_month,
        exp_year=outcome.card_exp_year,
        created_at=now,
    )
    # The same card may be in use by a parallel payment: whoever comes first keeps it, the other finds it.
    Card.objects.bulk_create(
        [card],
        update_conflicts=True,
        unique_fields=["user", "fingerprint"],
        update_fields=["exp_month", "exp_year"],
    )
    charge.card = Card.objects.get(user=charge.payer_id, fingerprint=outcome.card_fingerprint)


@unit_of_work
def remove_card(*, viewer: User, card_id: str) -> None:
    """Forget one of the caller's cards, under all names that the processor knows it by.

    Raises NotFound at `id` for any other card, WrongState at `id` while something is to be charged to it.
    """
    own = Card.objects.filter(user=viewer, payment_method=card_id if NAME.fullmatch(card_id) else "")
    # Charges before cards, as when a payment is settled.
    list(Charge.objects.select_for_update().filter(card__in=own).order_by("pk"))
    card = own.select_for_update().first()
    if card is None:
        raise NotFound("There is no such card.", field="id")
    if _is_to_be_charged(_names_of(card)):
        raise WrongState("A booking will be charged to this card.", field="id")
    _forget(card)


def forget_cards(*, owner: User) -> None:
    """Forget all cards of an account that is being closed. A step.

    A card that something is still to be charged to is nobody's to use any more, and is taken from the processor after that.
    """
    require_transaction()
    for card in Card.objects.select_for_update().filter(user=owner).order_by("pk"):
        _forget(card)


def forget_at_processor(*, payment_method: str) -> bool:
    """Have the processor forget a card that was forgotten here, unless something is to be charged to it.

    Returns whether it was. Raises GatewayUnavailable.
    """
    if _is_to_be_charged({payment_method}):
        return False
    gateway.forget(payment_method=payment_method)
    return True


def _names_of(card: Card) -> set[str]:
    """What the processor calls the card: a new name for each time that its number was given."""
    return {card.payment_method, *Charge.objects.filter(card=card).values_list("payment_method", flat=True)}


def _is_to_be_charged(names: Collection[str]) -> bool:
    """Whether a charge under way, a booking charged at its end, or a debt that will be asked for again needs the card."""
    by_it = Charge.objects.filter(payment_method__in=names)
    under_way = by_it.filter(status__in=[*OPEN_STATUSES, ChargeStatus.AUTHORIZED])
    to_be_retried = by_it.filter(card_saved_at__isnull=False, bill__retry_at__isnull=False)
    return under_way.exists() or to_be_retried.exists()


def _forget(card: Card) -> None:
    names = _names_of(card)
    card.delete()
    for name in sorted(names):
        enqueue_until_done("payments.forget_card", payment_method=name)
