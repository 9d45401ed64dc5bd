"""What contributors are told is so: the picture of the tables is that of the models, and what is named is there."""

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey

from apps.core.management.commands.entity_diagram import entity_page
from tests.readme.reading import ROOT

CONTRIBUTING = (ROOT / "docs/contributing.md").read_text()
ENTITIES = (ROOT / "docs/entities.md").read_text()
# A line of a Mermaid erDiagram: a relation, the head and the end of a table, a column.
STATEMENT = re.compile(
    r'    \w+ (\|\||\|o)--(o\{|o\|) \w+ : \w+|    \w+ \{|    \}|        \w+ \w+( PK| FK| UK)?( "may be null")?'
)


def test_the_picture_is_that_of_the_models() -> None:
    assert entity_page() == ENTITIES, "draw it again: ./run manage entity_diagram --out docs/entities.md"


def test_the_picture_has_every_table_and_every_relation_of_ours() -> None:
    ours = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
    assert len(ours) > 30
    overview = ENTITIES.partition("## Who points at whom")[2].partition("\n## ")[0]
    for model in ours:
        assert f"\n    {model.__name__} {{\n" in ENTITIES
        assert f"(`{model._meta.db_table}`)" in ENTITIES
        for field in model._meta.local_fields:
            if isinstance(field, ForeignKey) and field.related_model in ours:
                assert re.search(
                    rf" {field.related_model.__name__} \S+--\S+ {model.__name__} : {field.name}\n", overview
                )


def test_the_picture_is_well_formed() -> None:
    diagrams = re.findall(r"^```mermaid\nerDiagram\n(.*?)^```$", ENTITIES, re.MULTILINE | re.DOTALL)
    assert len(diagrams) > 5
    assert [line for each in diagrams for line in each.splitlines() if not STATEMENT.fullmatch(line)] == []


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    call_command("entity_diagram", out=tmp_path / "entities.md")
    assert (tmp_path / "entities.md").read_text() == entity_page()
    with pytest.raises(CommandError, match="cannot be written: Is a directory"):
        call_command("entity_diagram", out=tmp_path)


def test_the_modules_that_it_names_are_there() -> None:
    named = set(re.findall(r"`((?:apps|schema|tests|booking|bench)/[\w/.-]*\w/?)`", CONTRIBUTING)) - {
        "schema/.../mutations"
    }
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_it_names_the_layers_in_their_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["apps"]]
    sentence = CONTRIBUTING.partition("Inside `apps/`, from the top:")[2].partition("Inside one app")[0]
    assert re.findall(r"`(\w+)`", sentence) == [name for layer in layers for name in layer.split(" | ")]


def test_the_modules_of_the_core_are_called_so() -> None:
    _, *tables = re.split(r"^\| what \| module of `(\w+/core)` \|$", CONTRIBUTING, flags=re.MULTILINE)
    told = {
        folder: re.findall(r"`(\w+\.py)`", text.partition("\n\n")[0])
        for folder, text in zip(tables[::2], tables[1::2], strict=True)
    }
    assert {folder: len(names) > 20 for folder, names in told.items()} == {"apps/core": True, "schema/core": True}
    assert [name for folder, names in told.items() for name in names if not (ROOT / folder / name).exists()] == []
