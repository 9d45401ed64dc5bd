"""The cards of the signed-in person."""

from __future__ import annotations

from typing import Any

import graphene

from apps.payments.cards import cards_of
from apps.payments.models import Card as CardRow
from schema.core.context import Info


class Card(graphene.ObjectType):
    """A card that the account has paid with or saved."""

    id = graphene.ID(required=True, description="The id to remove it by; payBooking takes it as the paymentMethod.")
    brand = graphene.String(required=True, description="The brand, such as visa.")
    last4 = graphene.String(name="last4", required=True, description="The last four digits.")
    exp_month = graphene.Int(required=True, description="The month in which it expires, 1 to 12.")
    exp_year = graphene.Int(required=True, description="The year in which it expires.")

    def resolve_id(parent: CardRow, info: Info) -> str:
        return parent.payment_method


class ViewerCards:
    """Mixed into Viewer. `parent` is the account."""

    cards = graphene.List(
        graphene.NonNull(Card), required=True, description="The cards this person has paid with or saved, newest first."
    )

    def resolve_cards(parent: Any, info: Info) -> list[CardRow]:
        return list(cards_of(owner=parent))
