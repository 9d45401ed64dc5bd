"""A PostgreSQL of a measurement's own, as the demo runs it, with the tables of the product in it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.configuration import demo_settings, process_environment
from sandbox.folder import ROOT, DataFolder
from sandbox.postgres import Postgres
from sandbox.processes import Watcher
from sandbox.servers import settings_of, start_all, stop_all

# Unless somebody says how many.
LISTINGS = "50000"
# What the product asks for at its start and no measurement of the database uses.
UNUSED = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "CACHE_SECONDS": "0",
    "RATE_LIMITS": "off",
    "STRIPE_SECRET_KEY": "sk_test_unused",
    "STRIPE_WEBHOOK_SECRET": "whsec_unused",
    "LOG_LEVEL": "warning",
}


@dataclass(frozen=True, slots=True)
class Database:
    """`settings` are the product's; `pid` is the server's process, the parent of all others of it."""

    settings: dict[str, str]
    pid: int


@contextmanager
def running_database(parent: Path) -> Iterator[Database]:
    """Start one on a new folder below `parent`, which goes away with it."""
    place = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=parent))
    watcher = Watcher()
    watcher.remove(place)
    folder = DataFolder(place)
    server = Postgres(
        place / "postgres", log=place / "postgres.log", password=folder.secret("postgres"), watcher=watcher
    )
    try:
        with migrated(folder, server) as database:
            yield database
    finally:
        folder.close()
        watcher.close()


def run_measure(module: str) -> int:
    """Run a module with the arguments of this process, on DATABASE_URL's database or on one of its own. Returns its exit code.

    One of its own is filled with as many listings as the arguments say.
    """
    measure = [sys.executable, "-m", module, *sys.argv[1:]]
    if os.environ.get("DATABASE_URL"):
        return subprocess.run(measure, cwd=ROOT, check=False).returncode
    if {"-h", "--help", "--make"}.isdisjoint(sys.argv):
        measure += ["--make", LISTINGS]
    with running_database(Path("/var/tmp")) as database:
        return subprocess.run(measure, cwd=ROOT, env=process_environment(database.settings), check=False).returncode


@contextmanager
def migrated(folder: DataFolder, server: Postgres) -> Iterator[Database]:
    """Start the server and bring its database to the schema of this checkout; stop it in the end."""
    try:
        start_all([server])
        settings = {**demo_settings(folder, 1, {}), **UNUSED, **settings_of([server])}
        migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
        subprocess.run(migrate, cwd=ROOT, env=process_environment(settings), check=True)
        assert server.child is not None
        assert server.child.pid is not None
        yield Database(settings, server.child.pid)
    finally:
        stop_all([server])
