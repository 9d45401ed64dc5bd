"""Taking everything along: all that is the person's, and nothing of anybody else."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.audit.actions import record
from apps.audit.models import AuditEvent, AuditKind
from apps.availability.models import Block
from apps.hosting.models import ImportedCalendar
from apps.payments.models import Card, Charge
from apps.reviews.models import Review
from tests.accounts.bookings import book_home, completed
from tests.recipes import make_guest, make_host, make_property
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "{ me { export } }"
NOW = datetime.now(UTC)


def test_everything_of_the_person_and_nothing_of_others(api: Api) -> None:
    host = make_host(
        email="hidden-host@example.com", first_name="Zebulon", last_name="Hidden", phone_number="+4930999888"
    )
    other = make_guest(email="other@example.com", last_name="Otherson")
    guest = make_guest(email="ada@example.com", last_name="Lovelace", phone_number="+493012345")
    home, own = make_property(host=host), make_property(host=guest, title="Mine to let")
    booking = completed(book_home(home, guest=guest, weeks=4))
    foreign = completed(book_home(home, guest=other, weeks=6))
    hosted = book_home(own, guest=other)
    for row, payer, key in ((booking, guest, "a"), (foreign, other, "b")):
        Charge.objects.create(
            bill=row.bill, payer=payer, amount_minor=20_000, currency="EUR", payment_method="pm_secret", timing="NOW",
            status="SUCCEEDED", idempotency_key=key, client_secret="pi_secret", card_last4="4242", created_at=NOW,
        )  # fmt: skip
    Review.objects.create(
        listing=home, author=guest, rating=5, comment="My words.", reply="The host's words.", replied_at=NOW,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    Review.objects.create(listing=home, author=other, rating=1, comment="Not mine.", created_at=NOW, updated_at=NOW)

    Review.objects.create(
        listing=own, author=other, rating=2, comment="Not mine either.", reply="My answer.", replied_at=NOW,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    for owner, last4 in ((guest, "4242"), (other, "9999")):
        Card.objects.create(
            user=owner, payment_method="pm_secret", fingerprint="secret", brand="visa", last4=last4, exp_month=1,
            exp_year=2030, created_at=NOW,
        )  # fmt: skip
    for listing, whose in ((own, "mine"), (home, "Zebulon")):
        Block.objects.create(
            listing=listing, period=DateTimeTZRange(NOW, NOW + timedelta(days=1)), reason=whose, created_at=NOW
        )
        ImportedCalendar.objects.create(
            listing=listing, name=whose, url=f"https://cal.example/{whose}", created_at=NOW, next_sync_at=NOW
        )
    record(AuditKind.SIGN_IN_REFUSED, now=NOW, user_id=guest.pk)
    record(AuditKind.SIGN_IN_REFUSED, now=NOW, user_id=other.pk)

    document = api.enter(guest).data(EXPORT)["me"]["export"]

    assert document["profile"]["email"] == "ada@example.com"
    assert document["profile"]["phoneNumber"] == "+493012345"
    assert len(document["sessions"]) == 1
    assert [row["title"] for row in document["listings"]] == ["Mine to let"]
    assert [row["reference"] for row in document["bookings"]] == [booking.reference]
    assert document["bookings"][0]["total"] == {"amountMinor": 20_000, "currency": "EUR"}
    assert document["bookings"][0]["history"][0]["type"] == "HELD"
    assert [(row["booking"], row["cardLast4"]) for row in document["payments"]] == [(booking.reference, "4242")]
    assert [row["comment"] for row in document["reviews"]] == ["My words."]
    assert [row["reply"] for row in document["repliesToReviews"]] == ["My answer."]
    assert document["cards"] == [{"brand": "visa", "last4": "4242", "expMonth": 1, "expYear": 2030}]
    assert [row["reason"] for row in document["blocks"]] == ["mine"]
    assert [row["url"] for row in document["calendars"]] == ["https://cal.example/mine"]
    assert [row["kind"] for row in document["securityEvents"]] == ["SIGN_IN_REFUSED", "SIGNED_IN", "EXPORTED"]
    text = json.dumps(document)
    others = ("hidden-host", "Zebulon", "Hidden", "4930999888", "Otherson", "other@", "The host's", "Not mine", "9999",
              foreign.reference, hosted.reference, "secret", "argon2")  # fmt: skip
    assert [word for word in others if word in text] == []
    assert [(row.user_id, row.actor_id) for row in AuditEvent.objects.filter(kind="EXPORTED")] == [(guest.pk, guest.pk)]


def test_nobody_exports_another(api: Api) -> None:
    assert api.data(EXPORT) == {"me": None}
    assert not AuditEvent.objects.filter(kind="EXPORTED").exists()
