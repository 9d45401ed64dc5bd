"""Rows of several tables in one statement: as the tables want them, all or none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, connection, connections, models, transaction
from django.utils.safestring import SafeString
from psycopg2.extras import DateTimeTZRange
from pytest_django.fixtures import Settings

from apps.availability.models import Allocation
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.states import BookingStatus
from apps.core.models import IdempotencyKey, OutboxMessage
from apps.core.together import Claim, Columns, Part, Together
from apps.integrations.models import WebhookEndpoint
from apps.listings.models import Listing
from apps.users.models import MailToken, Session, User
from tests.recipes import make_host, make_property

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CLAIM = Claim(
    """claimed AS (
        INSERT INTO core_idempotencykey (caller, key, fingerprint, created_at) VALUES (%(caller)s, 'k', '100%%', %(now)s)
        ON CONFLICT DO NOTHING RETURNING id, key
    )""",
    "SELECT claimed.id, claimed.key FROM (SELECT) AS always LEFT JOIN claimed ON true",
    caller="varchar",
    now="timestamptz",
)
SIGN_UP = Together("sign_up", CLAIM, Part(User, is_keyed=True), Part(Session), Part(OutboxMessage))


def sign_up(caller: str, user: User, *sessions: Session, messages: int = 0) -> tuple[object, ...]:
    jobs = [OutboxMessage(task="x.y", arguments={"number": number, "text": "ö'%s"}) for number in range(messages)]
    return SIGN_UP.write({"caller": caller, "now": NOW}, [user], list(sessions), jobs)


def person(pk: int, email: str) -> User:
    return User(pk=pk, email=email, role="GUEST", password="!", first_name="O'Neil %(x)s")


def test_each_table_gets_its_rows() -> None:
    user = person(10**9, "a@example.com")
    sessions = [
        Session(user=user, created_at=NOW, last_used_at=NOW, device="100%", ended_at=ended) for ended in (None, NOW)
    ]
    answer = sign_up("one", user, *sessions, messages=2)

    claim = IdempotencyKey.objects.get()
    assert answer == (claim.pk, "k")
    assert (claim.caller, claim.fingerprint, claim.created_at) == ("one", "100%", NOW)
    found = User.objects.get()
    left_out = {"_state", "joined_at", "profile_picture"}
    assert {k: v for k, v in vars(found).items() if k not in left_out} == {
        k: v for k, v in vars(user).items() if k not in left_out
    }
    rows = Session.objects.order_by("pk").values_list("user", "device", "ended_at", "network")
    assert list(rows) == [(10**9, "100%", None, ""), (10**9, "100%", NOW, "")]
    # The database makes what it makes by itself: keys, and the moment.
    jobs = OutboxMessage.objects.order_by("pk").values_list("arguments", flat=True)
    assert list(jobs) == [{"number": 0, "text": "ö'%s"}, {"number": 1, "text": "ö'%s"}]
    assert not user._state.adding
    user.first_name = "Grace"
    user.save()
    assert User.objects.get().first_name == "Grace"


def test_a_part_may_have_no_rows() -> None:
    sign_up("one", person(10**9, "a@example.com"))
    assert (User.objects.count(), Session.objects.count(), OutboxMessage.objects.count()) == (1, 0, 0)


def test_without_the_claim_nothing_is_written() -> None:
    sign_up("one", person(10**9, "a@example.com"))
    late = person(10**9 + 1, "b@example.com")
    answer = sign_up("one", late, Session(user=late, created_at=NOW, last_used_at=NOW), messages=3)
    assert answer == (None, None)
    assert late._state.adding
    assert (User.objects.count(), Session.objects.count(), OutboxMessage.objects.count()) == (1, 0, 0)


@pytest.mark.parametrize(("pk", "email"), [(10**9, "b@example.com"), (10**9 + 1, "A@example.com")])
def test_what_one_table_refuses_none_gets(pk: int, email: str) -> None:
    sign_up("one", person(10**9, "a@example.com"))
    with pytest.raises(IntegrityError), transaction.atomic():
        sign_up("two", person(pk, email), messages=1)
    assert (User.objects.count(), OutboxMessage.objects.count(), IdempotencyKey.objects.count()) == (1, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_it_is_a_step_of_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="outside a unit of work"):
        sign_up("one", person(10**9, "a@example.com"))
    assert not User.objects.exists()


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    user = person(10**9, "a@example.com")
    user.role = "G" * 500
    with pytest.raises(Exception, match="too long"), transaction.atomic():
        sign_up("one", user)
    assert not User.objects.exists()


def test_a_column_that_is_an_array_is_written_too() -> None:
    assert any(isinstance(field, ArrayField) for field in WebhookEndpoint._meta.concrete_fields)
    owner = make_host()
    endpoint = WebhookEndpoint(
        pk=10**9, owner=owner, url="https://example.com/", types=["a", "b,{ö'%s\\"], created_at=NOW, updated_at=NOW
    )
    Together("arrays", CLAIM, Part(WebhookEndpoint, is_keyed=True)).write({"caller": "one", "now": NOW}, [endpoint])
    assert WebhookEndpoint.objects.get().types == ["a", "b,{ö'%s\\"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Caracas"])
def test_a_moment_is_the_same_by_whatever_clock(zone: str) -> None:
    """Also by clocks of before there were zones, which are some seconds beside."""
    clock = ZoneInfo(zone)
    home = make_property()
    starts = [datetime(2030, 1, 1, 12, tzinfo=clock), datetime(1880, 1, 1, 12, tzinfo=clock)]
    places = [
        Allocation(
            listing=home, period=DateTimeTZRange(start, start + timedelta(hours=1)), holder=number, held_until=start,
            created_at=start,
        )
        for number, start in enumerate(starts)
    ]  # fmt: skip
    Together("moments", CLAIM, Part(Allocation)).write({"caller": "one", "now": NOW}, places)
    found = Allocation.objects.order_by("holder").values_list("period", "held_until", "created_at")
    assert list(found) == [(DateTimeTZRange(start, start + timedelta(hours=1)), start, start) for start in starts]


def test_every_column_is_written() -> None:
    """A model that gets a column has it written by itself; what is left out is the database's own."""
    model: type[models.Model]
    for model in (User, Session, MailToken):
        own = {field.column for field in model._meta.concrete_fields if field.has_db_default() or field.generated}
        statement = Together("columns", CLAIM, Part(model, is_keyed=True))
        statement.write({"caller": model.__name__, "now": NOW}, [])
        assert statement._compiled is not None
        written = {field.column for field in statement._compiled[-1][0].columns.fields}
        assert written == {field.column for field in model._meta.concrete_fields} - own


