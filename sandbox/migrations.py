"""Whether the database can be brought to the code while people use it: squawk reads what the new migrations say to PostgreSQL.

`python -m sandbox.migrations` lists what is wrong, and ends with 1 if anything is. No server is asked. Django tells what each
migration would send, and what was there before is known from the migrations before it. A migration whose author knows better
says so itself, rule by rule, as a class attribute beside its operations:

    accepted = {"ban-drop-column": "no release since 2.3 reads it"}

`migrations_before.txt` names those that are not looked at, and says why.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import django
from django.contrib.postgres.operations import CreateExtension
from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

BEFORE = Path(__file__).with_name("migrations_before.txt")
SQUAWK = Path(sys.executable).with_name("squawk")
POSTGRESQL = 180000
# What squawk would have otherwise than we do.
NOT_ASKED = (
    # Django's types, and models say how long and how large a value may be.
    "prefer-text-field", "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity", "ban-char-field",
    # A migration that failed halfway is taken back whole; what runs outside of a transaction says IF NOT EXISTS below.
    "prefer-robust-stmts",
    # `manage.py migrate` sets them for all.
    "require-lock-timeout", "require-statement-timeout",
)  # fmt: skip
DATA = re.compile(r"^\s*(?:UPDATE|DELETE|INSERT|MERGE|COPY)\b", re.IGNORECASE)
CONCURRENTLY = re.compile(r"^\s*(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE)
COLUMN = re.compile(r'^ALTER TABLE "\w+" ADD COLUMN "\w+" [\w ()]+ NULL ', re.IGNORECASE)
ADVICE = "docs/contributing.md says how it is done while people use it (Migrations)."


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a migration, by the name of the rule."""

    migration: str
    rule: str
    statement: str
    advice: str

    def __str__(self) -> str:
        shown = f": {' '.join(self.statement.split())[:160]}" if self.statement else ""
        return f"{self.migration}: {self.rule}{shown}\n    {self.advice}"


def name_of(migration: Migration) -> str:
    return f"{migration.app_label}.{migration.name}"


def before(text: str) -> list[str]:
    """The migrations that are not looked at."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def in_order(loader: MigrationLoader) -> list[Migration]:
    """All migrations, each after those it builds on."""
    keys: dict[tuple[str, str], None] = {}
    for leaf in loader.graph.leaf_nodes():
        keys.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    return [loader.graph.nodes[key] for key in keys]


def statements_of(migration: Migration, state: ProjectState) -> list[str]:
    """What the migration sends to PostgreSQL where `state` is what there is. `state` is brought forward by it."""
    # Not entered, since that would begin a transaction: it only collects.
    editor: BaseDatabaseSchemaEditor = connection.SchemaEditorClass(connection, collect_sql=True, atomic=True)
    editor.deferred_sql = []
    migration.apply(state, editor, collect_sql=True)
    return [*editor.collected_sql, *(f"{each};" for each in editor.deferred_sql)]


def squawks(migration: Migration, statements: Sequence[str]) -> Iterator[Complaint]:
    """What squawk has against the statements. Raises RuntimeError where it cannot read them."""
    command = [str(SQUAWK), "--reporter", "json", "--pg-version", "16", "--stdin-filepath", "migration.sql"]
    command += [f"--exclude={','.join(NOT_ASKED)}", *(["--assume-in-transaction"] if migration.atomic else [])]
    text = "\n".join(statements)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"squawk cannot read {name_of(migration)}: {done.stdout}{done.stderr}") from None
    lines = text.splitlines()
    for each in found:
        said = lines[each["line"]]
        # A column that is new and empty has nothing that PostgreSQL would look up in the other table.
        if each["rule_name"] == "adding-foreign-key-constraint" and COLUMN.match(said) and "DEFAULT" not in said:
            continue
        yield Complaint(name_of(migration), each["rule_name"], said, each.get("help") or each["message"])


def of_the_house(migration: Migration, statements: Sequence[str]) -> Iterator[Complaint]:
    """What we have against it: it cannot be taken back or run at all, or changes rows beside the schema or under one lock."""
    name = name_of(migration)
    data = [each for each in statements if DATA.match(each)]
    rows = [operation for operation in migration.operations if isinstance(operation, RunPython)]
    for operation in migration.operations:
        if isinstance(operation, RunPython | RunSQL) and not operation.reversible:
            yield Complaint(name, "irreversible", "", "Say what takes it back; RunPython.noop or '' if nothing has to.")
    if migration.atomic and (built := [each for each in statements if CONCURRENTLY.match(each)]):
        yield Complaint(name, "concurrently-in-transaction", built[0], "PostgreSQL refuses it there: `atomic = False`.")
    schema = [each for each in statements if not (DATA.match(each) or each.startswith("--"))]
    if (data or rows) and schema:
        yield Complaint(
            name, "data-beside-schema", data[0] if data else "RunPython", "Put it into a migration of its own."
        )
    if (data or rows) and migration.atomic:
        yield Complaint(
            name, "data-in-one-transaction", data[0] if data else "RunPython",
            "Rows stay locked until all are done: `atomic = False`, and a few thousand at a time.",
        )  # fmt: skip


def complaints_of(migration: Migration, state: ProjectState) -> list[Complaint]:
    """What is wrong with the migration where `state` is what there is, but for what it accepts with a reason."""
    accepted: dict[str, str] = getattr(migration, "accepted", {})
    statements = statements_of(migration, state)
    found = [*squawks(migration, statements), *of_the_house(migration, statements)]
    name = name_of(migration)
    wrong = [each for each in found if not accepted.get(each.rule, "").strip()]
    unbroken = sorted(set(accepted) - {each.rule for each in found})
    return wrong + [
        Complaint(name, "accepts-nothing", "", f"{rule} is accepted, and it breaks no such rule.") for rule in unbroken
    ]


def complaints(known: Sequence[str]) -> list[Complaint]:
    """What is wrong with the migrations of ours that are not among the known ones."""
    loader = MigrationLoader(None, replace_migrations=False)
    state = ProjectState(real_apps=loader.unmigrated_apps)
    found = []
    ours = set()
    for migration in in_order(loader):
        if type(migration).__module__.startswith("apps."):
            ours.add(name_of(migration))
        if name_of(migration) in ours.difference(known):
            found += complaints_of(migration, state)
        else:
            migration.mutate_state(state, preserve=False)
    found += [
        Complaint(each, "unknown", "", f"{BEFORE.name} names it, and there is no such migration.")
        for each in sorted(set(known) - ours)
    ]
    return found


def without_server() -> None:
    """Let Django tell its statements without asking a server what it can do."""
    # The type stubs do not know of the class's own cache.
    vars(connection)["pg_version"] = POSTGRESQL
    vars(connection.ops)["compose_sql"] = _composed
    CreateExtension.database_forwards = _create_extension  # type: ignore[assignment,method-assign]


def _composed(sql: str, parameters: Sequence[object] | None) -> str:
    from psycopg2.extensions import adapt

    if not parameters:
        return sql
    quoted = []
    for each in parameters:
        adapted = adapt(each)
        if hasattr(adapted, "encoding"):
            adapted.encoding = "utf8"
        quoted.append(adapted.getquoted().decode())
    return sql % tuple(quoted)


def _create_extension(
    operation: Operation, label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
) -> None:
    editor.execute(f'CREATE EXTENSION IF NOT EXISTS "{operation.name}"')  # type: ignore[attr-defined]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
    django.setup()
    without_server()
    wrong = complaints(before(BEFORE.read_text()))
    for each in wrong:
        print(each)
    if wrong:
        print(ADVICE)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
