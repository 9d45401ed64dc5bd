"""Keep a set of children running: one that ends is started again, later each time it ends at once."""

import time
from collections.abc import Callable, Sequence

from sandbox.processes import Child

LONGEST_PAUSE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
# A child that ran for so long is taken for well again.
STEADY_SECONDS = 60.0


class Kept:
    """A child with the memory of how it has been doing."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.pause = FIRST_PAUSE_SECONDS
        self.started_at = time.monotonic()
        self.start_again_at: float | None = None


class Supervisor:
    """Watches children that were started already, in their order of starting."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._kept: list[Kept] = []

    def keep(self, child: Child) -> None:
        self._kept.append(Kept(child))

    @property
    def children(self) -> Sequence[Child]:
        return [kept.child for kept in self._kept]

    def look(self) -> None:
        """One round: note who ended, start again whose pause is over. Never blocks."""
        now = time.monotonic()
        for kept in self._kept:
            if kept.start_again_at is not None:
                if now >= kept.start_again_at:
                    kept.start_again_at = None
                    kept.started_at = now
                    kept.child.start()
                continue
            code = kept.child.ended()
            if code is None:
                continue
            if now - kept.started_at > STEADY_SECONDS:
                kept.pause = FIRST_PAUSE_SECONDS
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            self._say(f"{kept.child.name} {how}; starting it again in {kept.pause:g} s (log: {kept.child.log})")
            kept.start_again_at = now + kept.pause
            kept.pause = min(kept.pause * 2, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """Stop all, the last started first."""
        for kept in reversed(self._kept):
            kept.child.stop()
