"""The product as real processes that are watched, on servers that can be taken away."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

from sandbox.processes import Watcher
from sandbox.valkey import Valkey
from tests.integrations.receiver import Receiver, receiving, status
from tests.live.wire import Wire
from tests.serving import OnRedis, eventually, reserved_port, serve

TOKEN = "watching-0123456789abcdef"
# Of the web server: few, so that a test can take all of them.
THREADS = 2
SENTRY_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Watched(OnRedis):
    """The site, what it stands on, and who it tells. `worker` is where the worker is watched."""

    database: Wire
    collector: Receiver
    folder: Path
    worker: str

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def get(url: str, **headers: str) -> tuple[int, str]:
    """The status and the body of whatever is answered, within twenty seconds."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _answers(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def _watched(
    django_db_setup: None, django_db_blocker: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    folder, given = tmp_path_factory.mktemp("watched"), connection.settings_dict
    wire, watcher = Wire(given["HOST"], int(given["PORT"])), Watcher()
    redis = Valkey(folder / "valkey", log=folder / "valkey.log", password="watch", watcher=watcher, keep=False)
    redis.prepare()
    database = "postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}".format(**given, port=wire.port)
    reservation: socket.socket = reserved_port()
    port = reservation.getsockname()[1]
    reservation.close()
    with receiving() as collector:
        collector.answers["/v1/traces"] = status(200)
        collector.answers["/api/7/envelope/"] = status(200, b"{}")
        watched = Watched(None, redis, wire, collector, folder, f"http://127.0.0.1:{port}")  # type: ignore[arg-type]
        watched.start_redis()
        try:
            with serve(
                folder,
                threads=THREADS,
                of_one={"worker": {"METRICS_PORT": str(port)}},
                DATABASE_URL=database,
                REDIS_URL=redis.settings()["REDIS_URL"],
                LOG_FORMAT="json",
                METRICS_TOKEN=TOKEN,
                METRICS_DIR=str(folder / "metrics"),
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
                OTEL_BSP_SCHEDULE_DELAY="200",
                SENTRY_DSN=f"{collector.url}/7".replace("http://", f"http://{SENTRY_KEY}@"),
            ) as site:
                watched.site = site
                eventually(lambda: _answers(f"{watched.worker}/healthz"), "the worker is watched")
                yield watched
        finally:
            assert redis.child is not None
            redis.child.stop()
            wire.close()
            watcher.close()


@pytest.fixture
def watched(_watched: Watched, transactional_db: None) -> Iterator[Watched]:
    _watched.site.resume()
    yield _watched
    _watched.site.rest()
