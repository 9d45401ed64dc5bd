"""What the graph shows, walked from everything that has an id or is told through every relation: nobody meets what is others'."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
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
from tests.permissions.following import begun, happen, told
from tests.permissions.world import CALLERS, TOTAL_MINOR, World, make_world

pytestmark = pytest.mark.django_db

HUGE = 10**9
ENGINE = Engine(schema, limits=Limits(**dict.fromkeys(Limits.__dataclass_fields__, HUGE)))
# The texts are long: each is validated once.
ENGINE._documents.longest_kept = HUGE
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


# Whatever can be followed, with the names of the world's ids in angle brackets.
FOLLOWED = (
    'bookingUpdated(id: "<booking>")',
    'bookingUpdated(id: "<nobodys>")',
    "availabilityChanged(box: {south: -90, west: -180, north: 90, east: 180})",
    "notificationReceived",
)


def seen_by(caller: str, world: World) -> str:
    """All that the caller gets to read, from every id and every list there is, and then from what they are told."""
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
    # Farther from an id than the walk goes.
    reviews = selection(schema.graphql_schema.get_type("ReviewConnection"), 2)
    answer = ENGINE.answer(
        Operation(f'{{ node(id: "{world.ids["home"]}") {{ ... on Property {{ reviews {reviews} }} }} }}'),
        context=world.context(caller),
    )
    assert answer.errors == [], answer.errors
    texts.append(json.dumps(answer.data, default=str))
    event = f'quote(listingId: "{world.ids["event"]}", tickets: 1)'
    for root in ("me", "listings", event, *(["users"] if caller == "staff" else [])):
        type_ = get_named_type(schema.graphql_schema.query_type.fields[root.partition("(")[0]].type)
        query = f"{{ {root} {selection(type_, DEPTH - 1)} }}"
        answer = ENGINE.answer(Operation(query), context=world.context(caller))
        assert answer.errors == [], answer.errors
        texts.append(json.dumps(answer.data, default=str))
    streams = [begun(ENGINE, each, world=world, caller=caller) for each in subscriptions(world)]
    events = happen(ENGINE, world)
    for stream in streams:
        if not isinstance(stream, str):
            texts += [json.dumps(data, default=str) for data in told(stream, events)]
    return "\n".join(texts)


def subscriptions(world: World) -> Iterator[Operation]:
    """Each of FOLLOWED, with everything that it shows."""
    for root in FOLLOWED:
        type_ = schema.graphql_schema.subscription_type.fields[root.partition("(")[0]].type
        text = re.sub(r"<([^>]+)>", lambda found: world.ids[found[1]], root)
        yield Operation(f"subscription {{ {text} {selection(get_named_type(type_), DEPTH - 2)} }}")


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
    "Reason of a block": {"host", "staff"},
    "secret-of-the-feed": {"host", "staff"},
    "client-secret-000004": {"guest"},
    "bank.example": {"guest"},
    "Firefox": set(CALLERS) - {"anonymous"},
}
# Fields for which there is nothing in this world, and nothing that is anybody's own either.
EMPTY_HERE = {
    "Property_amenities", "Notification_readAt", "Booking_checkedOutAt", "HostStats_averageRating", "HostStats_revenue",
    # Shown in a search around a place, and told of other kinds than those of the happenings.
    "Listing_distance", "Service_slots", "AvailabilityChange_availableNow", "AvailabilityChange_availableTickets",
    "Listing_ratingAverage",
}  # fmt: skip
# Nobody is asked to authenticate here.
NEVER = (
    "pm_secret", "whsec_", "client-secret-000001", "client-secret-000002", "client-secret-000003", "$argon2", "pbkdf2",
)  # fmt: skip


def test_nobody_meets_what_is_others(world: World) -> None:
    leaked, missing, filled = [], [], set()
    for caller in CALLERS:
        point = transaction.savepoint()
        text = seen_by(caller, world)
        transaction.savepoint_rollback(point)
        leaked += [f"{caller}: {mark}" for mark, who in MARKS.items() if mark in text and caller not in who]
        leaked += [f"{caller}: {mark}" for mark in NEVER if mark in text]
        missing += [f"{caller}: {mark}" for mark, who in MARKS.items() if mark not in text and caller in who]
        for line in text.splitlines():
            filled |= with_a_value(json.loads(line))
    assert leaked == []
    # The walk is worth something only if it finds what is there to be found, in every field of every type.
    assert missing == []
    assert not_filled(filled) - EMPTY_HERE == set()


def not_filled(filled: set[str]) -> set[str]:
    """The fields that held nothing. One of an interface is resolved alike for all its types: one of them is enough."""
    # What was sent to somebody's endpoint lies deeper than the walk goes; that it is theirs alone, the endpoint's mark shows.
    missing = {name for name in fields_of_all_types() - filled if not name.startswith("Webhook")}
    for type_ in schema.graphql_schema.type_map.values():
        for interface in getattr(type_, "interfaces", ()):
            others = [each.name for each in schema.graphql_schema.get_possible_types(interface)]
            for name in interface.fields:
                is_known = f"{interface.name}_{name}" in EMPTY_HERE or any(
                    f"{each}_{name}" in filled for each in others
                )
                if name != "id" and is_known:
                    missing.discard(f"{type_.name}_{name}")
    return missing


def with_a_value(value: Any) -> set[str]:
    """The fields, as Type_field, that hold something anywhere in an answer."""
    if isinstance(value, list):
        return set().union(*map(with_a_value, value))
    if not isinstance(value, dict):
        return set()
    found = {name for name, each in value.items() if each not in (None, "", [])}
    return found.union(*map(with_a_value, value.values()))


def fields_of_all_types() -> set[str]:
    """Every field of every type that queries and subscriptions lead to, as Type_field."""
    graph = schema.graphql_schema
    waiting = [graph.query_type, graph.subscription_type]
    roots, known = set(waiting), set(waiting)
    names: set[str] = set()
    while waiting:
        type_ = waiting.pop()
        shown = [type_] if isinstance(type_, GraphQLObjectType) else list(graph.get_possible_types(type_))
        for each in shown:
            for name, field in each.fields.items():
                if each not in roots and name not in LEFT_OUT:
                    names.add(f"{each.name}_{name}")
                below = get_named_type(field.type)
                if is_composite_type(below) and below not in known:
                    known.add(below)
                    waiting.append(below)
    return names


def test_every_field_can_be_asked_for() -> None:
    """One whose arguments nobody knows here would be passed over in silence."""
    graph = schema.graphql_schema
    types = [
        type_
        for name, type_ in graph.type_map.items()
        if f"{name}_" in {each.partition("_")[0] + "_" for each in fields_of_all_types()}
    ]
    assert [
        f"{type_.name}.{name}" for type_ in types for name, field in type_.fields.items() if _arguments(field) is None
    ] == []
