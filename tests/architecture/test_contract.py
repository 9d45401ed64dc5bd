"""The served schema contains the public contract: same names, arguments and nullability."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    print_ast,
    print_schema,
)
from graphql.utilities import ast_from_value

from schema.root import schema

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONTRACT = HERE / "contract.graphql"
MISSING = HERE / "contract_missing.txt"
SHARED = ROOT.parent / "shared" / "contract.graphql"


def missing_from(served: GraphQLSchema, wanted: GraphQLSchema) -> set[str]:
    """What of `wanted` the served schema lacks or has otherwise, one name each."""
    missing: set[str] = set()
    for name, type_ in wanted.type_map.items():
        if name.startswith("__"):
            continue
        have = served.type_map.get(name)
        if have is None or type(have) is not type(type_):
            missing.add(name)
        else:
            missing |= _parts(type_, have)
    return missing


def _parts(wanted: GraphQLNamedType, have: GraphQLNamedType) -> set[str]:
    name = wanted.name
    if isinstance(wanted, GraphQLEnumType) and isinstance(have, GraphQLEnumType):
        return {f"{name}.{value}" for value in set(wanted.values) - set(have.values)}
    missing: set[str] = set()
    if isinstance(wanted, GraphQLObjectType | GraphQLInterfaceType) and isinstance(have, type(wanted)):
        implemented = {each.name for each in have.interfaces}
        missing |= {f"{name} implements {each.name}" for each in wanted.interfaces if each.name not in implemented}
        for field_name, field in wanted.fields.items():
            theirs = have.fields.get(field_name)
            if theirs is None or str(theirs.type) != str(field.type):
                missing.add(f"{name}.{field_name}")
                continue
            for argument_name, argument in field.args.items():
                other = theirs.args.get(argument_name)
                if other is None or str(other.type) != str(argument.type) or _default(other) != _default(argument):
                    missing.add(f"{name}.{field_name}({argument_name})")
            # An argument of ours that the contract does not know must not be required.
            for extra in set(theirs.args) - set(field.args):
                if str(theirs.args[extra].type).endswith("!"):
                    missing.add(f"{name}.{field_name}({extra}) is not in the contract")
    if isinstance(wanted, GraphQLInputObjectType) and isinstance(have, GraphQLInputObjectType):
        for field_name, input_field in wanted.fields.items():
            other_field = have.fields.get(field_name)
            if other_field is None or str(other_field.type) != str(input_field.type):
                missing.add(f"{name}.{field_name}")
        for extra in set(have.fields) - set(wanted.fields):
            if str(have.fields[extra].type).endswith("!"):
                missing.add(f"{name}.{extra} is not in the contract")
    return missing


def _default(argument: object) -> str | None:
    node = ast_from_value(argument.default_value, argument.type)  # type: ignore[attr-defined]
    return None if node is None else print_ast(node)


def test_the_served_schema_contains_the_contract_but_for_a_list_that_shrinks() -> None:
    missing = missing_from(build_schema(print_schema(schema.graphql_schema)), build_schema(CONTRACT.read_text()))
    listed = {line for line in MISSING.read_text().splitlines() if line and not line.startswith("#")}
    assert missing - listed == set(), "the served schema lacks parts of the contract"
    assert listed - missing == set(), "these are served now: take them off the list"


def test_the_comparison_notices_what_differs() -> None:
    wanted = build_schema("type Query { a(x: Int!): Int! b: String } enum E { P Q } input I { f: Int! }")
    served = build_schema("type Query { a(x: Int): Int b: String! } enum E { P } input I { f: Int! g: Int! }")
    assert missing_from(served, wanted) == {"Query.a", "Query.b", "E.Q", "I.g is not in the contract"}


def test_our_copy_of_the_contract_is_the_contract() -> None:
    if not SHARED.exists():
        pytest.skip("the contract is not beside this checkout")
    assert CONTRACT.read_text() == SHARED.read_text()
