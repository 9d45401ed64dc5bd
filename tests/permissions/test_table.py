"""Every operation as every caller: the answer is that of the table, and a refusal has changed nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from apps.notifications.models import Notification
from apps.users.models import Session, User
from schema.core.engine import Engine, Operation
from schema.core.ids import split_global_id
from schema.core.nodes import registered_nodes
from schema.core.permissions import undeclared_permissions
from schema.live.reading import concerns
from schema.live.streams import Told, answer_all
from schema.root import schema
from tests.permissions.following import begun, happen, told
from tests.permissions.table import MUTATIONS, QUERIES, SUBSCRIPTIONS, TOKENS
from tests.permissions.world import CALLERS, World, make_world

pytestmark = pytest.mark.django_db

ENGINE = Engine(schema)
LETTERS = {"UNAUTHENTICATED": "U", "FORBIDDEN": "F", "NOT_FOUND": "N", "NOT_ALLOWED": "A"}
# What a refusal does write: that it happened.
WRITTEN_ANYHOW = {"audit_auditevent"}


@pytest.fixture
def world(settings: Settings, tmp_path: Any) -> World:
    settings.RATE_LIMITS_ENABLED = False
    settings.MEDIA_ROOT = tmp_path
    return make_world()


def served(root: str) -> set[str]:
    type_ = schema.graphql_schema.get_type(root)
    return set(type_.fields) if type_ is not None else set()


def operations() -> Iterator[tuple[str, Operation, str]]:
    """Every cell's operation, without the ids of a world, and its row of the table."""
    mutation_type: Any = schema.graphql_schema.mutation_type
    for name in sorted(set(MUTATIONS) & served("Mutation")):
        type_ = mutation_type.fields[name].args["input"].type
        yield (
            name,
            Operation(f"mutation($input: {type_}) {{ {name}(input: $input) {{ errors {{ code field }} }} }}"),
            "",
        )
    for name, (rest, row) in TOKENS.items():
        yield name, Operation(f"mutation {{ {name}{rest} }}"), row
    for name, cells in QUERIES.items():
        for rest, row in cells:
            yield name, Operation(f"{{ {name}{rest} }}"), row


def filled(operation: Operation, name: str, world: World) -> Operation:
    if name in MUTATIONS:
        return Operation(operation.query, {"input": MUTATIONS[name][0](world)})
    return Operation(with_ids(operation.query, world))


def with_ids(text: str, world: World) -> str:
    ids = {**world.ids, "secret": world.secret}
    return re.sub(r"<([^>]+)>", lambda found: ids[found[1]], text)


def outcome(body: dict[str, Any]) -> str:
    """The letter of an answer; "+" when something was done or shown, "~" for an error that is not about who asks."""
    for error in body.get("errors", ()):
        code = error["extensions"]["code"]
        assert code not in {"INTERNAL", "BAD_USER_INPUT"}, error
        return LETTERS.get(code, "~")
    (value,) = body["data"].values()
    if value is None or value == [None]:
        return "N"
    errors = value.get("errors", ()) if isinstance(value, dict) else ()
    return LETTERS.get(errors[0]["code"], "~") if errors else "+"


def state() -> dict[str, str]:
    """A digest of every table."""
    tables = sorted(set(connection.introspection.table_names()) - WRITTEN_ANYHOW)
    parts = " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM \"{table}\" AS row"
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(parts)
        return dict(cursor.fetchall())


@pytest.mark.parametrize("caller", CALLERS)
def test_every_operation_answers_as_the_table_says(world: World, caller: str) -> None:
    column = CALLERS.index(caller)
    before = state()
    wrong = []
    for name, operation, row in operations():
        expected = (row or MUTATIONS[name][1])[column]
        asked = filled(operation, name, world)
        point = transaction.savepoint()
        found = outcome(ENGINE.answer(asked, context=world.context(caller)).body())
        # What is let in may do as it likes.
        changed = [] if expected in "+~" else [table for table, digest in state().items() if before[table] != digest]
        transaction.savepoint_rollback(point)
        if found != expected and not (expected == "~" and found == "+"):
            wrong.append(f"{asked.query}: {found} instead of {expected}")
        if changed:
            wrong.append(f"{asked.query}: refused, and yet it changed {changed}")
    assert "\n".join(wrong) == ""


