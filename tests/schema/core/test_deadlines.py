"""A request that takes too long ends, and so does one whose client left; what a mutation did is told all the same."""

from collections.abc import Callable
from typing import Any

import graphene
import pytest

from schema.core.context import Info
from schema.core.costs import Prices
from schema.core.deadlines import Deadline
from schema.core.engine import Engine, Operation
from schema.core.lean import LOOK_EVERY
from schema.core.permissions import RootField, anyone
from tests.schema.core.sample import make_context


class Thing(graphene.ObjectType):
    """A thing."""

    number = graphene.Int(description="Its number.")


class Query(graphene.ObjectType):
    """Reads."""

    things = RootField(graphene.List(Thing), permission=anyone, description="Many.")

    def resolve_things(root: None, info: Info) -> Any:
        for number in range(8):
            info.context.state["brought"] = number
            if number == 3:
                info.context.state["at three"](info.context.deadline)
            yield Thing(number=number)


class Do(graphene.Mutation):
    """Does it."""

    number = graphene.Int(description="What it did.")
    thing = graphene.Field(Thing, description="What came of it.")

    def mutate(root: None, info: Info) -> "Do":
        number = info.context.state["done"] = info.context.state.get("done", 0) + 1
        if number == 2:
            info.context.state["at two"](info.context.deadline)
        return Do(number=number, thing=Thing(number=number))


class Mutations(graphene.ObjectType):
    """Writes."""

    do = Do.Field(description="Does it.")


# The clock is looked at every few points.
SCHEMA = graphene.Schema(query=Query, mutation=Mutations)
ENGINES = [Engine(SCHEMA, prices=Prices(per_object=LOOK_EVERY + 1), is_lean=is_lean) for is_lean in (True, False)]
both = pytest.mark.parametrize("engine", ENGINES, ids=["lean", "graphql-core"])


def leave(deadline: Deadline) -> None:
    deadline.is_gone = True


def end(deadline: Deadline) -> None:
    deadline._until = 0.0


@both
@pytest.mark.parametrize("happens", [leave, end])
def test_a_query_brings_no_more(happens: Callable[[Deadline], None], engine: Engine) -> None:
    context = make_context()
    context.deadline = Deadline(seconds=3_600)
    context.state["at three"] = happens
    answer = engine.answer(Operation("{ things { number } }"), context=context)
    assert answer.data is not None
    assert [thing and thing["number"] for thing in answer.data["things"][:5]] == [0, 1, 2, None, None]
    assert {error["extensions"]["code"] for error in answer.errors} == {"QUERY_TOO_COMPLEX"}
    assert answer.errors[0]["message"] == "The request takes too long. Ask for less at once."


@both
@pytest.mark.parametrize("happens", [leave, end])
def test_a_mutation_begins_no_further_field_and_tells_what_was_done(
    happens: Callable[[Deadline], None], engine: Engine
) -> None:
    context = make_context()
    context.deadline = Deadline(seconds=3_600)
    context.state["at two"] = happens
    query = "mutation { a: do { number } b: do { number thing { number } } c: do { number } }"
    answer = engine.answer(Operation(query), context=context)
    assert answer.data == {"a": {"number": 1}, "b": {"number": 2, "thing": {"number": 2}}, "c": None}
    assert context.state["done"] == 2
    assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [(["c"], "QUERY_TOO_COMPLEX")]


def test_patience_ends_by_itself() -> None:
    assert Deadline(seconds=0).is_over()
    assert not Deadline(seconds=60).is_over()
    assert not Deadline().is_over()
