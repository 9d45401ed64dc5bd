"""Somebody leaves while something of theirs is being written: it comes in before and counts, or it does not come in."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.accounts import actions as accounts
from apps.accounts.actions import delete_account
from apps.bookings import bookable
from apps.bookings.actions import finish_due
from apps.bookings.models import Booking
from apps.core.errors import AccountClosed, DomainError
from apps.core.prepared import Prepared
from apps.hosting import actions as hosting
from apps.listings.models import Listing
from apps.reviews import actions as reviews
from apps.reviews.models import Review
from apps.users.actions import accounts as profiles
from apps.users.actions import credentials
from apps.users.models import MailToken, User
from tests.accounts.bookings import book_home, completed
from tests.bookings.life import again, held, parked
from tests.concurrency.guards import somebody_waits
from tests.concurrency.test_lock_order import in_thread
from tests.hosting.inputs import NOW, RIGHT
from tests.recipes import (
    PASSWORD,
    make_event,
    make_guest,
    make_host,
    make_parking_spot,
    make_property,
    make_staff,
)
from tests.serving import at_once, eventually

pytestmark = pytest.mark.django_db(transaction=True)

# `apps.bookings.actions` also has functions of these names.
HOLDING = sys.modules["apps.bookings.actions.hold"]
ENDING = sys.modules["apps.bookings.actions.end"]
CLIENTS = 32


def leaver(make: Callable[..., User] = make_guest) -> User:
    return make(password=PASSWORD, email="grace@navy.example", first_name="Grace", last_name="Hopperschmidt")


def told(call: Callable[[], Any]) -> str:
    try:
        call()
    except AccountClosed:
        return "CLOSED"
    except DomainError as error:
        return str(error.code.value)
    return "DONE"


def leave(user: User) -> str:
    return told(lambda: delete_account(viewer=user, password=PASSWORD, now=datetime.now(UTC)))


def book(home: Listing, guest: User, *, weeks: int = 4) -> str:
    return told(lambda: book_home(home, guest=guest, weeks=weeks))


def people_of_bookings() -> list[tuple[int | None, str]]:
    return list(Booking.objects.values_list("guest", "email"))


class Meanwhile:
    """Does something in another thread in the middle of a step of a module, the first time that it is taken."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, call: Callable[[], str], *, waits: bool
    ) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[str] | None = None
        taken = getattr(module, step)

        def interrupted(*arguments: Any, **named: Any) -> Any:
            if self._future is None:
                self._future = self._pool.submit(in_thread, call)
                if waits:
                    eventually(somebody_waits, "the other one waits")
                else:
                    self._future.result()
            return taken(*arguments, **named)

        monkeypatch.setattr(module, step, interrupted)

    def outcome(self) -> str:
        assert self._future is not None, "the step was not taken"
        try:
            return self._future.result()
        finally:
            self._pool.shutdown()


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Book as if nobody ever left."""
    unguarded = Prepared("unguarded", "SELECT %(listing)s, %(guest)s", listing="bigint", guest="bigint")
    monkeypatch.setattr(bookable, "LOCK_LISTING_AND_GUEST", unguarded)


def test_a_booking_in_flight_keeps_its_guest_here(monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = leaver(), make_property()
    leaving = Meanwhile(monkeypatch, HOLDING, "_write", lambda: leave(guest), waits=True)
    assert book(home, guest) == "DONE"
    assert leaving.outcome() == "WRONG_STATE"
    guest.refresh_from_db()
    assert (guest.is_active, guest.email) == (True, "grace@navy.example")
    assert people_of_bookings() == [(guest.pk, "grace@navy.example")]


def test_without_the_lock_the_booking_would_keep_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = leaver(), make_property()
    without_lock(monkeypatch)
    leaving = Meanwhile(monkeypatch, HOLDING, "_write", lambda: leave(guest), waits=False)
    assert book(home, guest) == "DONE"
    assert leaving.outcome() == "DONE"
    assert people_of_bookings() == [(guest.pk, "grace@navy.example")]
    assert not User.objects.get(pk=guest.pk).is_active


def test_who_is_leaving_books_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = leaver(), make_property()
    booking = Meanwhile(monkeypatch, accounts, "_made_nameless", lambda: book(home, guest), waits=True)
    assert leave(guest) == "DONE"
    assert booking.outcome() == "CLOSED"
    assert people_of_bookings() == []
    # The place was not taken either.
    assert book(home, make_guest()) == "DONE"


def test_a_booking_that_was_made_and_ended_meanwhile_loses_its_guest_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither live, which would keep its guest, nor among those that were locked."""
    guest, home = leaver(), make_property()

    def booked_and_over() -> str:
        completed(book_home(home, guest=guest))
        return "DONE"

    # Once its own bookings were looked at, while the password is compared.
    meanwhile = Meanwhile(monkeypatch, accounts, "_locked", booked_and_over, waits=False)
    assert leave(guest) == "DONE"
    assert meanwhile.outcome() == "DONE"
    assert people_of_bookings() == [(None, "")]


def test_of_many_bookings_and_one_who_leaves_nothing_stays_behind() -> None:
    guest, home = leaver(), make_property(units=CLIENTS)
    outcomes = at_once([*[lambda: book(home, guest)] * (CLIENTS - 1), lambda: leave(guest)])
    guest.refresh_from_db()
    if outcomes[-1] == "DONE":
        assert not guest.is_active
        assert set(outcomes[:-1]) == {"CLOSED"}
        assert people_of_bookings() == []
    else:
        assert outcomes[-1] == "WRONG_STATE"
        assert guest.is_active
        assert people_of_bookings() == [(guest.pk, guest.email)] * outcomes.count("DONE")


