"""What of it people want to be told, and in which way.

What a person must learn cannot be turned off: by mail, what concerns their money and whether a booking of theirs stands; in
the account, what our staff has to say and that a host's calendars are at odds. The rest is a courtesy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet

from apps.core.db import unit_of_work
from apps.core.errors import Collector, Invalid, NotAllowed
from apps.core.ids import derivations, derive, is_derived
from apps.notifications.models import MutedAddress, NotificationChannel, NotificationSettings, NotificationType
from apps.notifications.wording import DEFAULT_LOCALE, clean_locale
from apps.users.models import User

EMAIL, IN_APP = NotificationChannel.EMAIL, NotificationChannel.IN_APP

# Each type by mail and in the account. True: told, and cannot be turned off; False: can be; left out: never told so.
_REQUIRED: dict[NotificationType, dict[NotificationChannel, bool]] = {
    NotificationType.BOOKING_CONFIRMED: {EMAIL: True, IN_APP: False},
    NotificationType.BOOKING_CHANGED: {EMAIL: True, IN_APP: False},
    NotificationType.BOOKING_CANCELED: {EMAIL: True, IN_APP: False},
    NotificationType.BOOKING_REMINDER: {EMAIL: False, IN_APP: False},
    NotificationType.BOOKING_ENDED: {EMAIL: False, IN_APP: False},
    NotificationType.PAYMENT_FAILED: {EMAIL: True, IN_APP: False},
    NotificationType.PAYMENT_REFUNDED: {EMAIL: True, IN_APP: False},
    NotificationType.REVIEW_RECEIVED: {EMAIL: False, IN_APP: False},
    NotificationType.REVIEW_REPLIED: {EMAIL: False, IN_APP: False},
    NotificationType.CALENDAR_CONFLICT: {EMAIL: False, IN_APP: True},
    NotificationType.MESSAGE: {IN_APP: True},
}


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether a type is told in a channel, and whether that can be changed."""

    type: NotificationType
    channel: NotificationChannel
    enabled: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """That a type be told in a channel, or no longer."""

    type: NotificationType
    channel: NotificationChannel
    enabled: bool


def can_be_muted(type: NotificationType, channel: NotificationChannel) -> bool:  # noqa: A002
    """Whether a person may turn it off."""
    return _REQUIRED[type].get(channel) is False


def preferences_of(*, viewer: User) -> list[Preference]:
    """Every type in every channel that it is told in."""
    muted = set(_settings(viewer.pk).muted)
    return [
        Preference(type, channel, enabled=is_required or _name(type, channel) not in muted, required=is_required)
        for type, channels in _REQUIRED.items()  # noqa: A001
        for channel, is_required in channels.items()
    ]


def locale_of(*, user_id: int | None) -> str:
    """How the account writes numbers; as in English where nobody said."""
    return DEFAULT_LOCALE if user_id is None else _settings(user_id).locale or DEFAULT_LOCALE


def muting(
    *,
    ids: Iterable[int],
    type: NotificationType,  # noqa: A002
    channel: NotificationChannel,
) -> QuerySet[NotificationSettings]:
    """The settings of those of the accounts that turned it off."""
    return NotificationSettings.objects.filter(user__in=list(ids), muted__contains=[_name(type, channel)])


def wants_mail(*, reader_id: int | None, address: str, type: NotificationType) -> bool:  # noqa: A002
    """Whether the account, or the address without one, still wants courtesies of this type by mail."""
    if not can_be_muted(type, EMAIL):
        return True
    if reader_id is not None:
        return not muting(ids=[reader_id], type=type, channel=EMAIL).exists()
    return not MutedAddress.objects.filter(address__in=_digests(address), type=type).exists()


