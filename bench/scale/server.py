"""A PostgreSQL on a folder that stays: a market of a million listings is not made for each measurement."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.database import Database, migrated
from sandbox.folder import DataFolder
from sandbox.postgres import Postgres
from sandbox.processes import Watcher

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
        with migrated(data, server) as database:
            yield database
    finally:
        data.close()
        watcher.close()
