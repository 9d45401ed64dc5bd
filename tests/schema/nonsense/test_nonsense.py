"""Whatever is sent for whichever argument: an answer of ours, no bug, and nothing of what is inside.

Every argument of every field and every field of every input, each with some values that are picked by a fixed seed.
NONSENSE=all tries all of them, which takes some minutes.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import JsonResponse
from django.test import Client
from graphql import GraphQLInputObjectType, get_named_type, get_nullable_type, is_composite_type
from pytest_django.fixtures import Settings

from apps.users.tokens import make_access_token
from schema.core.errors import Code
from schema.root import schema
from tests.permissions.table import MUTATIONS, TOKENS
from tests.permissions.world import CALLERS, World, make_world
from tests.schema.lists.walk import along, arguments_of, ways_from_query
from tests.schema.nonsense.values import nonsense

pytestmark = pytest.mark.django_db

GRAPH = schema.graphql_schema
SEED = 20_261_121
SOME = 10_000 if os.environ.get("NONSENSE") == "all" else 2
# What a client must never read: of our code, our database, and Python's way to write things.
INSIDE = re.compile(
    r"Traceback|site-packages|psycopg|django|graphene|\bSELECT\b|\bFROM \"|relation \"|constraint|NoneType|object at 0x"
    r"|<[A-Za-z_.]+ (object|instance)|/(apps|schema|booking)/|\.py\b|unsupported operand|not supported between|has no attribute"
)


@dataclass(frozen=True, slots=True)
class Try:
    """One request; `what` names the place of the nonsense."""

    what: str
    query: str
    variables: dict[str, Any]


@pytest.fixture
def world(settings: Settings, tmp_path: Any) -> World:
    settings.RATE_LIMITS_ENABLED = False
    settings.MEDIA_ROOT = tmp_path
    return make_world()


def picked(what: str, values: Iterator[Any]) -> list[Any]:
    """Some of the values, always the same ones for a place."""
    every = list(values)
    return every if len(every) <= SOME else random.Random(f"{SEED} {what}").sample(every, SOME)


def tries_of_mutations(world: World) -> Iterator[tuple[Try, str]]:
    """Each mutation's right input with one field of it replaced, and the letters of who gets how far with it."""
    assert GRAPH.mutation_type is not None
    for name, (make, row) in MUTATIONS.items():
        type_: Any = get_nullable_type(GRAPH.mutation_type.fields[name].args["input"].type)
        query = f"mutation($input: {type_.name}!) {{ {name}(input: $input) {{ errors {{ code message field }} }} }}"
        right = {
            key: value
            for key, value in make(world).items()
            if isinstance(value, str | int | float | list | dict | bool)
        }
        for path, replaced in places(right, type_):
            what = f"{name}({'.'.join(path)}:)"
            for value in picked(what, nonsense(replaced)):
                yield Try(what, query, {"input": with_at(right, path, value)}), row
    for name, (_, row) in TOKENS.items():
        for argument, known in GRAPH.mutation_type.fields[name].args.items():
            others = " ".join(f'{other}: "x"' for other in GRAPH.mutation_type.fields[name].args if other != argument)
            query = f"mutation($value: {known.type}) {{ {name}({argument}: $value {others}) {{ __typename }} }}"
            for value in picked(name, nonsense(known.type)):
                yield Try(f"{name}({argument}:)", query, {"value": value}), row


