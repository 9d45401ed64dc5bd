"""Aliases count: what is limited is the field, however many of them one request has."""

import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django.fixtures import Settings

from apps.users.models import User
from schema.core.limits import Limit
from tests.recipes import make_guest, make_host, make_staff
from tests.schema.listings.api import ask

pytestmark = pytest.mark.django_db

DATES = 'checkIn: "2027-01-01", checkOut: "2027-01-02", guests: 1'
MUTATIONS = {
    "bookProperty": ("schema.bookings.mutations.book.BOOKING", f'propertyId: "x", {DATES}'),
    "changeBooking": ("schema.bookings.mutations.life.BOOKING", 'bookingId: "x", guests: 2'),
    "payBooking": ("schema.payments.mutations.pay_booking.PAYMENT", 'bookingId: "x", paymentMethod: "pm_card_visa"'),
    "refreshPayment": ("schema.payments.mutations.refresh_payment.PAYMENT", 'bookingId: "x"'),
    "refundPayment": ("schema.payments.mutations.refund_payment.PAYMENT", 'paymentId: "x"'),
}


def asked(
    mutation: str, place: str, *, viewer: User | None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Any:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(place, Limit(f"test-{uuid.uuid4().hex}", "2/minute", closes=True))
    return ask(mutation, viewer=viewer)


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_alias_counts_and_the_others_are_answered(
    name: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    place, values = MUTATIONS[name]
    field = f"{name}(input: {{{values}}}) {{ errors {{ code }} }}"
    query = f"mutation {{ a: {field} b: {field} c: {field} d: {field} }}"
    answer = asked(query, place, viewer=make_staff(), monkeypatch=monkeypatch, settings=settings)
    assert [key for key, payload in answer["data"].items() if payload is None] == ["c", "d"]
    assert {error["code"] for payload in answer["data"].values() if payload for error in payload["errors"]} == {
        "NOT_FOUND"
    }
    told = [(error["path"], error["extensions"]["code"]) for error in answer["errors"]]
    assert told == [(["c"], "RATE_LIMITED"), (["d"], "RATE_LIMITED")]
    assert all(1 <= error["extensions"]["retryAfter"] <= 60 for error in answer["errors"])


@pytest.mark.parametrize(
    ("mutation", "place", "viewer"),
    [
        ("uploadProfilePicture(input: {file: $file})", "schema.users.mutations.profile.UPLOAD", make_guest),
        (
            'addListingImage(input: {listingId: "x", file: $file})',
            "schema.listings.mutations.images.UPLOAD",
            make_host,
        ),
    ],
)
def test_pictures_count(
    mutation: str, place: str, viewer: Any, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(place, Limit(f"test-{uuid.uuid4().hex}", "1/minute", closes=True))
    person = viewer()
    query = f"mutation($file: Upload!) {{ it: {mutation} {{ errors {{ code }} }} }}"
    answers = [ask(query, {"file": SimpleUploadedFile("a.png", b"no picture")}, viewer=person) for _ in range(2)]
    assert "errors" not in answers[0]
    assert answers[0]["data"]["it"]["errors"]
    assert [error["extensions"]["code"] for error in answers[1]["errors"]] == ["RATE_LIMITED"]
