"""Promises about the whole schema."""

from pathlib import Path

from graphql import print_schema

from apps.listings.kinds import all_kinds
from schema.core.descriptions import undescribed
from schema.core.nodes import registered_nodes
from schema.core.permissions import undeclared_permissions
from schema.listings.types import kind_types
from schema.root import schema

PRINTED = Path(__file__).resolve().parent.parent.parent / "schema" / "schema.graphql"


def test_every_root_field_declares_who_may_call_it() -> None:
    assert undeclared_permissions(schema) == []


def test_everything_is_described_in_sentences() -> None:
    assert undescribed(schema.graphql_schema) == []


def test_the_printed_schema_is_the_served_one() -> None:
    assert PRINTED.read_text().strip() == print_schema(schema.graphql_schema).strip(), (
        "print it again: ./run manage graphql_schema --out schema/schema.graphql"
    )


def test_every_kind_is_whole_on_both_sides() -> None:
    assert set(kind_types) == {kind.code for kind in all_kinds()}


def test_every_type_with_a_global_id_can_be_fetched_by_it() -> None:
    node = schema.graphql_schema.type_map["Node"]
    implemented = {each.name for each in schema.graphql_schema.get_possible_types(node)}
    assert implemented <= registered_nodes()
