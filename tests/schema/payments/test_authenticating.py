"""What the payer needs to authenticate is shown to the payer alone, and only as long as it is needed."""

from typing import Any

import pytest

from apps.payments.models import Charge, ChargeStatus
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.hosting.inputs import NOW
from tests.payments.steps import booked, paid
from tests.recipes import make_guest, make_property
from tests.schema.listings.api import ask

pytestmark = pytest.mark.django_db(transaction=True)


def shown(charge: Charge, viewer: User) -> tuple[str | None, str | None]:
    query = "query ($id: ID!) { node(id: $id) { ... on Payment { clientSecret nextActionUrl } } }"
    payment: dict[str, Any] = ask(query, {"id": to_global_id("Payment", charge.pk)}, viewer=viewer)["data"]["node"]
    return payment["clientSecret"], payment["nextActionUrl"]


def test_the_secrets_are_there_while_the_payer_is_asked() -> None:
    guest, home = make_guest(), make_property(units=9)
    charge = paid(booked(home, guest=guest, now=NOW), now=NOW, card="pm_card_authenticationRequired")
    assert charge.status == ChargeStatus.REQUIRES_ACTION
    assert all(shown(charge, guest))
    assert shown(charge, home.host) == (None, None)


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_chargeDeclined"])
def test_there_are_none_when_nothing_is_asked(card: str) -> None:
    guest = make_guest()
    charge = paid(booked(make_property(), guest=guest, now=NOW), now=NOW, card=card)
    assert shown(charge, guest) == (None, None)
