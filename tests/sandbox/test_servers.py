"""PostgreSQL and Valkey from their wheels: kept over a restart, and over a kill."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.folder import DataFolder
from sandbox.postgres import Postgres
from sandbox.problem import Problem
from sandbox.processes import Watcher
from sandbox.servers import Server, missing_servers, settings_of, start_all, stop_all
from tests.sandbox.conftest import gone, until

NO_STRIPE = {"STRIPE_SECRET_KEY": "sk_test_unused"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "demo")
    yield folder
    folder.close()


@pytest.fixture
def servers(folder: DataFolder, watcher: Watcher) -> Iterator[list[Server]]:
    made = missing_servers(
        NO_STRIPE, folder.path, secret=folder.secret, watcher=watcher, webhook_url="http://127.0.0.1:9/", keep=True
    )
    yield made
    stop_all(made)


def ask(servers: list[Server], statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(settings_of(servers)["DATABASE_URL"])
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def process_of(server: Server) -> int:
    assert server.child is not None
    assert server.child.pid is not None
    return server.child.pid


def test_data_outlives_a_restart_and_a_kill(servers: list[Server], folder: DataFolder) -> None:
    start_all(servers)
    postgres = servers[0]
    ask(servers, "CREATE TABLE kept (place text)")
    ask(servers, "INSERT INTO kept VALUES ('Zürich')")
    assert ask(servers, "SHOW timezone") == [("UTC",)]
    assert ask(servers, "SELECT lower('ÄÖ')") == [("äö",)]
    with redis.Redis.from_url(settings_of(servers)["REDIS_URL"]) as client:
        client.set("kept", "yes")
    pids = [process_of(server) for server in servers]
    stop_all(servers)
    assert gone(*pids)
    log = (folder.path / "logs" / "postgres.log").read_text()
    assert "received fast shutdown request" in log
    assert "database system is shut down" in log

    # Killed: its lock file stays, and names a process that is not PostgreSQL but runs.
    start_all(servers)
    assert postgres.child is not None
    os.kill(process_of(postgres), signal.SIGKILL)
    assert until(lambda: postgres.child is not None and postgres.child.ended() is not None)
    lock = folder.path / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    start_all([postgres])

    assert ask(servers, "SELECT place FROM kept") == [("Zürich",)]
    with redis.Redis.from_url(settings_of(servers)["REDIS_URL"]) as client:
        assert client.get("kept") == b"yes"


def test_what_is_refused_is_logged_without_its_content(servers: list[Server], folder: DataFolder) -> None:
    start_all(servers)
    ask(servers, "CREATE TABLE kept (place text UNIQUE)")
    ask(servers, "INSERT INTO kept VALUES ('Hopperschmidt')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        ask(servers, "INSERT INTO kept VALUES ('Hopperschmidt')")
    log = folder.path / "logs" / "postgres.log"
    assert until(lambda: "duplicate key" in log.read_text())
    assert "Hopperschmidt" not in log.read_text()


def test_no_server_lets_a_stranger_in(servers: list[Server]) -> None:
    start_all(servers)
    url = settings_of(servers)["DATABASE_URL"]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(url.replace("holdfast:", "holdfast:x", 1))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(
            retry=Retry(NoBackoff(), 0),
            port=int(settings_of(servers)["REDIS_URL"].rpartition(":")[2].partition("/")[0]),
        ).ping()


def test_a_server_left_running_is_stopped_first(servers: list[Server], folder: DataFolder, watcher: Watcher) -> None:
    postgres = servers[0]
    start_all([postgres])
    left = process_of(postgres)

    other = Postgres(
        folder.path / "postgres",
        log=folder.path / "logs" / "postgres.log",
        password=folder.secret("postgres"),
        watcher=watcher,
    )
    # The one that was left has no one to collect it, as after a kill of its supervisor.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        start_all([other])
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    assert gone(left)
    assert ask([other], "SELECT 1") == [(1,)]
    stop_all([other])


def test_data_of_another_version_is_named(servers: list[Server], folder: DataFolder) -> None:
    data = folder.folder("postgres") / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")

    with pytest.raises(Problem, match="was made by PostgreSQL 15"):
        start_all(servers)


def test_what_is_given_is_not_started(folder: DataFolder, watcher: Watcher) -> None:
    given = {**NO_STRIPE, "DATABASE_URL": "postgresql://a@b/c", "REDIS_URL": "redis://b"}

    assert missing_servers(given, folder.path, secret=folder.secret, watcher=watcher, webhook_url="", keep=True) == []
