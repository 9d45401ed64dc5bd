"""The stories would notice: each guard of the money is taken out in turn, and what it guards against is seen."""

import json
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apps.bookings import actions, webhooks
from apps.payments import actions as ledger
from apps.payments import gateway
from tests.faults.test_each_step import cut_off
from tests.faults.test_stories import _empty_processor  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

Break = Callable[[pytest.MonkeyPatch], None]


def without_keys(name: str) -> Break:
    """Every asking has a new idempotency key."""

    def take_out(patch: pytest.MonkeyPatch) -> None:
        ask = getattr(gateway, name)

        def ask_anew(**given: Any) -> Any:
            return ask(**{**given, "idempotency_key": uuid.uuid4().hex})

        patch.setattr(gateway, name, ask_anew)

    return take_out


def refund_without_looking(patch: pytest.MonkeyPatch) -> None:
    without_keys("refund")(patch)
    patch.setattr(gateway, "refunds_of", lambda **_: [])


def charge_without_looking(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gateway, "find_payment", lambda **_: None)


def believe_success_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "CAPTURED_STATUSES", ())


def sweep_no_payments(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(actions, "resume_payments", lambda **_: 0)


def sweep_no_refunds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(actions, "resume_refunds", lambda **_: 0)


def believe_every_sender(patch: pytest.MonkeyPatch) -> None:
    def read(*, payload: bytes, signature: str) -> gateway.Event:
        told = json.loads(payload)
        subject = told["data"]["object"]
        return gateway.Event(
            event_id=told["id"], type=told["type"], object_id=subject["id"], object_type=subject["object"]
        )

    patch.setattr(webhooks, "read_event", read)


def give_nothing_back(patch: pytest.MonkeyPatch) -> None:
    # The package's names for its modules are those of their functions.
    patch.setattr(sys.modules["apps.bookings.actions.cancel"], "give_back", lambda *_, **__: None)


BROKEN: list[tuple[Break, str, str, str | None]] = [
    (without_keys("charge"), "pay", "webhooks lost", "charge.asked"),
    (refund_without_looking, "refund", "webhooks lost", "refund.asked"),
    (charge_without_looking, "pay", "500s after success", None),
    (believe_success_again, "pay", "webhooks twice", None),
    (sweep_no_payments, "pay", "webhooks lost", "charge.before"),
    (sweep_no_refunds, "refund", "webhooks lost", "refund.before"),
    (believe_every_sender, "pay", "webhooks wrongly signed", None),
    (give_nothing_back, "cancel", "webhooks lost", None),
]


@pytest.mark.parametrize(("take_out", "flow", "trouble", "place"), BROKEN)
def test_a_guard_that_is_missing_is_noticed(
    take_out: Break, flow: str, trouble: str, place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell() -> None:
        for seed in range(6):
            cut_off(flow, trouble, place, monkeypatch, seed=seed)

    take_out(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        tell()
