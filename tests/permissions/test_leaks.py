"""What the graph shows, walked from everything that has an id through every relation: nobody meets what is others'."""

import json
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_required_argument,
)
from pytest_django.fixtures import Settings

from schema.core.complexity import Limits
from schema.core.engine import Engine, Operation
from schema.root import schema
from tests.permissions.world import CALLERS, TOTAL_MINOR, World, make_world

pytestmark = pytest.mark.django_db

HUGE = 10**9
ENGINE = Engine(schema, limits=Limits(**dict.fromkeys(Limits.__dataclass_fields__, HUGE)))
# The texts are long: each is validated once.
ENGINE._read = ENGINE._kept  # type: ignore[method-assign]
DEPTH = 4
# Asked with, where a field needs it.
GIVEN = {
    "DateTime!": {"from": '"2026-01-01T00:00:00Z"', "to": '"2026-01-02T00:00:00Z"'},
    "Date!": {"from": '"2026-01-01"', "to": '"2026-01-02"'},
}
# The export is a document of its own, and is read below.
LEFT_OUT = {"export"}


def selection(type_: Any, depth: int) -> str:
    """All fields of the type that can be asked for, and theirs below."""
    if not is_composite_type(type_):
        return ""
    if isinstance(type_, GraphQLInterfaceType):
        shown = schema.graphql_schema.get_possible_types(type_)
        return "{ __typename " + " ".join(f"... on {each.name} {_aliased(each, depth)}" for each in shown) + " }"
    return _aliased(type_, depth)


def _aliased(type_: GraphQLObjectType, depth: int) -> str:
    """Under names that hold the type's, since two types may have the same field otherwise."""
    parts = ["__typename"]
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        arguments = _arguments(field)
        if name in LEFT_OUT or arguments is None or (is_composite_type(below) and depth == 0):
            continue
        parts.append(f"{type_.name}_{name}: {name}{arguments} {selection(below, depth - 1)}")
    return "{ " + " ".join(parts) + " }"


def _arguments(field: GraphQLField) -> str | None:
    """What the field needs, "" for nothing, None when it is not known."""
    wanted = {name: str(argument.type) for name, argument in field.args.items() if is_required_argument(argument)}
    if set(wanted.values()) - set(GIVEN):
        return None
    return "(" + ", ".join(f"{name}: {GIVEN[type_][name]}" for name, type_ in wanted.items()) + ")" if wanted else ""


@pytest.fixture
def world(settings: Settings, tmp_path: Any) -> World:
    settings.RATE_LIMITS_ENABLED = False
    settings.MEDIA_ROOT = tmp_path
    return make_world()


def seen_by(caller: str, world: World) -> str:
    """All that the caller gets to read, from every id and every list there is."""
    listing = schema.graphql_schema.get_type("Node")
    nodes = selection(listing, DEPTH - 2)
    texts = []
    for identity in world.ids.values():
        answer = ENGINE.answer(
            Operation(f"query($id: ID!) {{ node(id: $id) {nodes} }}", {"id": identity}),
            context=world.context(caller),
        )
        assert answer.errors == [], answer.errors
        texts.append(json.dumps(answer.data, default=str))
    for root in ("me", "listings"):
        type_ = get_named_type(schema.graphql_schema.query_type.fields[root].type)
        query = f"{{ {root} {selection(type_, DEPTH - 1)} }}"
        answer = ENGINE.answer(Operation(query), context=world.context(caller))
        assert answer.errors == [], answer.errors
        texts.append(json.dumps(answer.data, default=str))
    return "\n".join(texts)


# What is nobody's but theirs, and who may see it.
MARKS = {
    "mail-of-stranger": {"stranger", "staff"},
    # The host is told where the guest is written to: rule of the contract for the sides of a booking.
    "mail-of-guest": {"guest", "host", "staff"},
    "mail-of-host": {"host", "staff"},
    "mail-of-other-host": {"other host", "staff"},
    "mail-of-staff": {"staff"},
    "mail-of-contact": {"host", "staff"},
    "49305550000": {"stranger"},
    "49305550001": {"guest"},
    "49305550002": {"host"},
    "49305550003": {"other host"},
    "49305550004": {"staff"},
    "Lastname0": {"stranger", "staff"},
    "Lastname1": {"guest", "host", "staff"},
    "Lastname2": {"guest", "host", "staff"},
    "Lastname3": {"other host", "staff"},
    str(TOTAL_MINOR): {"guest", "host", "staff"},
    '"9137"': {"guest", "host", "staff"},
    '"5973"': {"guest"},
    "pm_card": {"guest"},
    "2026-00000": {"guest", "host", "staff"},
    "Secret Lane": {"guest", "host", "staff"},
    "Unseen draft": {"host", "staff"},
    "Words for the guest alone": {"guest"},
    "hook-of-the-host": {"host"},
    "Firefox": set(CALLERS) - {"anonymous"},
}
# Nobody is asked to authenticate here.
NEVER = ("pm_secret", "whsec_", "client-secret", "$argon2", "pbkdf2")


@pytest.mark.parametrize("caller", CALLERS)
def test_nobody_meets_what_is_others(world: World, caller: str) -> None:
    text = seen_by(caller, world)
    leaked = [mark for mark, who in MARKS.items() if mark in text and caller not in who]
    missing = [mark for mark, who in MARKS.items() if mark not in text and caller in who]
    assert leaked == []
    # The walk is worth something only if it finds what is there to be found.
    assert missing == []
    assert [mark for mark in NEVER if mark in text] == []
