"""A small schema of its own, so that the engine is tested without anything that is sold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import graphene

from apps.core.errors import Collector, Duplicate, Invalid, NotFound
from schema.core.context import Context
from schema.core.engine import Answer, Engine, Operation
from schema.core.inputs import KEPT, REFUSED, text, texts, value
from schema.core.mutations import Mutation, Payload
from schema.core.nodes import Node, NodeQueries, register_model, register_node
from schema.core.permissions import RootField, anyone, host, signed_in, staff
from schema.core.scalars import JSON, BigInt, Date, DateTime, Decimal, Time, Upload

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    pk: int
    name: str
    friend_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dog:
    pk: int
    owner_id: int


# Person n has two friends; 13 does not exist, and loading 66 fails alone.
PEOPLE = {pk: Person(pk, f"Person {pk}", (pk * 2 % 40, pk * 3 % 40)) for pk in range(40) if pk != 13}
DOGS = {pk: Dog(pk, owner_id=pk + 1) for pk in range(10)}


@dataclass
class Calls:
    """What the batch functions were asked for, in order."""

    people: list[list[int]] = field(default_factory=list)


def people_by_id(context: Context, keys: list[int]) -> dict[int, Any]:
    context.state["calls"].people.append(keys)
    found: dict[int, Any] = {key: PEOPLE[key] for key in keys if key in PEOPLE}
    if 66 in keys:
        found[66] = ValueError("secret of 66")
    return found


def broken_batch(context: Context, keys: list[int]) -> dict[int, Any]:
    raise RuntimeError("secret of the batch")


def people_for_node(context: Context, pks: list[int]) -> dict[int, Person]:
    """Persons above 30 are hidden."""
    return {pk: PEOPLE[pk] for pk in pks if pk in PEOPLE and pk <= 30}


def dogs_for_node(context: Context, pks: list[int]) -> dict[int, Any]:
    """A fetch that is careless about types: what is not a dog must not come through."""
    return {pk: DOGS.get(pk, PEOPLE.get(pk)) for pk in pks}


class Named(graphene.Interface):
    """Anything with a name."""

    name = graphene.String(required=True, description="What it is called.")

    @classmethod
    def resolve_type(cls, instance: Any, info: Any) -> Any:
        return SamplePerson if isinstance(instance, Person) else SampleDog


class SamplePerson(graphene.ObjectType):
    """A person."""

    class Meta:
        interfaces = (Node, Named)

    friends = graphene.List(lambda: graphene.NonNull(SamplePerson), description="Friends, none of them missing.")
    some_friends = graphene.List(lambda: SamplePerson, required=True, description="Friends, null where missing.")
    partner = graphene.Field(lambda: SamplePerson, description="The first friend.")
    needed = graphene.Field(lambda: SamplePerson, required=True, description="The second friend, who must be there.")
    fails = graphene.String(description="Raises at once.")
    fails_badly = graphene.String(required=True, description="Raises at once, and may not be null.")

    def resolve_friends(parent: Person, info: Any) -> Any:
        return [info.context.load(people_by_id, pk) for pk in parent.friend_ids]

    async def resolve_some_friends(parent: Person, info: Any) -> Any:
        return [await info.context.load(people_by_id, pk) for pk in parent.friend_ids]

    def resolve_partner(parent: Person, info: Any) -> Any:
        return info.context.load(people_by_id, parent.friend_ids[0])

    async def resolve_needed(parent: Person, info: Any) -> Any:
        return await info.context.load(people_by_id, parent.friend_ids[1])

    def resolve_fails(parent: Person, info: Any) -> None:
        raise RuntimeError("secret of a field")

    def resolve_fails_badly(parent: Person, info: Any) -> None:
        raise RuntimeError("secret of a field")


class SampleDog(graphene.ObjectType):
    """A dog."""

    class Meta:
        interfaces = (Node, Named)

    owner = graphene.Field(SamplePerson, description="Whose dog it is.")

    def resolve_name(parent: Dog, info: Any) -> str:
        return f"Dog {parent.pk}"

    async def resolve_owner(parent: Dog, info: Any) -> Any:
        return await info.context.load(people_by_id, parent.owner_id)


register_node(SamplePerson, people_for_node, model=Person)
register_node(SampleDog, dogs_for_node)
register_model(Dog, lambda _row: SampleDog)


class PriceInput(graphene.InputObjectType):
    """A price."""

    amount_minor = BigInt(required=True, description="In minor units.")
    label = text(10, required=True, description="What it is for.")


class SaveThingInput(graphene.InputObjectType):
    """A thing to keep."""

    title = text(20, required=True, description="Its title.")
    note = text(50, null=REFUSED, description="A note.")
    nickname = text(50, null=KEPT, description="Another name.")
    prices = graphene.List(graphene.NonNull(PriceInput), description="Its prices.")
    amenities = texts(5, most=3, description="What it has.")
    size = value(graphene.Int, null=REFUSED, description="Its size.")


class SaveThingPayload(Payload):
    """What was kept."""

    person = graphene.Field(SamplePerson, description="Who keeps it.")
    seen = JSON(description="The input as it arrived.")
    saved = graphene.Boolean(required=True, description="Whether it was kept.")
    number = graphene.Int(required=True, description="How many are kept.")


class SaveThing(Mutation):
    """Keeps a thing."""

    permission = anyone
    input_type = SaveThingInput
    payload_type = SaveThingPayload

    @classmethod
    def check(cls, context: Context, data: Any, problems: Collector) -> None:
        if data.size is not None and data.size < 0:
            problems.add(Invalid("size must not be negative.", field="size"))
        if data.title == "":
            problems.add(Invalid("never told, because cleaning told it first.", field="title"))

    @classmethod
    def perform(cls, context: Context, data: Any) -> Mapping[str, Any]:
        if data.title == "taken":
            raise Duplicate("That title is taken.", field=("prices", "0", "amount_minor"))
        if data.title == "crash":
            raise RuntimeError("secret of a mutation")
        context.state.setdefault("saved", []).append(data.title)
        return {"person": PEOPLE[1], "seen": dict(data), "saved": True, "number": 1}


class Uploading(graphene.InputObjectType):
    """A file."""

    file = Upload(required=True, description="The file.")


class KeepFilePayload(Payload):
    """The file that was kept."""

    name = graphene.String(description="Its name.")
    size = graphene.Int(description="Its length in bytes.")


class KeepFile(Mutation):
    """Keeps a file."""

    permission = anyone
    input_type = Uploading
    payload_type = KeepFilePayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> Mapping[str, Any]:
        return {"name": data.file.name, "size": data.file.size}


class Query(NodeQueries, graphene.ObjectType):
    """Reads."""

    person = RootField(
        SamplePerson, pk=graphene.Int(required=True, description="Its number."), permission=anyone, description="One."
    )
    people = RootField(
        graphene.NonNull(graphene.List(graphene.NonNull(SamplePerson))),
        count=graphene.Int(default_value=20, description="How many."),
        permission=anyone,
        description="The first ones.",
    )
    named = RootField(graphene.List(Named), permission=anyone, description="Persons and dogs.")
    stuck = RootField(graphene.String, permission=anyone, description="Waits for what never comes.")
    loaded = RootField(
        SamplePerson, pk=graphene.Int(required=True, description="Its number."), permission=anyone, description="One."
    )
    broken = RootField(graphene.String, key=graphene.Int(description="A key."), permission=anyone, description="Fails.")
    bad_int = RootField(graphene.Int, permission=anyone, description="Returns what is no Int.")
    missing = RootField(graphene.String, permission=anyone, description="Is not found.")
    account = RootField(graphene.String, permission=signed_in, description="For accounts.")
    hosting = RootField(graphene.String, permission=host, description="For hosts.")
    staffing = RootField(graphene.String, permission=staff, description="For staff.")
    echo = RootField(
        JSON,
        at=DateTime(description="An instant."),
        day=Date(description="A day."),
        time=Time(description="A time."),
        number=BigInt(description="A whole number."),
        amount=Decimal(description="A decimal."),
        rate=graphene.Float(description="A rate."),
        any=JSON(description="Anything."),
        permission=anyone,
        description="Shows what arrived.",
    )
    at = RootField(DateTime, permission=anyone, description="Now.")

    def resolve_person(root: None, info: Any, pk: int) -> Any:
        return PEOPLE.get(pk)

    def resolve_people(root: None, info: Any, count: int) -> Any:
        return [PEOPLE[pk] for pk in range(1, count + 2) if pk in PEOPLE][:count]

    def resolve_named(root: None, info: Any) -> Any:
        return [PEOPLE[1], DOGS[1], PEOPLE[2], DOGS[2]]

    async def resolve_stuck(root: None, info: Any) -> str:
        class Never:
            def __await__(self) -> Any:
                yield

        await Never()
        await Never()
        return "never"

    def resolve_loaded(root: None, info: Any, pk: int) -> Any:
        return info.context.load(people_by_id, pk)

    async def resolve_broken(root: None, info: Any, key: int) -> Any:
        return await info.context.load(broken_batch, key)

    def resolve_bad_int(root: None, info: Any) -> Any:
        return "secret that is no number"

    def resolve_missing(root: None, info: Any) -> Any:
        raise NotFound("There is no such thing.")

    def resolve_account(root: None, info: Any) -> str:
        return str(info.context.require_user().pk)

    def resolve_hosting(root: None, info: Any) -> str:
        return "host"

    def resolve_staffing(root: None, info: Any) -> str:
        return "staff"

    def resolve_echo(root: None, info: Any, **arguments: Any) -> Any:
        return {name: repr(each) for name, each in arguments.items()}

    def resolve_at(root: None, info: Any) -> datetime:
        now: datetime = info.context.now
        return now


class Mutations(graphene.ObjectType):
    """Writes."""

    class Meta:
        name = "Mutation"

    save_thing = SaveThing.Field()
    keep_file = KeepFile.Field()


class Subscription(graphene.ObjectType):
    """Is told."""

    ticked = RootField(graphene.Int, permission=anyone, description="A number each time.")

    async def subscribe_ticked(root: None, info: Any) -> Any:
        yield 1


schema = graphene.Schema(query=Query, mutation=Mutations, subscription=Subscription, types=[SamplePerson, SampleDog])
engine = Engine(schema)


def make_context(role: str | None = None, **options: Any) -> Context:
    user: Any = SimpleNamespace(pk=7, role=role) if role else None
    context = Context(now=NOW, user=user, **options)
    context.state["calls"] = Calls()
    return context


def ask(query: str, variables: Mapping[str, Any] | None = None, context: Context | None = None) -> Answer:
    return engine.answer(Operation(query, variables or {}), context=context or make_context())


def data_of(query: str, variables: Mapping[str, Any] | None = None, context: Context | None = None) -> Any:
    """The data of a query that has no errors."""
    answer = ask(query, variables, context)
    assert answer.errors == []
    return answer.data


def codes(answer: Answer) -> list[str]:
    return [str(error["extensions"]["code"]) for error in answer.errors]
