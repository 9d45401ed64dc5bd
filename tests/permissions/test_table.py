"""Every operation as every caller: the answer is that of the table, and a refusal has changed nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from schema.core.engine import Engine, Operation
from schema.core.ids import split_global_id
from schema.core.nodes import registered_nodes
from schema.core.permissions import undeclared_permissions
from schema.root import schema
from tests.permissions.table import MUTATIONS, QUERIES, TOKENS
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
    ids = {**world.ids, "secret": world.secret}
    return Operation(re.sub(r"<([^>]+)>", lambda found: ids[found[1]], operation.query))


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


def test_the_digest_of_the_state_sees_a_change(world: World) -> None:
    before = state()
    world.users["guest"].first_name = "Changed"
    world.users["guest"].save()
    assert [table for table, digest in state().items() if before[table] != digest] == ["users_user"]


def test_the_table_is_whole() -> None:
    assert served("Mutation") - set(MUTATIONS) - set(TOKENS) == set()
    assert served("Query") - set(QUERIES) == set()
    assert {len(row) for _, row in MUTATIONS.values()} == {len(CALLERS)}
    assert undeclared_permissions(schema) == []


def test_every_type_with_an_id_is_asked_for(world: World) -> None:
    asked = [split_global_id(world.ids[found]) for found in re.findall(r"<([^>]+)>", str(QUERIES["node"]))]
    # Other tests of the same process may have registered types of a schema of their own.
    served = registered_nodes() & set(schema.graphql_schema.type_map)
    assert served - {parts[0] for parts in asked if parts} == set()
    assert served
