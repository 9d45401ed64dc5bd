"""Operations that schemathesis generates from the schema of a running server, and values for them that lead somewhere.

operations = generated(url, world)              one for each root field of queries, then of mutations
cases(operations[0])                            a strategy of hypothesis: valid ones, and some that break the schema
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis
from graphql import ValueNode
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.graphql import nodes

from tests.permissions.world import World

# Texts that somewhere mean something, beside those that nobody would think of.
TEXTS = (
    "Lisbon", "EUR", "XQX", "Europe/Berlin", "pm_card_visa", "pm_card_chargeDeclined", "someone@example.com",
    "demo-Password-1", "http://127.0.0.1:9/feed.ics", "key-of-this-try", "jazz courtyard", "49305550009", "%", "';--",
    "\ud83d\ude00", "\u202e", " ", "a" * 400,
)  # fmt: skip
DAYS = 60


def generated(url: str, world: World) -> list[Any]:
    """The operations of the server at `url`: names that begin with Query, then those that begin with Mutation."""
    for name, strategy in scalars(world).items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_url(url, config=SchemathesisConfig())
    return [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]


def cases(operation: Any) -> st.SearchStrategy[Any]:
    """Two of three keep to the schema; the third breaks it in one place."""
    valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    broken = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return st.one_of(valid, valid, broken)


def scalars(world: World) -> Mapping[str, st.SearchStrategy[ValueNode]]:
    """What is put where the schema has a scalar: what there is in the world, what there might be, and what cannot be."""
    now = datetime.now(UTC)
    ids = [world.ids[name] for name in sorted(world.ids)]
    soon = st.integers(-3, DAYS).map(lambda days: (now + timedelta(days=days)).date().isoformat())
    days = st.one_of(soon, st.dates().map(str))
    hours = st.sampled_from(["00:00:00Z", "10:00:00Z", "23:59:59.999999Z", "12:30:00+14:00", "24:00:00Z", "10:00:00"])
    numbers = st.one_of(st.integers(0, 5), st.integers(-(2**31), 2**31 - 1))
    return {
        "ID": st.one_of(st.sampled_from(ids), st.sampled_from(ids), st.text(max_size=20)).map(nodes.String),
        "String": st.one_of(st.sampled_from([*TEXTS, world.secret, *ids]), st.text(max_size=40)).map(nodes.String),
        "Int": numbers.map(nodes.Int),
        "BigInt": st.one_of(st.integers(0, 10_000), st.integers()).map(nodes.Int),
        "Decimal": st.one_of(st.decimals().map(str), st.sampled_from(["10.50", "1e400", "-0"])).map(nodes.String),
        "Date": days.map(nodes.String),
        "DateTime": st.tuples(days, hours).map("T".join).map(nodes.String),
        "Time": st.one_of(st.sampled_from(["00:00", "09:00:00", "25:00:00"]), st.times().map(str)).map(nodes.String),
        "JSON": st.text(max_size=10).map(nodes.String),
        "Upload": st.text(max_size=10).map(nodes.String),
    }