def test_a_listing_in_flight_is_archived_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    host = leaver(make_host)

    def create() -> str:
        fields = RIGHT["PROPERTY"]
        return told(
            lambda: hosting.create_listing(host=host, kind_code="PROPERTY", fields=fields, now=datetime.now(UTC))
        )

    leaving = Meanwhile(monkeypatch, hosting, "set_capacity", lambda: leave(host), waits=True)
    assert create() == "DONE"
    assert leaving.outcome() == "DONE"
    assert list(Listing.objects.values_list("host", "status")) == [(host.pk, "ARCHIVED")]
    assert create() == "CLOSED"
    assert Listing.objects.count() == 1


def test_who_is_leaving_publishes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    host = leaver(make_host)
    home = make_property(host=host)

    def publish(viewer: User = host) -> str:
        return told(lambda: hosting.publish_listing(viewer=viewer, listing_id=home.pk, now=datetime.now(UTC)))

    publishing = Meanwhile(monkeypatch, accounts, "_made_nameless", publish, waits=True)
    assert leave(host) == "DONE"
    assert publishing.outcome() == "CLOSED"
    # Staff does not offer what nobody would open the door of.
    assert publish(make_staff()) == "WRONG_STATE"
    home.refresh_from_db()
    assert home.status == "ARCHIVED"


def test_a_review_in_flight_loses_its_author_and_the_host_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = leaver(), make_property()
    completed(book_home(home, guest=guest))

    def review() -> str:
        return told(
            lambda: reviews.create_review(
                viewer=guest, listing_id=home.pk, rating=5, comment="Grace it had.", now=datetime.now(UTC)
            )
        )

    leaving = Meanwhile(monkeypatch, reviews, "tell", lambda: leave(guest), waits=True)
    assert review() == "DONE"
    assert leaving.outcome() == "DONE"
    found = Review.objects.get()
    assert (found.author, found.comment) == (None, "Grace it had.")
    (note,) = home.host.notifications.filter(type="REVIEW_RECEIVED")
    assert note.body == "A guest wrote:\n\nGrace it had."


def test_who_is_leaving_reviews_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = leaver(), make_property()
    completed(book_home(home, guest=guest))

    def review() -> str:
        return told(
            lambda: reviews.create_review(
                viewer=guest, listing_id=home.pk, rating=5, comment="Fine.", now=datetime.now(UTC)
            )
        )

    reviewing = Meanwhile(monkeypatch, accounts, "_made_nameless", review, waits=True)
    assert leave(guest) == "DONE"
    assert reviewing.outcome() in ("CLOSED", "NOT_ALLOWED")
    assert not Review.objects.exists()


def test_who_is_leaving_writes_nothing_into_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    user = leaver()
    now = datetime.now(UTC)
    calls: list[Callable[[], Any]] = [
        lambda: profiles.update_profile(viewer=user, changes={"first_name": "Grace"}),
        lambda: profiles.become_host(viewer=user, now=now),
        lambda: credentials.change_email(viewer=user, new_email="new@navy.example", password=PASSWORD, now=now),
    ]
    outcomes: list[str] = []

    def all_of_them() -> str:
        outcomes.extend(told(call) for call in calls)
        return "DONE"

    Meanwhile(monkeypatch, accounts, "_made_nameless", all_of_them, waits=True)
    assert leave(user) == "DONE"
    eventually(lambda: len(outcomes) == len(calls), "all were tried")
    assert outcomes == ["CLOSED"] * len(calls)
    user.refresh_from_db()
    assert (user.first_name, user.role) == ("", "GUEST")
    assert not MailToken.objects.exists()


# ------------------------------------------------------------------------------------ in the order of everybody else


def leave_later(user: User, *, now: datetime) -> str:
    return told(lambda: delete_account(viewer=user, password=PASSWORD, now=now))


def test_who_leaves_with_run_out_holds_waits_for_a_host_who_moves_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second hold that gives its ticket back writes the stock again, and so asks for the listing at its end."""
    guest, event = leaver(), make_event()
    bookings = [held(event, guest=guest, tickets=1) for _ in range(2)]
    over = NOW + timedelta(hours=1)
    leaving = Meanwhile(monkeypatch, hosting, "move_along", lambda: leave_later(guest, now=over), waits=True)
    start = event.event.starts_at + timedelta(hours=5)
    fields = {"starts_at": start, "ends_at": start + timedelta(hours=2)}
    hosting.update_listing(viewer=event.host, kind_code="EVENT", listing_id=event.pk, fields=fields, now=over)
    assert leaving.outcome() == "DONE"
    assert [(again(booking).status, again(booking).span.start) for booking in bookings] == [("EXPIRED", start)] * 2


def test_a_host_who_leaves_waits_for_what_is_being_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who ends a booking writes its row twice, and so asks for the listing at the end."""
    host = leaver(make_host)
    booking = parked(make_parking_spot(host=host), minutes=60)
    over = NOW + timedelta(hours=1)
    leaving = Meanwhile(monkeypatch, ENDING, "finish", lambda: leave_later(host, now=over), waits=True)
    assert finish_due(now=over) == 1
    assert leaving.outcome() == "DONE"
    assert again(booking).status == "COMPLETED"