def test_every_subscription_begins_and_tells_as_the_table_says(world: World) -> None:
    followed: list[tuple[str, str, Any]] = []
    wrong = []
    before = state()
    for name, cells in SUBSCRIPTIONS.items():
        for rest, row in cells:
            for caller, expected in zip(CALLERS, row, strict=True):
                asked = Operation(with_ids(f"subscription {{ {name}{rest} }}", world))
                stream = begun(ENGINE, asked, world=world, caller=caller)
                if isinstance(stream, str):
                    if LETTERS.get(stream) != expected:
                        wrong.append(f"{caller}: {asked.query}: {stream} instead of {expected}")
                else:
                    followed.append((f"{caller}: {asked.query}", expected, stream))
    # To follow changes nothing, whether one is let in or not.
    assert state() == before
    events = happen(ENGINE, world)
    for what, expected, stream in followed:
        found = "+" if told(stream, events) else "."
        if found != expected:
            wrong.append(f"{what}: {found} instead of {expected}")
    assert "\n".join(wrong) == ""


def test_nobody_is_told_what_is_others(world: World) -> None:
    """Where one subscription tells many people many things: whose notification, and which listings of a map."""
    everywhere = "box: {south: -90, west: -180, north: 90, east: 180}"
    listings = {
        caller: begun(
            ENGINE,
            Operation(f"subscription {{ availabilityChanged({everywhere}) {{ listing {{ id }} }} }}"),
            world=world,
            caller=caller,
        )
        for caller in CALLERS
    }
    notes = {
        caller: begun(ENGINE, Operation("subscription { notificationReceived { id } }"), world=world, caller=caller)
        for caller in CALLERS[1:]
    }
    events = happen(ENGINE, world)
    for caller, stream in listings.items():
        assert not isinstance(stream, str)
        seen = {each["availabilityChanged"]["listing"]["id"] for each in told(stream, events)}
        assert seen == {world.ids["home"]} | ({world.ids["draft"]} if caller in ("host", "staff") else set()), caller
    for caller, stream in notes.items():
        assert not isinstance(stream, str)
        heard = told(stream, events)
        parts = [split_global_id(each["notificationReceived"]["id"]) for each in heard]
        whose = set(
            Notification.objects.filter(pk__in=[part[1] for part in parts if part]).values_list("recipient", flat=True)
        )
        assert whose == ({world.users[caller].pk} if caller in ("guest", "host") else set()), caller


def test_who_was_let_in_is_told_nothing_once_they_may_not_see_it(world: World) -> None:
    """Each event asks anew: sessions end and bookings change hands while somebody listens."""
    asked = Operation(with_ids('subscription { bookingUpdated(id: "<booking>") { id } }', world))
    streams = {caller: begun(ENGINE, asked, world=world, caller=caller) for caller in ("guest", "host", "staff")}
    events = happen(ENGINE, world)
    Session.objects.filter(user=world.users["guest"]).update(ended_at=datetime.now(UTC))
    User.objects.filter(pk=world.users["host"].pk).update(token_version=1)
    User.objects.filter(pk=world.users["staff"].pk).update(role="GUEST")
    about = [event for event in events if event.kind == "booking" and concerns(streams["guest"], event)]  # type: ignore[arg-type]
    assert about
    for event in about:
        found = answer_all(event, list(streams.values()), now=datetime.now(UTC))  # type: ignore[arg-type]
        assert found == [Told(token="INVALID"), Told(token="INVALID"), Told(ended=True)]


def test_the_digest_of_the_state_sees_a_change(world: World) -> None:
    before = state()
    world.users["guest"].first_name = "Changed"
    world.users["guest"].save()
    assert [table for table, digest in state().items() if before[table] != digest] == ["users_user"]


def test_the_table_is_whole() -> None:
    assert served("Mutation") - set(MUTATIONS) - set(TOKENS) == set()
    assert served("Query") - set(QUERIES) == set()
    assert served("Subscription") == set(SUBSCRIPTIONS)
    assert {len(row) for _, row in MUTATIONS.values()} == {len(CALLERS)}
    assert undeclared_permissions(schema) == []


def test_every_type_with_an_id_is_asked_for(world: World) -> None:
    asked = [split_global_id(world.ids[found]) for found in re.findall(r"<([^>]+)>", str(QUERIES["node"]))]
    # Other tests of the same process may have registered types of a schema of their own.
    served = registered_nodes() & set(schema.graphql_schema.type_map)
    assert served - {parts[0] for parts in asked if parts} == set()
    assert served