@unit_of_work
def update_preferences(*, viewer: User, wishes: Sequence[Wish], locale: str | None = None, now: datetime) -> None:
    """Turn types on and off in channels; of several wishes for the same the last counts. None leaves the locale.

    Raises Invalid at `locale`, at `preferences.N.channel` for a type that is never told so, and NotAllowed at
    `preferences.N.enabled` for what cannot be turned off; then nothing has changed.
    """
    problems = Collector()
    with problems.caught():
        locale = None if locale is None else clean_locale(locale, field="locale")
    for number, wish in enumerate(wishes):
        at = ("preferences", str(number))
        if wish.channel not in _REQUIRED[wish.type]:
            problems.add(Invalid("It is never told in this way.", field=(*at, "channel")))
        elif not wish.enabled and not can_be_muted(wish.type, wish.channel):
            problems.add(NotAllowed("This cannot be turned off.", field=(*at, "enabled")))
    problems.raise_if_any()
    _write(user_id=viewer.pk, wishes=wishes, locale=locale, now=now)


def _write(*, user_id: int, wishes: Sequence[Wish], locale: str | None, now: datetime) -> None:
    NotificationSettings.objects.bulk_create(
        [NotificationSettings(user_id=user_id, updated_at=now)], ignore_conflicts=True
    )
    row = NotificationSettings.objects.select_for_update(of=("self",)).get(pk=user_id)
    for wish in wishes:
        name = _name(wish.type, wish.channel)
        row.muted = sorted(set(row.muted) - {name} if wish.enabled else {*row.muted, name})
    row.locale = row.locale if locale is None else locale
    row.updated_at = now
    row.save(update_fields=["muted", "locale", "updated_at"])


def unsubscribe_path(*, reader_id: int | None, address: str, type: NotificationType) -> str:  # noqa: A002
    """Below PUBLIC_URL, where whoever holds the address turns off mails of this type to the reader.

    An account is named by its number, an address without one by its digest.
    """
    who = f"a{_digest(address)}" if reader_id is None else f"u{reader_id}"
    return f"/unsubscribe/{who}/{type.value}/{derive('unsubscribe', who, type.value)}"


def is_unsubscribe_path(*, who: str, type: str, secret: str) -> bool:  # noqa: A002
    """Whether the address was given out, for a type that can be turned off."""
    return (
        type in NotificationType.values
        and can_be_muted(NotificationType(type), EMAIL)
        and is_derived(secret, "unsubscribe", who, type)
    )


@unit_of_work
def subscribe(*, who: str, type: NotificationType, wanted: bool, now: datetime) -> None:  # noqa: A002
    """Turn mails of a type off, or on again, for whom an unsubscribe address names. Somebody who left is nobody."""
    if who.startswith("u"):
        pk = int(who[1:])
        if User.objects.select_for_update(of=("self",), no_key=True).filter(pk=pk, is_active=True).exists():
            _write(user_id=pk, wishes=[Wish(type, EMAIL, enabled=wanted)], locale=None, now=now)
    elif wanted:
        MutedAddress.objects.filter(address=who[1:], type=type).delete()
    else:
        row = MutedAddress(address=who[1:], type=type, created_at=now)
        MutedAddress.objects.bulk_create([row], ignore_conflicts=True)


def is_subscribed(*, who: str, type: NotificationType) -> bool:  # noqa: A002
    """Whether whom an unsubscribe address names gets mails of the type."""
    if who.startswith("u"):
        return not muting(ids=[int(who[1:])], type=type, channel=EMAIL).exists()
    return not MutedAddress.objects.filter(address=who[1:], type=type).exists()


def feed_number(*, user_id: int) -> int:
    """Which address the feed of the account's bookings has: 0 the first."""
    return _settings(user_id).feed_number


@unit_of_work
def next_feed(*, viewer: User, now: datetime) -> None:
    """Give the feed of the account's bookings another address."""
    _write(user_id=viewer.pk, wishes=[], locale=None, now=now)
    NotificationSettings.objects.filter(pk=viewer.pk).update(feed_number=F("feed_number") + 1)


def _settings(user_id: int) -> NotificationSettings:
    found = NotificationSettings.objects.filter(pk=user_id).first()
    return found or NotificationSettings(user_id=user_id)


def _name(type: NotificationType, channel: NotificationChannel) -> str:  # noqa: A002
    return f"{type.value}:{channel.value}"


def _digest(address: str) -> str:
    return derive("address", address.lower())


def _digests(address: str) -> list[str]:
    """The digest, and after it those under the keys before."""
    return derivations("address", address.lower())
