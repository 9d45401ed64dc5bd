"""The bell: heard after the commit and only then, by whoever dies behind it too, and nobody waits for it."""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as given
from pytest_django.fixtures import Settings
from redis import Redis
from redis.client import PubSub

from apps.core.db import unit_of_work
from apps.live import bell
from apps.live.actions import publish, ring_after_commit
from tests.serving import ROOT, eventually

RINGS = """
import os, signal, sys
from django.conf import settings
settings.configure(LIVE_REDIS_URL=sys.argv[1])
from apps.live import bell
bell.CHANNEL = sys.argv[2]
"""
OPENED = "bell.ring(); bell._bell(sys.argv[1])._opening.join(); "
FORKS = """
child = os.fork()
assert child or bell._bell(sys.argv[1])._line is None
bell.ring()
if child:
    assert os.waitpid(child, 0)[1] == 0
    bell.ring()
"""
PROCESSES = {
    "ends with its first": ("bell.ring()", 1),
    "is killed behind it": (OPENED + "bell.ring(); os.kill(os.getpid(), signal.SIGKILL)", 2),
    "ends by itself at once": (OPENED + "bell.ring(); os._exit(0)", 2),
    "has a child that rings too": (OPENED + FORKS, 4),
}


@pytest.fixture(autouse=True)
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One that nobody else rings."""
    name = f"test-bell:{uuid4()}"
    monkeypatch.setattr(bell, "CHANNEL", name)
    bell._bell.cache_clear()
    yield name
    bell._bell.cache_clear()


@pytest.fixture
def heard(channel: str) -> Iterator[PubSub]:
    """Whoever listens, from now on."""
    with Redis.from_url(given.LIVE_REDIS_URL) as redis, redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(channel)
        assert listener.get_message(timeout=30) is None
        yield listener


def rings(heard: PubSub, *, wanted: int) -> int:
    """How many are heard: so many are waited for, and one more for a moment."""
    found = 0
    while heard.get_message(timeout=30.0 if found < wanted else 0.05) is not None:
        found += 1
    return found


def own() -> Any:
    """The bell of this process."""
    return bell._bell(given.LIVE_REDIS_URL)


def ring_often() -> None:
    for _ in range(250):
        bell.ring()


def ring_and_open() -> None:
    """Ring, and let the connection be there that it is rung on from now on."""
    bell.ring()
    if own()._opening is not None:
        own()._opening.join()
    assert own()._line is not None


@contextmanager
def other_end(says: Callable[[bytes], bytes]) -> Iterator[str]:
    """A server in the place of Redis; `says` is its answer to what it was sent. Its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=speak, args=(client,), daemon=True).start()

        def speak(client: socket.socket) -> None:
            with suppress(OSError), client:
                while asked := client.recv(4096):
                    client.sendall(says(asked))

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.django_db(transaction=True)
def test_it_is_rung_after_the_commit_and_once(heard: PubSub) -> None:
    ring_and_open()
    assert rings(heard, wanted=1) == 1

    @unit_of_work
    def act() -> None:
        for number in range(3):
            publish(topic=f"a:{number}")
        ring_after_commit()
        assert rings(heard, wanted=0) == 0

    act()
    assert rings(heard, wanted=1) == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_not_rung_for_what_was_rolled_back(heard: PubSub) -> None:
    ring_and_open()
    assert rings(heard, wanted=1) == 1

    @unit_of_work
    def fail() -> None:
        publish(topic="a:1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rings(heard, wanted=0) == 0


def test_all_that_ring_while_it_is_opened_are_heard_behind_it(heard: PubSub, monkeypatch: pytest.MonkeyPatch) -> None:
    may_open = threading.Event()

    class Slow(bell._Line):
        def __init__(self, url: str) -> None:
            may_open.wait(30)
            super().__init__(url)

    monkeypatch.setattr(bell, "_Line", Slow)
    for _ in range(100):
        bell.ring()
    assert rings(heard, wanted=0) == 0
    opening = own()._opening
    may_open.set()
    opening.join()
    assert rings(heard, wanted=1) == 1


def test_many_rings_of_many_threads_are_all_heard_on_one_connection(heard: PubSub, channel: str) -> None:
    ring_and_open()
    line = own()._line
    threads = [threading.Thread(target=ring_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rings(heard, wanted=1001) == 1001
    assert own()._line is line


def test_a_connection_that_was_ended_is_opened_anew(heard: PubSub) -> None:
    ring_and_open()
    line = own()._line
    with Redis.from_url(given.LIVE_REDIS_URL) as redis:
        host, port = line._socket.getsockname()
        redis.client_kill(f"{host}:{port}")
    eventually(lambda: has_ended(line._socket), "the server has hung up")
    ring_and_open()
    assert own()._line is not line
    assert rings(heard, wanted=2) == 2
    assert not own().is_away


def has_ended(line: socket.socket) -> bool:
    try:
        while line.recv(4096):
            pass
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize("named", PROCESSES)
def test_a_process_that_ends_has_rung(named: str, heard: PubSub, channel: str) -> None:
    does, times = PROCESSES[named]
    ended = subprocess.run(
        [sys.executable, "-c", RINGS + does, given.LIVE_REDIS_URL, channel],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == (-signal.SIGKILL if "killed" in named else 0)
    assert rings(heard, wanted=times) == times


def test_nobody_waits_for_a_server_that_does_not_answer(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    def says(_: bytes) -> bytes:
        asked.set()
        return b""

    with other_end(says) as settings.LIVE_REDIS_URL, caplog.at_level(logging.WARNING):
        bell.ring()
        assert asked.wait(30)
        opening = own()._opening
        # It is being waited for, but not here.
        bell.ring()
        opening.join()
        assert own().is_away
        assert caplog.messages == ["Redis is away; listeners are told a little later"]
        asked.clear()
        bell.ring()
        assert own()._opening is None
        assert not asked.is_set()


@pytest.mark.parametrize("word", [b"", b"-NOPERM not yours\r\n"], ids=["silent", "refusing"])
def test_what_falls_silent_or_refuses_is_left_alone_for_a_while(
    word: bytes, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "TIMEOUT_SECONDS", 60.0)
    rung = 0

    def says(asked: bytes) -> bytes:
        nonlocal rung
        rung += asked.count(b"PUBLISH")
        return word if b"PUBLISH" in asked else b"+OK\r\n" * asked.count(b"SETINFO")

    with other_end(says) as settings.LIVE_REDIS_URL, caplog.at_level(logging.WARNING):
        one = own()
        bell.ring()
        one._opening.join()
        line = one._line
        eventually(lambda: rung == 1, "it was rung")
        if word:
            assert select.select([line._socket], [], [], 30)[0], "it was not refused"
        else:
            bell.ring()
            assert one._line is line
            monkeypatch.setattr(bell, "TIMEOUT_SECONDS", 0.0)
        assert caplog.messages == []
        bell.ring()
        assert (one._line, one._opening, one.is_away) == (None, None, True)
        assert caplog.messages == ["Redis is away; listeners are told a little later"]
        monkeypatch.setattr(one, "_away_until", 0.0)
        monkeypatch.setattr(bell, "TIMEOUT_SECONDS", 60.0)
        bell.ring()
        one._opening.join()
        assert one._line is not None
