"""What people want to be told: what can be turned off, by whom, and what is told all the same."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.bookings.actions import cancel, remind_due
from apps.notifications.letters import render
from apps.notifications.models import Letter, MutedAddress, NotificationSettings, NotificationType
from apps.notifications.preferences import EMAIL, IN_APP, Wish, can_be_muted, update_preferences
from apps.notifications.views import SORTS
from tests.notifications.test_facts import NOW, book, confirm, mailed, stay, told
from tests.recipes import PASSWORD, make_event, make_guest, make_property
from tests.schema.users.conftest import Api
from tests.serving import at_once

pytestmark = pytest.mark.django_db

SHOW = "{ me { locale notificationPreferences { type channel enabled required } } }"
UPDATE = """mutation($input: UpdateNotificationPreferencesInput!) { updateNotificationPreferences(input: $input) {
    viewer { locale notificationPreferences { type channel enabled } } errors { code field } } }"""


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    settings.PUBLIC_URL = "https://book.example"


def off(type: str, channel: str) -> dict[str, Any]:  # noqa: A002
    return {"type": type, "channel": channel, "enabled": False}


def update(api: Api, *wishes: dict[str, Any], **more: Any) -> Any:
    return api.data(UPDATE, input={"preferences": list(wishes), **more})["updateNotificationPreferences"]


def test_everything_is_told_until_somebody_says_otherwise() -> None:
    shown = Api().enter(make_guest()).data(SHOW)["me"]
    assert shown["locale"] == "en"
    preferences = shown["notificationPreferences"]
    assert all(each["enabled"] for each in preferences)
    assert {each["type"] for each in preferences} == set(NotificationType.values)
    required = {(each["type"], each["channel"]) for each in preferences if each["required"]}
    assert required == {
        ("BOOKING_CONFIRMED", "EMAIL"),
        ("BOOKING_CHANGED", "EMAIL"),
        ("BOOKING_CANCELED", "EMAIL"),
        ("PAYMENT_FAILED", "EMAIL"),
        ("PAYMENT_REFUNDED", "EMAIL"),
        ("CALENDAR_CONFLICT", "IN_APP"),
        ("MESSAGE", "IN_APP"),
    }
    assert ("MESSAGE", "EMAIL") not in {(each["type"], each["channel"]) for each in preferences}
    assert Api().data(SHOW) == {"me": None}


def test_a_wish_changes_one_type_in_one_channel_for_one_account() -> None:
    guest, other = make_guest(), make_guest()
    api = Api().enter(guest)
    payload = update(api, off("BOOKING_REMINDER", "EMAIL"), off("BOOKING_ENDED", "IN_APP"), locale="de_at")
    assert payload["errors"] == []
    disabled = {
        (each["type"], each["channel"]) for each in payload["viewer"]["notificationPreferences"] if not each["enabled"]
    }
    assert (payload["viewer"]["locale"], disabled) == (
        "de-AT",
        {("BOOKING_REMINDER", "EMAIL"), ("BOOKING_ENDED", "IN_APP")},
    )
    again = update(api, {**off("BOOKING_REMINDER", "EMAIL"), "enabled": True})
    assert sum(not each["enabled"] for each in again["viewer"]["notificationPreferences"]) == 1
    assert again["viewer"]["locale"] == "de-AT"
    assert all(each["enabled"] for each in Api().enter(other).data(SHOW)["me"]["notificationPreferences"])


def test_what_must_be_told_cannot_be_turned_off_and_nothing_else_changes_then() -> None:
    api = Api().enter(make_guest())
    wishes = (off("BOOKING_REMINDER", "EMAIL"), off("PAYMENT_REFUNDED", "EMAIL"), off("MESSAGE", "EMAIL"))
    payload = update(api, *wishes, locale="xx-1")
    assert payload["viewer"] is None
    assert sorted((each["code"], each["field"]) for each in payload["errors"]) == [
        ("INVALID", ["locale"]),
        ("INVALID", ["preferences", "2", "channel"]),
        ("NOT_ALLOWED", ["preferences", "1", "enabled"]),
    ]
    assert update(api, *[off("BOOKING_REMINDER", "EMAIL")] * 101)["errors"][0]["code"] == "INVALID"
    assert not NotificationSettings.objects.exists()
    assert api.refusals(UPDATE, input={"locale": None}) == [("REQUIRED", ["locale"])]


def test_what_is_turned_off_is_not_told_and_the_rest_is() -> None:
    event, guest = make_event(starts_at=NOW + timedelta(days=3)), make_guest()
    wishes = [Wish(NotificationType.BOOKING_CANCELED, IN_APP, enabled=False)]
    wishes.append(Wish(NotificationType.BOOKING_REMINDER, EMAIL, enabled=False))
    update_preferences(viewer=guest, wishes=wishes, now=NOW)
    booking = confirm(book(event, guest, tickets=1))
    assert remind_due(now=NOW + timedelta(days=2)) == 1
    cancel(viewer=guest, booking_id=booking.pk, reason="", now=NOW + timedelta(days=2))
    assert told(guest) == {"BOOKING_CONFIRMED": 1, "BOOKING_REMINDER": 1}
    assert mailed(guest.email) == {"held": 1, "confirmed": 1, "canceled": 1}
    assert told(event.host) == {"BOOKING_CONFIRMED": 1, "BOOKING_CANCELED": 1}


def test_amounts_are_written_as_their_reader_writes_them() -> None:
    home, guest, other = make_property(price_minor=123_450), make_guest(), make_guest()
    update_preferences(viewer=guest, wishes=[], locale="de-DE", now=NOW)
    stay(home, guest)
    book(home, other, check_in=date(2026, 12, 8), check_out=date(2026, 12, 10), guests=1)
    found = {letter.to: render(letter).text for letter in Letter.objects.all()}
    assert "The price is 2.469,00 EUR." in found[guest.email]
    assert "The price is 2,469.00 EUR." in found[other.email]


def unsubscribe_of(letter: Letter) -> str:
    url = render(letter).unsubscribe
    assert url.startswith("https://book.example/unsubscribe/")
    return url.removeprefix("https://book.example")


@pytest.mark.parametrize("has_account", [True, False])
def test_one_click_ends_mails_of_a_sort(has_account: bool) -> None:
    guest = make_guest() if has_account else None
    address = guest.email if guest else "ann@example.com"
    event = make_event(starts_at=NOW + timedelta(days=3))
    other = make_event(starts_at=NOW + timedelta(days=3))
    confirm(book(event, guest, tickets=1))
    remind_due(now=NOW + timedelta(days=2))
    letter = Letter.objects.get(template="reminder")
    assert all(render(each).unsubscribe == "" for each in Letter.objects.exclude(pk=letter.pk))
    path = unsubscribe_of(letter)
    strict = Client(enforce_csrf_checks=True)
    asked = strict.get(path)
    assert (asked.status_code, b"No more of these mails" in asked.content) == (200, True)
    assert not NotificationSettings.objects.exists() | MutedAddress.objects.exists()
    # As mail programs do it: RFC 8058.
    for _ in range(2):
        done = strict.post(path, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
        assert (done.status_code, b"no more mails" in done.content) == (200, True)
    confirm(book(other, guest, tickets=1))
    assert remind_due(now=NOW + timedelta(days=2, hours=1)) == 1
    assert mailed(address) == {"held": 2, "confirmed": 2, "reminder": 1}
    if guest:
        assert told(guest)["BOOKING_REMINDER"] == 2
    else:
        assert address not in str(list(MutedAddress.objects.values()))
    strict.post(path, {"again": "on"})
    assert b"No more of these mails" in strict.get(path).content


def test_an_address_that_was_never_given_out_ends_nothing() -> None:
    guest, other = make_guest(), make_guest()
    event = make_event(starts_at=NOW + timedelta(days=3))
    confirm(book(event, guest, tickets=1))
    remind_due(now=NOW + timedelta(days=2))
    path = unsubscribe_of(Letter.objects.get(template="reminder"))
    who, sort, secret = path.removeprefix("/unsubscribe/").split("/")
    assert who == f"u{guest.pk}"
    wrong = [
        f"u{other.pk}/{sort}/{secret}",
        f"{who}/BOOKING_ENDED/{secret}",
        f"{who}/PAYMENT_REFUNDED/{secret}",
        f"{who}/{sort}/{'0' * 64}",
        f"{who}/NOTHING/{secret}",
    ]
    for each in wrong:
        assert Client().post(f"/unsubscribe/{each}").status_code == 404
    assert not NotificationSettings.objects.exists()


def test_every_sort_that_can_be_ended_by_mail_has_words_for_its_page() -> None:
    assert set(SORTS) == {each for each in NotificationType if can_be_muted(each, EMAIL)}


@pytest.mark.django_db(transaction=True)
def test_the_export_holds_them_and_leaving_takes_them_along() -> None:
    guest = make_guest(password=PASSWORD)
    api = Api()
    api.sign_in(guest)
    update_preferences(
        viewer=guest, wishes=[Wish(NotificationType.BOOKING_REMINDER, IN_APP, enabled=False)], locale="fr", now=NOW
    )
    document = api.data("{ me { export } }")["me"]["export"]
    assert document["notificationPreferences"] == {
        "locale": "fr",
        "muted": [{"type": "BOOKING_REMINDER", "channel": "IN_APP"}],
    }
    delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deleted } }"
    assert api.data(delete, input={"password": PASSWORD}) == {"deleteAccount": {"deleted": True}}
    assert not NotificationSettings.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_wishes_that_arrive_at_once_are_all_kept() -> None:
    guest = make_guest()
    sorts = [each for each in NotificationType if can_be_muted(each, IN_APP)]

    def muting(sort: NotificationType) -> Callable[[], None]:
        wishes = [Wish(sort, IN_APP, enabled=False)]
        return lambda: update_preferences(viewer=guest, wishes=wishes, now=datetime.now(UTC))

    at_once([muting(each) for each in sorts])
    assert len(NotificationSettings.objects.get().muted) == len(sorts) == 9
