"""Instances that are put down at once are those that Django makes."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.signals import post_init
from psycopg2.extras import DateTimeTZRange
from pytest_django.fixtures import Settings

from apps.availability.models import Block
from apps.bookings.models import Booking, BookingEvent
from apps.core.instances import Quick, is_plain, new
from apps.core.prepared import Prepared
from apps.core.reads import INSTANT, INTEGER, WORD, Parameter, Read
from apps.listings.models import Listing
from apps.payments.models import Bill
from apps.users.models import Session, User
from tests.recipes import make_guest, make_property

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OURS = [model for model in apps.get_models() if model.__module__.startswith("apps.") and is_plain(model)]


def held(instance: models.Model) -> dict[str, Any]:
    """What the instance holds, and what Django knows of it."""
    state = {**vars(instance._state)}
    state.setdefault("fields_cache", {})
    return {**vars(instance), "_state": state}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_it_begins_with_the_same_values(model: type[models.Model]) -> None:
    ours, theirs = held(new(model)), held(model())
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        field = None if name == "_state" else model._meta.get_field(name)
        if field is not None and callable(getattr(field, "default", None)) and value not in ({}, []):
            # A random one each time, or the clock's.
            assert (type(ours[name]), ours[name] is None) == (type(value), value is None)
        else:
            assert ours[name] == value


def test_what_the_models_of_requests_are_is_known() -> None:
    assert {Booking, BookingEvent, Bill, User, Listing} <= set(OURS)


@pytest.mark.django_db
def test_rows_of_other_tables_are_at_hand(django_assert_num_queries: Any) -> None:
    home, guest = make_property(), make_guest()
    bills = [Bill(pk=7, currency="EUR", total_minor=1, created_at=NOW) for _ in range(2)]
    values = {
        "listing": home,
        "guest": guest,
        "period": DateTimeTZRange(NOW, NOW),
        "allocation_id": 3,
        "reference": "A",
    }
    ours = new(Booking, pk=5, bill=bills[0], **values)
    theirs = Booking(pk=5, bill=bills[1], **values)
    left_out = {"_state"}
    assert {k: v for k, v in held(ours).items() if k not in left_out} == {
        k: v for k, v in held(theirs).items() if k not in left_out
    }
    assert held(ours)["_state"] == held(theirs)["_state"]
    with django_assert_num_queries(0):
        assert (ours.listing, ours.guest, ours.bill, ours.bill.booking) == (home, guest, bills[0], ours)
        assert new(Booking, guest=None).guest is None


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="'colour'"):
        new(Bill, colour="red")
    with pytest.raises(ValueError, match="bill of a Booking"):
        new(Booking, bill=Booking())


@pytest.mark.django_db
def test_it_can_be_saved() -> None:
    bill = new(Bill, currency="EUR", total_minor=5, timing="NOW", created_at=NOW)
    assert bill._state.adding
    bill.save()
    assert Bill.objects.get() == bill
    assert Bill.objects.values_list("total_minor", "captured_minor", "retry_at").get() == (5, 0, None)


@pytest.mark.django_db
def test_what_was_read_is_what_django_reads() -> None:
    guest = make_guest()
    names = [field.attname for field in User._meta.concrete_fields]
    for taken in (names, names[:3]):
        row = User.objects.values_list(*taken).get(pk=guest.pk)
        ours, theirs = Quick(User).from_db("default", taken, row), User.from_db("default", taken, row)
        assert held(ours) == held(theirs)
        assert ours.get_deferred_fields() == theirs.get_deferred_fields()
        assert ours.last_name == guest.last_name


@pytest.fixture
def _listening() -> Iterator[None]:
    def listen(**_: Any) -> None:
        pass

    post_init.connect(listen, sender=Bill)
    yield
    post_init.disconnect(listen, sender=Bill)


@pytest.mark.usefixtures("_listening")
def test_where_somebody_looks_on_django_makes_them() -> None:
    assert not is_plain(Bill)
    seen: list[models.Model] = []

    def listen(instance: models.Model, **_: Any) -> None:
        seen.append(instance)

    post_init.connect(listen, sender=Bill)
    try:
        bill = Quick(Bill).from_db("default", ["id"], [3])
    finally:
        post_init.disconnect(listen, sender=Bill)
    assert seen == [bill]
    assert is_plain(Booking)


def _sessions(*, role: Parameter, now: Parameter) -> QuerySet[Session]:
    later = Session.objects.filter(user=OuterRef("user"), created_at__gt=OuterRef("created_at"))
    return (
        Session.objects.select_related("user")
        .annotate(has_later=Exists(later), email=F("user__email"))
        .filter(Q(user__role=role) | Q(device="100% 'mine'"), created_at__lte=now, ended_at=None)
        .order_by("-created_at", "pk")
    )


SESSIONS: Read[Session] = Read(_sessions, role=WORD, now=INSTANT)


@pytest.fixture(params=["prepared", "whole", "off"])
def _way(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.COMPILED_READS = request.param != "off"
    settings.PREPARED_STATEMENTS = request.param == "prepared"


def shown(rows: Iterable[models.Model]) -> list[Any]:
    """What each holds, and what those hold that came with it."""
    found = []
    for row in rows:
        along = {name: None if one is None else held(one) for name, one in row._state.fields_cache.items()}
        found.append({**held(row), "_state": (row._state.adding, row._state.db, along)})
    return found


@pytest.mark.usefixtures("_way")
@pytest.mark.django_db
def test_a_read_brings_the_instances_that_its_query_set_brings() -> None:
    for number in range(4):
        role = "HOST" if number % 2 else "GUEST"
        user = User.objects.create(email=f"{number}@example.com", role=role, password="!", first_name="100%")
        for hours in range(3):
            Session.objects.create(
                user=user,
                created_at=NOW + timedelta(hours=hours - 1),
                last_used_at=NOW,
                ended_at=NOW if number == 3 else None,
                device="100% 'mine'" if number == 0 and hours == 0 else "",
            )
    wanted = list(SESSIONS.query_set(role="HOST", now=NOW))
    assert len(wanted) == 3
    assert shown(SESSIONS.instances(role="HOST", now=NOW)) == shown(wanted)
    assert SESSIONS.instances(role="HOST' OR true --", now=NOW - timedelta(days=1)) == []


def _listings(*, key: Parameter) -> QuerySet[Listing]:
    return Listing.objects.select_related("host", "property", "event").filter(pk=key)


def _blocks(*, key: Parameter) -> QuerySet[Block]:
    return Block.objects.filter(pk=key)


@pytest.mark.usefixtures("_way")
@pytest.mark.django_db
def test_relations_are_known_from_both_sides(django_assert_num_queries: Any) -> None:
    home = make_property(property__amenities=["wifi"])
    read: Read[Listing] = Read(_listings, key=INTEGER)
    (ours,), (theirs,) = read.instances(key=home.pk), read.query_set(key=home.pk)
    assert shown([ours]) == shown([theirs])
    assert type(ours.property) is type(theirs.property)
    with django_assert_num_queries(0):
        assert (ours.property.listing is ours, ours.property.amenities) == (True, ["wifi"])
        assert not hasattr(ours, "event")


@pytest.mark.usefixtures("_way")
@pytest.mark.django_db
def test_a_range_is_what_the_driver_makes_of_it() -> None:
    period = DateTimeTZRange(NOW, NOW + timedelta(hours=1), "[]")
    block = Block.objects.create(listing=make_property(), period=period, created_at=NOW)
    read: Read[Block] = Read(_blocks, key=INTEGER)
    (found,) = read.instances(key=block.pk)
    assert shown([found]) == shown(read.query_set(key=block.pk))
    assert found.period == period


def _by_role(*, role: Parameter) -> QuerySet[User]:
    return User.objects.filter(role=role)


def _by_key(*, key: Parameter) -> QuerySet[User]:
    return User.objects.filter(pk=key)


@pytest.mark.django_db
def test_values_keep_their_width_and_are_not_cut() -> None:
    User.objects.create(email="a@example.com", role="GUEST", password="!")
    assert Read[User](_by_role, role=WORD).instances(role="GUEST" + " " * 20 + "x") == []
    assert len(Read[User](_by_role, role=WORD).instances(role="GUEST")) == 1
    assert Read[User](_by_key, key=INTEGER).instances(key=2**62) == []


@pytest.mark.usefixtures("_way")
@pytest.mark.django_db
def test_instances_may_be_read_behind_a_statement() -> None:
    user = User.objects.create(email="a@example.com", role="GUEST", password="!")
    rename = Prepared(
        "rename", "UPDATE users_user SET first_name = %(name)s WHERE id = %(key)s", name="varchar", key="bigint"
    )
    read: Read[User] = Read(_by_key, key=INTEGER)
    assert [found.first_name for found in read.instances(after=rename, key=user.pk, name="Ada")] == ["Ada"]
    assert read.instances(after=rename, key=user.pk + 1, name="Eve") == []
    # What was asked for behind it is not what is asked for alone.
    assert [found.first_name for found in read.instances(key=user.pk, name="Eve")] == ["Ada"]
