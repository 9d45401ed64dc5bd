"""A PostgreSQL on a folder that stays: a market of a million listings is not made for each measurement."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.database import UNUSED, Database
from sandbox.configuration import demo_settings, process_environment
from sandbox.folder import ROOT, DataFolder
from sandbox.postgres import Postgres
from sandbox.processes import Watcher
from sandbox.servers import settings_of, start_all, stop_all

# What whoever serves a million listings sets. What the planner goes by is left as PostgreSQL comes. The data can be made
# again, so it is not written with care.
OPTIONS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "fsync": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "60min",
}


@contextmanager
def kept_database(folder: Path) -> Iterator[Database]:
    """Start one on the folder, which is made where there is none and stays. Brought to the schema of this checkout."""
    watcher = Watcher()
    data = DataFolder(folder)
    server = Postgres(
        folder / "postgres",
        log=folder / "postgres.log",
        password=data.secret("postgres"),
        watcher=watcher,
        options=OPTIONS,
    )
    try:
        start_all([server])
        settings = {**demo_settings(data, 1, {}), **UNUSED, **settings_of([server])}
        migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
        subprocess.run(migrate, cwd=ROOT, env=process_environment(settings), check=True)
        assert server.child is not None
        assert server.child.pid is not None
        yield Database(settings, server.child.pid)
    finally:
        stop_all([server])
        data.close()
        watcher.close()
