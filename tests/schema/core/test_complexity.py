"""What is too much, and what is not."""

import time
from typing import Any

import graphene
import pytest
from graphql import get_introspection_query

from schema.core.complexity import Limits
from schema.core.engine import Engine, Operation
from schema.core.pagination import Connection, PageFacts, connection_field, connection_type
from schema.core.permissions import RootField, anyone
from tests.schema.core.sample import make_context


class Leaf(graphene.ObjectType):
    """A leaf."""

    name = graphene.String(description="Its name.")


class Tree(graphene.ObjectType):
    """A tree."""

    name = graphene.String(description="Its name.")
    parent = graphene.Field(lambda: Tree, description="Where it came from.")
    leaves = graphene.List(graphene.NonNull(Leaf), required=True, description="Its leaves.")


TreeConnection: Any = connection_type(Tree)
Tree._meta.fields["trees"] = connection_field(TreeConnection, description="Its trees.")


class Query(graphene.ObjectType):
    """Reads."""

    trees = connection_field(TreeConnection, permission=anyone, description="All.")
    tree = RootField(Tree, permission=anyone, description="One.")

    def resolve_trees(root: None, info: Any, **arguments: Any) -> Any:
        return Connection([], PageFacts([], next_page=lambda: False, previous_page=lambda: False), lambda: 0)


engine = Engine(graphene.Schema(query=Query))


def refusal(query: str, **variables: Any) -> str | None:
    """The code of the refusal, None when it was answered."""
    answer = engine.answer(Operation(query, variables), context=make_context())
    if answer.executed:
        assert answer.errors == []
        return None
    (error,) = answer.errors
    return str(error["extensions"]["code"])


def nested(*sizes: object) -> str:
    text = "name"
    for size in reversed(sizes):
        text = f"trees(first: {size}) {{ edges {{ cursor node {{ {text} }} }} pageInfo {{ endCursor }} totalCount }}"
    return text


@pytest.mark.parametrize(
    "query",
    [
        f"{{ {nested(100)} }}",
        f"{{ {nested(100, 10)} }}",
        f"{{ trees(first: 20) {{ edges {{ node {{ leaves {{ name }} parent {{ leaves {{ name }} }} {nested(20)} }} }} }} }}",
        f"{{ {nested(20, 20, 5)} }}",
        "{ " + " ".join(f"a{number}: trees(first: 20) {{ totalCount }}" for number in range(50)) + " }",
        get_introspection_query(),
        get_introspection_query(directive_is_repeatable=True, input_value_deprecation=True),
    ],
)
def test_ordinary_queries_pass(query: str) -> None:
    assert refusal(query) is None


@pytest.mark.parametrize(
    "query",
    [
        f"{{ {nested(100, 100, 100)} }}",
        "{ " + " ".join(f"a{number}: trees(first: 1) {{ totalCount }}" for number in range(200)) + " }",
        "{ tree { " + " ".join(f"a{number}: leaves {{ name }}" for number in range(200)) + " } }",
        "{ " + " ".join(f"a{number}: tree {{ name }}" for number in range(101)) + " }",
        "{ tree { " + "parent { " * 20 + "name" + " }" * 20 + " } }",
        "{ tree { ...f0 } } "
        + " ".join(
            f"fragment f{n} on Tree {{ a: parent {{ ...f{n + 1} }} b: parent {{ ...f{n + 1} }} }}" for n in range(16)
        )
        + " fragment f16 on Tree { leaves { name } }",
        "{ " + "tree { name } " * 4000 + "}",
        "{ tree { name } } #" + "x" * 100_000,
        "{ tree { name } }" + "\n#" * 9000,
    ],
)
def test_too_much_is_refused_quickly(query: str) -> None:
    begun = time.process_time()
    assert refusal(query) == "QUERY_TOO_COMPLEX"
    assert time.process_time() - begun < 3


def test_page_sizes_in_variables_count_as_what_they_are() -> None:
    query = f"query ($a: Int, $b: Int, $c: Int) {{ {nested('$a', '$b', '$c')} }}"
    assert refusal(query, a=100, b=100, c=100) == "QUERY_TOO_COMPLEX"
    assert refusal(query, a=5, b=5, c=5) is None
    assert refusal(query, a=5, b=5) is None
    assert refusal(query) is None
    assert refusal(query, a=100, b=100, c=100) == "QUERY_TOO_COMPLEX"


def test_a_page_size_that_is_left_out_counts_as_its_default() -> None:
    query = f"query ($a: Int = 100, $b: Int = 100, $c: Int) {{ {nested('$a', '$b', '$c')} }}"
    assert refusal(query, c=5) == "QUERY_TOO_COMPLEX"
    assert refusal(query, a=5, b=5, c=5) is None


def test_a_huge_page_counts_as_the_largest_page() -> None:
    assert refusal(f"{{ {nested(2**31 - 1)} }}") is None


def test_circular_fragments_are_refused() -> None:
    query = "{ tree { ...a } } fragment a on Tree { parent { ...b } } fragment b on Tree { parent { ...a } }"
    assert refusal(query) == "BAD_USER_INPUT"


def test_the_same_text_is_parsed_once_but_by_each_kind_of_caller() -> None:
    first = engine.document("{ tree { name } }", is_open=True)
    assert engine.document("{ tree { name } }", is_open=True) is first
    assert engine.document("{ tree { name } }", is_open=False) is not first


def test_limits_can_be_set() -> None:
    small = Engine(graphene.Schema(query=Query), limits=Limits(depth=2))
    answer = small.answer(Operation("{ tree { parent { name } } }"), context=make_context())
    assert answer.errors[0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
