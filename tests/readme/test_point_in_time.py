"""The runbook's way back to the second, on a PostgreSQL of its own: base backup, archived log, a moment to stop at."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from sandbox.postgres import Postgres, environment, find_binaries, nobody
from sandbox.processes import Watcher
from tests.readme.reading import ROOT, blocks
from tests.serving import eventually

PAGE = (ROOT / "docs/operations.md").read_text()
TAKING, RECOVERING = [text for _, text in blocks(PAGE, "text")]
BASE = "/backup/base-2027-03-01"
MOMENT = "2027-03-01 11:59:00+00"
ARCHIVING = {"archive_mode": "on", "archive_command": "test ! -f /backup/wal/%f && cp %p /backup/wal/%f"}


@pytest.fixture
def backup() -> Iterator[Path]:
    """A folder that the server's account can walk to and write in, which pytest's are not for every account."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-backup-"))
    (folder / "wal").mkdir()
    folder.chmod(0o755)
    (folder / "wal").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def server(folder: Path, *, watcher: Watcher, options: dict[str, str]) -> Postgres:
    """A started PostgreSQL on the folder, which takes connections and may be written to."""
    made = Postgres(folder, log=folder.with_suffix(".log"), password="restored", watcher=watcher, options=options)
    made.prepare()
    assert made.child
    made.child.start()
    eventually(made.answers, "PostgreSQL takes connections")
    eventually(lambda: asked(made, "SELECT NOT pg_is_in_recovery()") == [True], "it may be written to")
    return made


def asked(postgres: Postgres, *statements: str) -> list[object]:
    """The first column of what the last statement answers."""
    with closing(psycopg2.connect(postgres.settings()["DATABASE_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []


def stop(postgres: Postgres) -> None:
    assert postgres.child
    postgres.child.stop()
    postgres.close()


def test_the_database_goes_back_to_a_moment(backup: Path, tmp_path: Path) -> None:
    for command in (ARCHIVING["archive_command"], "archive_mode = on"):
        assert command in " ".join(PAGE.split())
    assert BASE in TAKING
    assert MOMENT in RECOVERING
    watcher = Watcher()
    options = {name: value.replace("/backup", str(backup)) for name, value in ARCHIVING.items()}
    first = server(tmp_path / "first", watcher=watcher, options=options)
    try:
        subprocess.run(
            ["sh", "-euc", TAKING.replace("/backup", str(backup))], check=True, timeout=600, capture_output=True,
            env={**environment(), **first.settings(), "PATH": f"{find_binaries(None)}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        asked(first, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1), (2)")
        (moment,) = asked(first, "SELECT clock_timestamp()::text")
        # Without the restored moment this is what would be found.
        asked(first, "DELETE FROM kept", "INSERT INTO kept VALUES (3)", "SELECT pg_switch_wal()")
    finally:
        stop(first)

    data = tmp_path / "second" / "data"
    data.parent.mkdir(mode=0o700)
    shutil.copytree(backup / Path(BASE).name, data)
    recovery = RECOVERING.replace("/backup", str(backup)).replace(MOMENT, str(moment))
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(f"\n{recovery}")
    (data / "recovery.signal").touch()
    data.chmod(0o700)
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            os.chown(path, *nobody())
    second = server(tmp_path / "second", watcher=watcher, options={})
    try:
        assert asked(second, "SELECT id FROM kept ORDER BY id") == [1, 2]
        assert asked(second, "INSERT INTO kept VALUES (4) RETURNING id") == [4]
    finally:
        stop(second)
        watcher.close()