def with_untouched(*untouched: str) -> Together:
    return Together("session", CLAIM, Part(User, is_keyed=True), Part(Session, untouched=untouched))


def write_one(together: Together, user: User, *sessions: Session) -> tuple[object, ...]:
    return together.write({"caller": "one", "now": NOW}, [user], sessions)


@pytest.mark.parametrize("is_prepared", [True, False])
def test_what_is_untouched_is_as_the_model_makes_it(is_prepared: bool, settings: Settings) -> None:
    settings.PREPARED_STATEMENTS = is_prepared
    user = person(10**9, "a@example.com")
    session = Session(user=user, created_at=NOW, last_used_at=NOW + timedelta(seconds=1), device="ö'%s\\ 100%")
    assert write_one(with_untouched("ended_at", "network"), user, session)[1] == "k"
    found = Session.objects.values_list("user", "created_at", "last_used_at", "device", "network", "ended_at").get()
    assert found == (user.pk, NOW, NOW + timedelta(seconds=1), "ö'%s\\ 100%", "", None)


def test_what_is_said_to_be_untouched_is_never_lost() -> None:
    user = person(10**9, "a@example.com")
    session = Session(user=user, created_at=NOW, last_used_at=NOW, ended_at=NOW)
    with pytest.raises(ValueError, match="ended_at of a Session is not None"):
        write_one(with_untouched("device", "ended_at"), user, session)
    assert not User.objects.exists()


def test_what_a_model_does_not_write_is_no_untouched_field() -> None:
    with pytest.raises(ValueError, match="Session writes no id, pink"), transaction.atomic():
        write_one(with_untouched("pink", "id"), person(10**9, "a@example.com"))


def test_a_moment_without_a_zone_is_refused() -> None:
    user = person(10**9, "a@example.com")
    session = Session(user=user, created_at=NOW.replace(tzinfo=None), last_used_at=NOW)
    with pytest.raises(ValueError, match="has no time zone"):
        write_one(with_untouched(), user, session)
    assert not User.objects.exists()


def test_values_go_to_their_columns_as_django_sends_them() -> None:
    listing, booking = Listing._meta, Booking._meta
    later = NOW + timedelta(hours=1, microseconds=7)
    shown: list[tuple[Any, Any]] = [
        *((booking.get_field("period"), DateTimeTZRange(NOW, later, bounds)) for bounds in ("[)", "(]", "[]", "()")),
        (booking.get_field("period"), DateTimeTZRange(NOW, None, "[)")),
        (booking.get_field("period"), DateTimeTZRange(None, NOW, "(]")),
        (booking.get_field("period"), DateTimeTZRange(empty=True)),
        (booking.get_field("check_in"), NOW.date()),
        (booking.get_field("check_in"), NOW.astimezone(ZoneInfo("America/Los_Angeles"))),
        (booking.get_field("expires_at"), later.astimezone(ZoneInfo("Asia/Kathmandu"))),
        (booking.get_field("expires_at"), later),
        # A zone whose offset had seconds.
        (booking.get_field("expires_at"), datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))),
        (booking.get_field("status"), BookingStatus.PENDING),
        (booking.get_field("is_anonymous"), 1),
        (booking.get_field("guest"), None),
        (BookingEvent._meta.get_field("data"), {"ö": [1, None, "'%s\\"]}),
        (BookingEvent._meta.get_field("data"), {7: 1.5}),
        (BookingEvent._meta.get_field("data"), []),
        (BookingEvent._meta.get_field("data"), "text"),
        (BookingEvent._meta.get_field("data"), 5),
        *((BookingLine._meta.get_field("quantity"), Decimal(number)) for number in ("1.2500", "1E+3", "7")),
        (listing.get_field("title"), "ö'%s\\\"\n"),
        (listing.get_field("title"), SafeString("safe")),
        (listing.get_field("id"), 2**62),
    ]
    for field, value in shown:
        type_ = field.db_type(connection)
        row = field.model()
        setattr(row, field.attname, value)
        sent = Columns([field]).text([row])
        prepared = field.get_db_prep_save(value, connections["default"])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {field.column} IS NOT DISTINCT FROM CAST(%s AS {type_})"
                f" FROM json_to_recordset(%s) AS row ({field.column} {type_})",
                [prepared, sent],
            )
            assert cursor.fetchone() == (True,), (field, value)


def test_what_has_no_place_in_a_text_is_refused() -> None:
    job = OutboxMessage(task="x.y", arguments={"since": timedelta(1)})
    with pytest.raises(TypeError):
        SIGN_UP.write({"caller": "one", "now": NOW}, [person(10**9, "a@example.com")], [], [job])
    assert not User.objects.exists()
