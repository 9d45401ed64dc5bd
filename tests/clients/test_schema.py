"""The printed schema under the linters of others: its conventions, and what it promised in the last release."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.released import RELEASED, broken_promises, compare_with_release
from tests.clients.driver import installed

ROOT = Path(__file__).resolve().parents[2]
PRINTED = ROOT / "schema" / "schema.graphql"
# All rules of graphql-schema-linter but those that want an alphabetical order: ours is by meaning.
RULES = (
    "arguments-have-descriptions", "defined-types-are-used", "deprecations-have-a-reason", "descriptions-are-capitalized",
    "enum-values-all-caps", "enum-values-have-descriptions", "fields-are-camel-cased", "fields-have-descriptions",
    "input-object-values-are-camel-cased", "input-object-values-have-descriptions", "relay-connection-arguments-spec",
    "relay-connection-types-spec", "relay-page-info-spec", "types-are-capitalized", "types-have-descriptions",
)  # fmt: skip
# Breaks each of them.
WORSE = """
type Query { things(first: String): ThingConnection  old_name(of: Int): thing @deprecated }
type thing {
  "no capital"
  Colour: colour
}
type ThingConnection { edges: thing }
type PageInfo { hasNextPage: Int }
enum colour { red }
"nobody uses it."
input Unused { given_name: String }
"""


def node(script: str, *arguments: str) -> str:
    folder = installed()
    done = subprocess.run(
        [str(shutil.which("node")), script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout


def lint(path: Path) -> list[dict[str, Any]]:
    cli = installed().parent / "node_modules" / "graphql-schema-linter" / "lib" / "cli.js"
    found: list[dict[str, Any]] = json.loads(node(str(cli), "--format", "json", "--rules", ",".join(RULES), str(path)))[
        "errors"
    ]
    return found


def changes(old: Path, new: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(node("schema_diff.mjs", str(old), str(new)))
    return found


def test_the_schema_keeps_to_the_conventions() -> None:
    assert lint(PRINTED) == []


def test_the_linter_sees_what_does_not(tmp_path: Path) -> None:
    worse = tmp_path / "worse.graphql"
    worse.write_text(WORSE)
    assert {each["rule"] for each in lint(worse)} == set(RULES)


def test_nothing_that_was_released_is_broken() -> None:
    assert [each for each in changes(RELEASED, PRINTED) if each["level"] == "BREAKING"] == []
    assert compare_with_release() == (True, "")


BREAKING = {
    "a field is gone": ("  ratingCount: Int!", "  ratings: Int!"),
    "a field may be null": ("  title: String!", "  title: String"),
    "an argument is required": ("    unit: DistanceUnit! = KM", "    unit: DistanceUnit!"),
    "a value of an enum is gone": ("  NON_REFUNDABLE\n", "  NEVER\n"),
    "an input wants more": ("  tickets: Int!", "  tickets: Int!\n  seat: String!"),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_breaks_clients_is_seen(what: str, tmp_path: Path) -> None:
    before, after = BREAKING[what]
    released = RELEASED.read_text()
    assert before in released
    worse = tmp_path / "worse.graphql"
    worse.write_text(released.replace(before, after, 1))
    passed, said = compare_with_release(RELEASED, worse)
    assert not passed
    assert "Deprecate it first" in said


def test_inspector_and_lint_agree_about_what_breaks(tmp_path: Path) -> None:
    text = RELEASED.read_text()
    for before, after in BREAKING.values():
        text = text.replace(before, after, 1)
    worse = tmp_path / "worse.graphql"
    worse.write_text(text)
    seen = {each["path"] for each in changes(RELEASED, worse) if each["level"] == "BREAKING"}
    assert seen == {"Event.ratingCount", "Event.title", "CancellationPolicy.NON_REFUNDABLE", "BookEventInput.seat"}
    assert len(broken_promises(RELEASED.read_text(), text)) >= len(BREAKING)


def test_what_is_added_breaks_nobody() -> None:
    released = RELEASED.read_text()
    more = released.replace("  ratingCount: Int!", '  ratingCount: Int!\n\n  """New."""\n  fresh: Int', 1)
    more = more.replace("  tickets: Int!", '  tickets: Int!\n\n  """New."""\n  seat: String', 1)
    assert more != released
    # The field was added to one type alone, which is no break of the interface.
    assert broken_promises(released, more) == []


def test_a_missing_release_is_told(tmp_path: Path) -> None:
    assert compare_with_release(tmp_path / "none.graphql", PRINTED) == (
        False,
        f"{tmp_path / 'none.graphql'} is missing.",
    )
