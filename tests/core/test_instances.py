"""Instances that are put down at once are those that Django makes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models.signals import post_init
from psycopg2.extras import DateTimeTZRange

from apps.bookings.models import Booking, BookingEvent
from apps.core.instances import Quick, is_plain, new
from apps.listings.models import Listing
from apps.payments.models import Bill
from apps.users.models import User
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
