"""The linter of migrations: it finds what would stop people, each by the name of its rule, and lets the careful way through."""

from typing import Any, TypeAlias

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    CreateExtension,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Q

from sandbox import migrations as linter

Fields: TypeAlias = "list[tuple[str, models.Field[Any, Any]]]"
TITLED = Q(title__gt="")


def migration(*operations: Operation, atomic: bool = True, accepted: dict[str, str] | None = None) -> Migration:
    made = Migration("0099_under_test", "listings")
    vars(made).update(operations=list(operations), atomic=atomic, accepted=accepted or {})
    return made


@pytest.fixture
def present() -> ProjectState:
    """What there is: a table with a few columns, and one beside it."""
    state = ProjectState()
    key: tuple[str, models.Field[Any, Any]] = ("id", models.BigAutoField(primary_key=True))
    fields: Fields = [key, ("title", models.TextField()), ("price", models.BigIntegerField(null=True))]
    index = models.Index(fields=["price"], name="listing_price")
    state.add_model(ModelState("listings", "Listing", fields, {"indexes": [index]}))
    state.add_model(ModelState("listings", "Picture", [key]))
    return state


@pytest.fixture(autouse=True)
def _without_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here asks the database of the tests, and what lets Django do without is taken back."""
    monkeypatch.setitem(vars(connection.ops), "compose_sql", None)
    monkeypatch.setattr(CreateExtension, "database_forwards", CreateExtension.database_forwards)
    monkeypatch.setattr(connection, "ensure_connection", None)
    monkeypatch.setitem(vars(connection), "pg_version", linter.POSTGRESQL)
    linter.without_server()


def rules(present: ProjectState, made: Migration) -> set[str]:
    return {each.rule for each in linter.complaints_of(made, present)}


def backwards(*_: Any) -> None:
    """Takes nothing back."""


BAD: dict[str, tuple[set[str], Operation]] = {
    "an index that blocks writes while it is built": (
        {"require-concurrent-index-creation"},
        migrations.AddIndex("listing", models.Index(fields=["title"], name="listing_title_0")),
    ),
    "an index that goes at once": (
        {"require-concurrent-index-deletion"}, migrations.RemoveIndex("listing", "listing_price"),
    ),
    "a concurrent index inside a transaction": (
        {"concurrently-in-transaction"},
        AddIndexConcurrently("listing", models.Index(fields=["title"], name="listing_title_1")),
    ),
    "a check that looks at every row under a lock": (
        {"constraint-missing-not-valid"},
        migrations.AddConstraint("listing", models.CheckConstraint(condition=TITLED, name="listing_titled")),
    ),
    "a unique constraint": (
        {"disallowed-unique-constraint", "constraint-missing-not-valid"},
        migrations.AddConstraint("listing", models.UniqueConstraint(fields=["title"], name="listing_title_once")),
    ),
    "an exclusion": (
        {"constraint-missing-not-valid"},
        migrations.AddConstraint(
            "listing", ExclusionConstraint(name="listing_alone", expressions=[("id", "=")])
        ),
    ),
    "a column without a value for those that the version before writes": (
        {"ban-drop-default"}, migrations.AddField("listing", "stars", models.BigIntegerField(default=0)),
    ),
    "a column that becomes NOT NULL": (
        {"adding-not-nullable-field"}, migrations.AlterField("listing", "price", models.BigIntegerField()),
    ),
    "a column of another type": (
        {"changing-column-type"}, migrations.AlterField("listing", "title", models.BigIntegerField()),
    ),
    "a column that goes": ({"ban-drop-column"}, migrations.RemoveField("listing", "title")),
    "a column of another name": ({"renaming-column"}, migrations.RenameField("listing", "title", "name")),
    "a table that goes": ({"ban-drop-table"}, migrations.DeleteModel("picture")),
    "SQL that nobody can take back": ({"irreversible"}, migrations.RunSQL("COMMENT ON TABLE listings_listing IS 'x'")),
    "rows under one lock": (
        {"data-in-one-transaction"}, migrations.RunSQL("UPDATE listings_listing SET title = title", ""),
    ),
    "rows by Python under one lock": ({"data-in-one-transaction"}, migrations.RunPython(backwards, backwards)),
    "a transaction of its own": ({"transaction-nesting"}, migrations.RunSQL("COMMIT;", "")),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_it_refuses(present: ProjectState, what: str) -> None:
    expected, operation = BAD[what]
    assert rules(present, migration(operation)) == expected


def test_it_refuses_rows_beside_the_schema(present: ProjectState) -> None:
    both = migration(
        migrations.AddField("listing", "stars", models.BigIntegerField(null=True)),
        migrations.RunPython(backwards, backwards),
        atomic=False,
    )
    assert rules(present, both) == {"data-beside-schema"}


GOOD: dict[str, Migration] = {
    "a table with all that it has": migration(
        migrations.CreateModel(
            "Badge",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("listing", models.ForeignKey("listings.listing", models.CASCADE)),
                ("name", models.TextField()),
            ],
            options={
                "indexes": [models.Index(fields=["name"], name="badge_name")],
                "constraints": [models.UniqueConstraint(fields=["name"], name="badge_once")],
            },
        )
    ),
    "a column that may be empty": migration(migrations.AddField("listing", "stars", models.BigIntegerField(null=True))),
    "a column that the database fills": migration(
        migrations.AddField("listing", "stars", models.BigIntegerField(db_default=0))
    ),
    "an index, concurrently": migration(
        AddIndexConcurrently("listing", models.Index(fields=["title"], name="listing_title_2")), atomic=False
    ),
    "an index that goes, concurrently": migration(RemoveIndexConcurrently("listing", "listing_price"), atomic=False),
    "a check for what comes": migration(
        AddConstraintNotValid("listing", models.CheckConstraint(condition=TITLED, name="listing_titled"))
    ),
    "a check for what is there": migration(
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddConstraint("listing", models.CheckConstraint(condition=TITLED, name="listing_titled"))
            ]
        ),
        ValidateConstraint("listing", "listing_titled"),
    ),
    "rows a few at a time": migration(migrations.RunPython(backwards, backwards), atomic=False),
    "what its author answers for": migration(
        migrations.RemoveField("listing", "title"), accepted={"ban-drop-column": "no release reads it"}
    ),
}


@pytest.mark.parametrize("what", GOOD)
def test_it_lets_through(present: ProjectState, what: str) -> None:
    assert rules(present, GOOD[what]) == set()


@pytest.mark.parametrize("accepted", [{"ban-drop-column": " "}, {"ban-drop-table": "a reason"}])
def test_a_rule_is_broken_only_with_a_reason_and_only_where_it_is(
    present: ProjectState, accepted: dict[str, str]
) -> None:
    refused = rules(present, migration(migrations.RemoveField("listing", "title"), accepted=accepted))
    assert refused == {"ban-drop-column", *(["accepts-nothing"] if "ban-drop-table" in accepted else [])}


def test_it_looks_at_all_but_those_of_before_and_says_which_of_them_are_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = linter.before(linter.BEFORE.read_text())
    without = [each for each in known if each != "bookings.0002_booking_start"]
    # These two and nothing else: so there is nothing to say where all are known, which takes as long to be told again.
    found = linter.complaints([*without, "bookings.0000_never"])
    assert [(each.migration, each.rule) for each in found] == [
        ("bookings.0002_booking_start", "require-concurrent-index-creation"),
        ("bookings.0000_never", "unknown"),
    ]
    assert "CREATE INDEX" in str(found[0])
