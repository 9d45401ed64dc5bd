"""A new secret key, with the one before as its fallback, puts nobody out; without it everything that hung on it is over."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, Signer
from django.test import Client
from pytest_django.fixtures import Settings

from apps.bookings import actions
from apps.bookings.feeds import feed_address, feed_owner
from apps.bookings.models import Booking
from apps.bookings.policies import side_of
from apps.bookings.receipts import receipt_of, receipt_url
from apps.bookings.selectors import booking_of_ticket
from apps.core.db import unit_of_work
from apps.core.errors import DomainError
from apps.core.ids import digest
from apps.hosting.addresses import feed_urls, listing_of_feed
from apps.integrations.signing import signature, signed_headers
from apps.listings.offers import BookingRequest
from apps.notifications.models import NotificationType
from apps.notifications.preferences import is_unsubscribe_path, subscribe, unsubscribe_path, wants_mail
from apps.payments.models import Charge
from apps.staff import codes
from apps.users.actions import mail_tokens, sessions
from apps.users.keys import derived_key
from apps.users.models import MailPurpose, MailToken
from apps.users.selectors import has_signed_in_from, network_mark
from apps.users.signin import oidc
from apps.users.tokens import read_access_token
from booking.env import Environment
from schema.core.cursors import read_cursor, write_cursor
from schema.core.errors import BadUserInput
from tests.bookings.life import held, paid
from tests.integrations.world import listen
from tests.readme.test_env_example import REQUIRED, ROOT
from tests.recipes import PASSWORD, make_event, make_guest, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "a new key of the house that is long enough for one"
Holds = Callable[[], bool]


def turn_to(settings: Settings, key: str, *before: str) -> None:
    settings.SECRET_KEY = key
    settings.SECRET_KEY_FALLBACKS = list(before)
    settings.SIGNING_KEYS = tuple(derived_key(each) for each in (key, *before))


def unrefused(call: Callable[[], object]) -> bool:
    with suppress(DomainError, BadUserInput, BadSignature, codes.SecretUnreadable):
        return call() is not None
    return False


def of_bookings(now: datetime) -> dict[str, Holds]:
    event = make_event(tickets=9)
    booking = paid(held(event, now=now, tickets=1), now=now)
    charge = Charge.objects.get(bill=booking.bill_id)
    url = receipt_url(charge, now=now)
    assert url is not None
    contact = actions.Contact(email="ada@example.com", first_name="Ada", last_name="L")
    alone: Booking = actions.hold(
        kind_code=event.kind,
        listing_id=event.pk,
        listing_field="listing",
        request=BookingRequest(tickets=1),
        guest=None,
        contact=contact,
        now=now,
    )
    token, ticket, guest = alone.access_token, booking.ticket_code, booking.guest
    assert token
    assert ticket
    assert guest
    feed, of_listing = feed_address(guest), feed_urls(listing_ids=[event.pk])[event.pk].rpartition("/")[2][:-4]
    return {
        "receipts": lambda: receipt_of(url.rpartition("/")[2], now=now) is not None,
        "bookings without an account": lambda: side_of(alone, viewer=None, access_token=token) is not None,
        "tickets": lambda: booking_of_ticket(ticket) == booking.pk,
        "the feed of a person": lambda: feed_owner(feed) == guest,
        "the feed of a listing": lambda: listing_of_feed(of_listing) == event,
    }


def of_accounts(now: datetime) -> dict[str, Holds]:
    user = make_guest(password=PASSWORD)
    pair = unit_of_work(sessions.open_session)(user=user, user_agent="", now=now)
    pair.session.network = network_mark("192.0.2.7")
    pair.session.save()
    mail_token = MailToken(purpose=MailPurpose.RESET_PASSWORD, user=user, nonce="n", created_at=now, expires_at=now)
    mail_token.token_hash = digest(mail_tokens.secret_of(mail_token))
    browser = Client()
    staff = make_staff(password=PASSWORD)
    browser.force_login(staff)
    cursor = write_cursor((7,), b"scope")
    secret = codes.new_secret()
    backup = codes.backup_digest("ABCD-EFGH-JKMN", factor_id=1)
    return {
        "access tokens": lambda: unrefused(lambda: read_access_token(pair.access_token, now=now)),
        "known networks": lambda: has_signed_in_from(email=user.email, address="192.0.2.7"),
        "a link that is mailed later": lambda: digest(mail_tokens.secret_of(mail_token)) == mail_token.token_hash,
        "sign-ins to the admin": lambda: browser.get("/admin/password_change/").status_code == 200,
        "cursors": lambda: unrefused(lambda: read_cursor(cursor, b"scope")),
        "second factors": lambda: unrefused(lambda: codes.key_of(secret)),
        "backup codes": lambda: backup in codes.backup_digests("abcd efgh jkmn", factor_id=1),
    }


def of_others(now: datetime) -> dict[str, Holds]:
    about = NotificationType.BOOKING_REMINDER
    *_, who, type_, secret = unsubscribe_path(reader_id=None, address="ada@example.com", type=about).split("/")
    subscribe(who=who, type=about, wanted=False, now=now)
    endpoint, known = listen(make_event().host, "http://127.0.0.1:9/")
    expected = signature(known, message_id="evt_1", timestamp=int(now.timestamp()), body=b"{}")
    cookie = Signer(salt=oidc._signer.salt).sign_object(
        ["site", "binding", "https://app.example.com", "x", int(now.timestamp())]
    )
    return {
        "unsubscribe links": lambda: is_unsubscribe_path(who=who, type=type_, secret=secret),
        "who wants no mails": lambda: not wants_mail(reader_id=None, address="Ada@example.com", type=about),
        "what is sent to integrators": lambda: (
            expected in signed_headers(endpoint, message_id="evt_1", body=b"{}", now=now)["webhook-signature"].split()
        ),
        "a journey to a provider": lambda: unrefused(lambda: Signer(salt=oidc._signer.salt).unsign_object(cookie)),
    }


def test_what_hangs_on_the_key_before_is_good_while_that_is_a_fallback(settings: Settings) -> None:
    now = datetime.now(UTC)
    old = settings.SECRET_KEY
    hold = {**of_bookings(now), **of_accounts(now), **of_others(now)}
    assert [name for name, holds in hold.items() if not holds()] == []
    # The new key is known everywhere before anybody signs with it.
    turn_to(settings, old, NEW)
    assert [name for name, holds in hold.items() if not holds()] == []
    turn_to(settings, NEW)
    assert [name for name, holds in hold.items() if holds()] == []
    # What is made now is good under the new key alone.
    turn_to(settings, NEW, old)
    assert [name for name, holds in hold.items() if not holds()] == []
    after = {**of_bookings(now), **of_accounts(now), **of_others(now)}
    turn_to(settings, NEW)
    assert [name for name, holds in after.items() if not holds()] == []


def test_a_sign_in_to_the_admin_goes_on_under_the_new_key(settings: Settings) -> None:
    old, browser = settings.SECRET_KEY, Client()
    browser.force_login(make_staff(password=PASSWORD))
    turn_to(settings, NEW, old)
    assert browser.get("/admin/password_change/").status_code == 200
    # It has been moved to the new one by that.
    turn_to(settings, NEW)
    assert browser.get("/admin/password_change/").status_code == 200


def test_a_refresh_token_that_comes_twice_around_the_change_is_no_theft(settings: Settings) -> None:
    now = datetime.now(UTC)
    first = unit_of_work(sessions.open_session)(user=make_guest(), user_agent="", now=now).refresh_token
    second = sessions.refresh(refresh_token=first, now=now).refresh_token
    turn_to(settings, NEW, settings.SECRET_KEY)
    assert sessions.refresh(refresh_token=first, now=now).refresh_token == second
    assert sessions.refresh(refresh_token=second, now=now).refresh_token != second


def test_a_short_fallback_is_told_in_one_line() -> None:
    read = Environment.read({**REQUIRED, "SECRET_KEY_FALLBACKS": f"{NEW}, {NEW}2"}, base=ROOT)
    assert read.secret_key_fallbacks == [NEW, f"{NEW}2"]
    assert [key.kid for key in read.signing_keys] == [
        derived_key(key).kid for key in (REQUIRED["SECRET_KEY"], NEW, f"{NEW}2")
    ]
    with pytest.raises(ImproperlyConfigured) as told:
        Environment.read({**REQUIRED, "SECRET_KEY_FALLBACKS": "short"}, base=ROOT)
    assert str(told.value) == "SECRET_KEY_FALLBACKS: each key must have at least 32 characters, and no comma."
