"""Every page for readers: what it links to is there, and its operations are ones of the schema."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLSchema, build_schema, get_named_type, parse, type_from_ast, validate
from graphql.language import FieldNode, OperationDefinitionNode

from tests.readme.reading import ROOT, blocks

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
CLIENTS = (ROOT / "docs/clients.md").read_text()
LINE = 132
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def served() -> GraphQLSchema:
    return build_schema((ROOT / "schema/schema.graphql").read_text())


def unknown_names(value: Any, type_: Any, path: str) -> Iterator[str]:
    """The keys of variables that their input type does not have."""
    named = get_named_type(type_)
    for each in value if isinstance(value, list) else [value]:
        if isinstance(named, GraphQLInputObjectType) and isinstance(each, dict):
            for key, inner in each.items():
                if key in named.fields:
                    yield from unknown_names(inner, named.fields[key].type, f"{path}.{key}")
                else:
                    yield f"{path}.{key}"


def operations(page: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Each operation with the variables that stand below it."""
    for (language, text), (following, variables) in pairwise([*blocks(page, "graphql", "json"), ("", "")]):
        if language == "graphql":
            yield text, json.loads(variables) if following == "json" else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_it_links_to_is_there(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_links_to_every_page() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text()))
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_operations_are_ones_of_the_schema(page: Path, served: GraphQLSchema) -> None:
    for text, variables in operations(page.read_text()):
        document = parse(text)
        assert validate(served, document) == [], text
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        declared = {
            each.variable.name.value: type_from_ast(served, each.type) for each in operation.variable_definitions
        }
        if variables is not None and "Authorization" not in variables:
            assert set(variables) <= set(declared), text
            wrong = [name for key, value in variables.items() for name in unknown_names(value, declared[key], key)]
            assert wrong == [], text


def test_clients_find_every_operation_to_copy(served: GraphQLSchema) -> None:
    shown: dict[str, set[str]] = {}
    for text, _ in operations(CLIENTS):
        (operation,) = parse(text).definitions
        assert isinstance(operation, OperationDefinitionNode)
        fields = {each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)}
        shown.setdefault(operation.operation.value, set()).update(fields)
    for sort, root in (
        ("query", served.query_type),
        ("mutation", served.mutation_type),
        ("subscription", served.subscription_type),
    ):
        assert root is not None
        assert shown[sort] == set(root.fields), sort


def test_every_code_of_an_error_is_explained(served: GraphQLSchema) -> None:
    section = CLIENTS.partition("### Errors")[2].partition("\n### ")[0]
    codes: Any = served.type_map["ErrorCode"]
    assert set(codes.values) <= set(re.findall(r"`([A-Z_]+)`", section))


@pytest.mark.parametrize(
    "page",
    [ROOT / "docs" / f"{name}.md" for name in ("clients", "contributing", "operations")],
    ids=lambda page: page.name,
)
def test_its_prose_fits_a_screen(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > LINE and not line.startswith("|")] == []
