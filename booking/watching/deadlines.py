"""Work that may never end, waited for no longer than is useful."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class TooLate(Exception):
    """It has not ended in time."""


class Bounded(Generic[Result]):
    """Calls `work` in a thread of its own and waits `seconds` for it. It is never begun twice at a time: whoever calls
    while it goes on waits for that one, so that what hangs takes one thread and no more.
    """

    def __init__(self, work: Callable[[], Result], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: Future[Result] | None = None

    def __call__(self) -> Result:
        """What the work returns, or raises. Raises TooLate."""
        with self._lock:
            running = self._running
            if running is None or running.done():
                running = self._running = Future()
                threading.Thread(target=self._carry_out, args=(running,), daemon=True).start()
        try:
            return running.result(timeout=self._seconds)
        except TimeoutError as error:
            if running.done():
                raise
            raise TooLate from error

    def _carry_out(self, future: Future[Result]) -> None:
        try:
            future.set_result(self._work())
        except BaseException as error:  # noqa: BLE001, RUF100 - whoever waits is told
            future.set_exception(error)