def places(given: dict[str, Any], type_: GraphQLInputObjectType) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each field of an input, and of the inputs in it that are given."""
    for name, field in type_.fields.items():
        yield (name,), field.type
        inner = get_nullable_type(field.type)
        if isinstance(inner, GraphQLInputObjectType):
            own = given.get(name)
            for path, below in places(own if isinstance(own, dict) else {}, inner):
                yield (name, *path), below


def with_at(given: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    own = given.get(first)
    return {**given, first: with_at(own if isinstance(own, dict) else {}, tuple(rest), value) if rest else value}


def tries_of_queries(world: World) -> Iterator[Try]:
    """Each argument of each field that queries lead to, with the others as they should be."""
    ways = ways_from_query(GRAPH)
    some = list(world.ids.values())
    right = {
        "ids": some, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "listing": world.ids["event"],
        "arrival": "2027-01-01", "departure": "2027-01-03", "first": 3,
    }  # fmt: skip
    for owner in sorted({name for name, _ in ways}):
        way = ways.get((owner, True)) or ways[owner, False]
        type_: Any = GRAPH.type_map[owner]
        for name, field in type_.fields.items():
            for argument, known in field.args.items():
                left_out = {argument, "first"} if argument in {"last", "before"} else {argument}
                others = (arguments_of(owner, field) or "").strip("()").split(", ")
                others = [each for each in others if each and each.partition(":")[0] not in left_out]
                text = f"{name}({', '.join([f'{argument}: $value', *others])}) {selection(field)}"
                query = along(GRAPH, owner, way, text, value=str(known.type))
                what = f"{owner}.{name}({argument}:)"
                for value in picked(what, nonsense(known.type)):
                    yield Try(
                        what,
                        query,
                        {**{key: each for key, each in right.items() if f"${key}:" in query}, "value": value},
                    )


def selection(field: Any) -> str:
    type_ = get_named_type(field.type)
    if not is_composite_type(type_):
        return ""
    return "{ edges { node { __typename } } totalCount }" if type_.name.endswith("Connection") else "{ __typename }"


def wrong_with(response: Any) -> str:
    """What must not be in an answer, "" when nothing of it is."""
    text = response.content.decode()
    if response.status_code not in {200, 400, 415}:
        return f"status {response.status_code}"
    body = json.loads(text)
    codes = {error.get("extensions", {}).get("code") for error in body.get("errors", ())}
    if codes - set(Code) or Code.INTERNAL in codes:
        return f"codes {codes}"
    # As they read, since JSON puts a backslash before each quotation mark.
    messages = "\n".join(error["message"] for error in body.get("errors", ()))
    found = INSIDE.search(f"{messages}\n{text}")
    return f"{found[0]!r} in {text[:300]}" if found else ""


def ask(client: Client, each: Try, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = json.dumps({"query": each.query, "variables": each.variables})
    return client.post("/graphql", body, content_type="application/json", headers=headers)


def tokens_of(world: World) -> dict[str, str]:
    tokens = {"anonymous": ""}
    for name in world.users:
        context = world.context(name)
        assert context.user is not None
        assert context.session is not None
        tokens[name] = make_access_token(user=context.user, session=context.session, now=context.now)[0]
    return tokens


def test_every_mutation_has_an_answer_to_nonsense(world: World, client: Client) -> None:
    tokens, wrong, number = tokens_of(world), [], 0
    for each, row in tries_of_mutations(world):
        # By who gets farthest with it.
        caller = max(CALLERS, key=lambda name, row=row: "UFNA~+".index(row[CALLERS.index(name)]))
        point = transaction.savepoint()
        answer = wrong_with(ask(client, each, tokens[caller]))
        transaction.savepoint_rollback(point)
        number += 1
        if answer:
            wrong.append(f"{caller}: {each.what} {str(each.variables)[:300]}: {answer}")
    assert "\n".join(wrong) == ""
    assert number > 400


def test_every_argument_of_a_query_has_an_answer_to_nonsense(world: World, client: Client) -> None:
    tokens, wrong, number = tokens_of(world), [], 0
    for each in tries_of_queries(world):
        caller = random.Random(f"{SEED} {each.variables}").choice(["anonymous", "guest", "host", "staff"])
        answer = wrong_with(ask(client, each, tokens[caller]))
        number += 1
        if answer:
            wrong.append(f"{caller}: {each.what} {str(each.variables['value'])[:200]}: {answer}")
    assert "\n".join(wrong) == ""
    assert number > 200


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (500, "Something went wrong.", "INTERNAL"),
        (200, "Something went wrong.", "INTERNAL"),
        (200, "Wrong.", "NOBODY_KNOWS"),
        (200, "Wrong.", None),
        (200, 'relation "users_user" does not exist', "BAD_USER_INPUT"),
        (200, "<InMemoryUploadedFile instance> is no text", "BAD_USER_INPUT"),
        (200, "'NoneType' object is not iterable", "BAD_USER_INPUT"),
    ],
)
def test_what_must_not_be_in_an_answer_is_seen(status: int, message: str, code: str | None) -> None:
    error = {"message": message, **({"extensions": {"code": code}} if code else {})}
    assert wrong_with(JsonResponse({"errors": [error]}, status=status)) != ""
    assert wrong_with(JsonResponse({"errors": [{"message": "Wrong.", "extensions": {"code": "BAD_USER_INPUT"}}]})) == ""


def test_a_file_in_the_place_of_a_text_is_told_without_what_we_hold_it_in(client: Client) -> None:
    query = "mutation($to: String!) { updateProfile(input: {firstName: $to}) { errors { code } } }"
    operations = json.dumps({"query": query, "variables": {"to": None}})
    file = SimpleUploadedFile("a.txt", b"x")
    sent = {"operations": operations, "map": '{"0": ["variables.to"]}', "0": file}
    answer = client.post("/graphql", sent, headers={"GraphQL-Require-Preflight": "1"})
    assert wrong_with(answer) == ""
    (error,) = answer.json()["errors"]
    assert error["message"].startswith("Variable '$to' got invalid value a file;")
