"""A plain bar for whoever waits at a terminal."""

import time
from typing import IO

WIDTH = 30
# Often enough to be seen moving, seldom enough to cost nothing.
INTERVAL = 0.2


class Progress:
    """How much of a file is read. Silent where the stream is no terminal."""

    def __init__(self, stream: IO[str], *, size: int) -> None:
        self._stream = stream
        self._size = max(size, 1)
        self._is_shown = stream.isatty()
        self._drawn_at = 0.0
        self._width = 0

    def show(self, position: int, rows: int) -> None:
        if not self._is_shown or time.monotonic() - self._drawn_at < INTERVAL:
            return
        self._drawn_at = time.monotonic()
        share = min(position / self._size, 1.0)
        full = round(share * WIDTH)
        self._draw(f"[{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%} {rows:,} rows")

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._width:
            self._draw("")
            self._stream.write("\r")
            self._width = 0

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(self._width)}")
        self._stream.flush()
        self._width = len(text)
