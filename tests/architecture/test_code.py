"""What import-linter cannot say about the code."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("apps", "booking", "schema")
BANNED_NAMES = {"utils", "helpers", "manager", "managers", "common", "services", "misc"}
CLOCKS = {("timezone", "now"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}
# Where the clock may be read: the doors of the system.
EDGES = {"tasks.py", "webhooks.py", "admin.py", "admin_password.py", "views.py", "consumers.py", "backends.py"}


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def forget_modules() -> None:
    """Their trees take seventy megabytes."""
    _parsed.cache_clear()


def modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), _parsed(path)


def found(package: tuple[str, ...], matches: "type[ast.AST]", condition: object) -> list[str]:
    return [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, tree in modules(*package)
        for node in ast.walk(tree)
        if isinstance(node, matches) and condition(path, node)  # type: ignore[operator]
    ]


def test_schema_asks_selectors_and_never_the_database() -> None:
    assert found(("schema",), ast.Attribute, _asks_a_model) == []


def _asks_a_model(_path: Path, node: ast.Attribute) -> bool:
    """`Model.objects`: a class is written with a capital."""
    return node.attr == "objects" and isinstance(node.value, ast.Name) and node.value.id[:1].isupper()


def test_the_database_check_sees_a_query() -> None:
    (node,) = [each for each in ast.walk(ast.parse("Booking.objects")) if isinstance(each, ast.Attribute)]
    assert _asks_a_model(Path("schema/x.py"), node)


def _writes_status(path: Path, node: ast.AST) -> bool:
    if "bookings" not in path.parts and "hosting" not in path.parts and "reviews" not in path.parts:
        return False
    if isinstance(node, ast.Assign):
        return any(
            isinstance(target, ast.Attribute) and target.attr == "status" and _names(target.value, "booking")
            for target in node.targets
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"update", "create"}:
        return _names(node.func.value, "Booking") and any(keyword.arg == "status" for keyword in node.keywords)
    return False


def _names(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def test_move_to_alone_writes_the_status_of_a_booking() -> None:
    assert found(("apps", "schema"), ast.AST, _writes_status) == []


def test_the_status_check_sees_a_write() -> None:
    tree = ast.parse("booking.status = 'CONFIRMED'\nBooking.objects.filter(pk=1).update(status='X')")
    assert sum(_writes_status(Path("apps/bookings/x.py"), node) for node in ast.walk(tree)) == 2


def _tells_kinds_apart(_path: Path, node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in sides) and any(
        isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides
    )


def test_a_kind_is_never_told_apart_by_an_if() -> None:
    assert found(("apps", "schema"), ast.Compare, _tells_kinds_apart) == []


def _reads_a_clock(path: Path, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    return isinstance(owner, ast.Name) and (owner.id, node.func.attr) in CLOCKS


def test_the_clock_is_read_at_the_edge_and_passed_down() -> None:
    readers = {
        each.rsplit(":", 1)[0]
        for each in found(("apps",), ast.Call, _reads_a_clock)
        if Path(each.rsplit(":", 1)[0]).name not in EDGES and "commands" not in Path(each).parts
    }
    assert readers == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_a_name_that_says_nothing(package: str) -> None:
    assert [str(path) for path, _ in modules(package) if path.stem in BANNED_NAMES] == []


def test_no_float_touches_money() -> None:
    pure = [ROOT / "apps/core/money.py", ROOT / "apps/bookings/terms.py", *(ROOT / "apps/payments").glob("*.py")]
    floats = [
        f"{path.name}:{node.lineno}"
        for path in pure
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert floats == []
