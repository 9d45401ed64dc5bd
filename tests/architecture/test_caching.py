"""No write trusts what is kept, and nothing but a query is answered from it."""

import ast
from pathlib import Path

from tests.architecture.test_code import modules

# What those who write may say to what counts changes: of whom a block is, and that a statement went past Django.
SAID = {"only", "of_its_listing", "note"}
VERSIONS = "apps.core.versions"


def said_to_versions(tree: ast.Module) -> set[str]:
    """The names that a module takes from `apps.core.versions`."""
    found = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == VERSIONS
        for alias in node.names
    }
    is_imported = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "apps.core"
        and "versions" in {each.name for each in node.names}
        for node in ast.walk(tree)
    )
    return found | {
        node.attr
        for node in ast.walk(tree)
        if is_imported
        and isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "versions"
    }


def test_those_who_write_cannot_read_what_is_kept() -> None:
    """`apps` cannot import `schema`, where it is read; nor may they ask Redis for it by way of the versions."""
    taken = {path: said_to_versions(tree) for path, tree in modules("apps") if path.parts[:2] != ("apps", "core")}
    assert {path: names - SAID for path, names in taken.items() if names - SAID} == {}
    assert taken[Path("apps/availability/actions.py")] == {"only", "of_its_listing"}
    assert taken[Path("apps/importing/blocking.py")] == {"note"}


def test_the_check_sees_a_read() -> None:
    assert said_to_versions(ast.parse("from apps.core import versions\nversions.redis_of('x')")) == {"redis_of"}
    assert said_to_versions(ast.parse("from apps.core.versions import may_read")) == {"may_read"}


def test_the_engine_alone_opens_what_is_kept() -> None:
    """Subscriptions are executed past it, and so is whatever else makes a context of its own."""
    opening = [
        str(path)
        for path, tree in modules("apps", "booking", "schema")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open_kept"
    ]
    assert opening == ["schema/core/engine.py"]
