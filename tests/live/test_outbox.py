"""What waits for a client stays bounded."""

import asyncio

import pytest

from schema.live.outbox import MOST_BYTES, MOST_BYTES_IN_ALL, MOST_MESSAGES, Outbox, Overflow


class Reader:
    """A client that reads only when the test lets it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.may_read = asyncio.Event()
        self.outbox = Outbox(self._send, lambda stream: f"refetch {stream}", stuck=self._give_up)
        self.given_up = asyncio.Event()

    def _give_up(self) -> None:
        self.given_up.set()

    async def _send(self, text: str) -> None:
        await self.may_read.wait()
        self.got.append(text)


def test_messages_arrive_in_order() -> None:
    async def test() -> None:
        reader = Reader()
        reader.may_read.set()
        for number in range(10):
            reader.outbox.put(str(number), stream="a" if number % 2 else None)
        await reader.outbox.drained()
        assert reader.got == [str(number) for number in range(10)]

    asyncio.run(test())


def test_a_slow_reader_loses_the_events_and_is_told_once_to_query_again() -> None:
    async def test() -> None:
        reader = Reader()
        reader.outbox.put("first", stream="a")
        await asyncio.sleep(0)
        reader.outbox.put("other", stream="b")
        for number in range(10 * MOST_MESSAGES):
            reader.outbox.put(str(number), stream="a")
        reader.may_read.set()
        await reader.outbox.drained()
        assert reader.got == ["first", "other", "refetch a"]
        reader.outbox.put("later", stream="a")
        await reader.outbox.drained()
        assert reader.got[-1] == "later"

    asyncio.run(test())


def test_bytes_are_bounded_too() -> None:
    async def test() -> None:
        reader = Reader()
        for _ in range(5):
            reader.outbox.put("x" * (MOST_BYTES // 2), stream="a")
        reader.may_read.set()
        await reader.outbox.drained()
        assert reader.got[-1] == "refetch a"
        assert sum(map(len, reader.got)) < MOST_BYTES + 100

    asyncio.run(test())


def test_who_asks_without_reading_is_refused() -> None:
    async def test() -> None:
        reader = Reader()
        for _ in range(2 * MOST_MESSAGES):
            reader.outbox.put("pong")
        with pytest.raises(Overflow):
            reader.outbox.put("pong")

    asyncio.run(test())


def test_what_is_forgotten_is_not_sent() -> None:
    async def test() -> None:
        reader = Reader()
        for text in ("a1", "b1", "a2"):
            reader.outbox.put(text, stream=text[0])
        reader.outbox.forget("a")
        reader.may_read.set()
        await reader.outbox.drained()
        assert reader.got == ["b1"]

    asyncio.run(test())


def test_answers_that_nobody_reads_are_bounded_in_bytes() -> None:
    async def test() -> None:
        reader = Reader()
        half = "x" * (MOST_BYTES_IN_ALL // 2)
        for _ in range(3):
            # The first is on its way, two wait.
            reader.outbox.put(half)
            await asyncio.sleep(0)
        with pytest.raises(Overflow):
            reader.outbox.put(half)

    asyncio.run(test())


def test_an_event_that_is_larger_than_all_that_may_wait_is_sent_where_nothing_waits() -> None:
    async def test() -> None:
        reader = Reader()
        reader.may_read.set()
        reader.outbox.put("x" * (2 * MOST_BYTES), stream="a")
        await reader.outbox.drained()
        assert [len(text) for text in reader.got] == [2 * MOST_BYTES]

    asyncio.run(test())


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.live.outbox.SEND_SECONDS", 0.05)

    async def test() -> None:
        reader = Reader()
        reader.outbox.put("1")
        await asyncio.wait_for(reader.given_up.wait(), 300)
        reader.may_read.set()
        reader.outbox.put("2")
        await reader.outbox.drained()
        assert reader.got == []

    asyncio.run(test())
