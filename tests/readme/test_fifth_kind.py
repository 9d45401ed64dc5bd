"""docs/fifth-kind.md, followed: its blocks are put into a copy of the checkout, and a desk is booked there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.deploy.linters import ROOT

pytestmark = pytest.mark.long

PAGE = ROOT / "docs" / "fifth-kind.md"
BLOCK = re.compile(r"^```(python|diff) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDED = ("apps", "booking", "schema", "sandbox", "tests", "manage.py", "pyproject.toml", "docs", ".env.example")
# What was compiled of a file goes along: it is that of whatever has the file's time and size, and is replaced, not written to.
NOT_COPIED = shutil.ignore_patterns("node_modules", "browser", "clients", "faults")


def link(source: str, target: str) -> None:
    """The same file under another name, where that is on the same disk; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def put(text: str, change: str) -> str:
    """The file with the change: lines of `-` and of a space stand there once, in this order; `+` comes in their place."""
    lines = change.splitlines()
    before = "\n".join(line[1:] for line in lines if line[0] in "- ")
    after = "\n".join(line[1:] for line in lines if line[0] in "+ ")
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    copy = tmp_path_factory.mktemp("fifth")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=NOT_COPIED, copy_function=link)
        else:
            shutil.copy(source, copy / name)
    written: list[str] = []
    for sort, name, text in BLOCK.findall(PAGE.read_text()):
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        changed = put(path.read_text(), text) if sort == "diff" else text
        # Files of the copy are those of the checkout until they are written anew.
        assert (sort == "diff") == path.exists(), name
        path.unlink(missing_ok=True)
        path.write_text(changed)
        written.append(name)
    (copy / "apps/kinds/desk/migrations").mkdir()
    (copy / "apps/kinds/desk/migrations/__init__.py").touch()
    run(copy, "manage.py", "makemigrations", "desk", "--name", "initial")
    run(copy, "-m", "ruff", "format", "--no-cache", "apps/kinds/desk/migrations")
    assert "apps/kinds/desk/kind.py" in written
    yield copy
    shutil.rmtree(copy, ignore_errors=True)


def run(folder: Path, *arguments: str, **environment: str) -> str:
    """What a Python program says in the copy; it has to end well."""
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**given, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.django_db
def test_whoever_follows_it_sells_desks(followed: Path) -> None:
    # The folders of mails and pictures are this run's own; the database is another one on the same server.
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}_fifth".format(**connection.settings_dict)
    said = run(followed, "-m", "pytest", "tests/kinds/desk", "-q", "-n0", "-p", "no:cacheprovider", DATABASE_URL=url)
    assert re.search(r"^8 passed", said, re.MULTILINE), said


@pytest.mark.django_db
def test_what_it_says_is_as_the_project_writes(followed: Path) -> None:
    paths = ["apps/kinds/desk", "schema/kinds/desk.py", "tests/kinds/desk", "booking/settings.py"]
    run(followed, "-m", "ruff", "check", "--no-cache", *paths)
    run(followed, "-m", "ruff", "format", "--check", "--no-cache", *paths)
    # Its migration is all that its models need, the schema can be printed, and Django has nothing to say against it.
    printed = followed / "schema.graphql"
    run(followed, "-c", CHECKS, str(printed))
    schema = printed.read_text()
    assert "type Desk implements Node & Listing {" in schema
    assert "bookDesk(" in schema
    assert '  """A desk in a shared office, by the hour."""\n  DESK\n' in schema


# One process for all of it: each takes seconds to begin.
CHECKS = """
import sys
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
import django
django.setup()
from django.core.management import call_command
call_command("makemigrations", "--check", "--dry-run")
call_command("check")
call_command("graphql_schema", "--out", sys.argv[1])
from apps.staff.navigation import GROUPS
assert any(getattr(table, "model", "") == "desk.Desk" for _, tables in GROUPS for table in tables)
"""
