"""The metrics as Prometheus reads them: what the processes of this machine counted, and what stands in the ledgers.

Each process keeps its values in files of its own (METRICS_DIR). What processes counted that have ended is kept, in one file
for all of them: a counter that goes back would look like a burst, and the files would become ever more.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from booking.watching.gauges import SystemCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ENDED = "ended"
NEWEST = "gauge_max"

_system = SystemCollector()


def exposition(*, with_system: bool) -> bytes:
    """All metrics. Without `with_system` only what this machine's processes counted."""
    registry = CollectorRegistry()
    if with_system:
        registry.register(_system)
    # What the processes counted is read last, and with nobody else putting files together.
    system = generate_latest(registry)
    folder = settings.METRICS_DIR
    with _alone(folder):
        _put_away(folder)
        registry = CollectorRegistry()
        registry.register(_Counted(folder))
        return generate_latest(registry) + system


class _Counted(Collector):
    """What the processes counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        # A file that a process is just making is empty for a moment, and cannot be read.
        files = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]
        found: Iterable[Metric] = MultiProcessCollector.merge(files, accumulate=True)
        return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _put_away(folder: Path) -> None:
    """Keep what ended processes have counted in one file of each sort, and forget what they had open."""
    for path in sorted(folder.glob("*_*.db")):
        sort, _, owner = path.stem.rpartition("_")
        if owner == ENDED or not owner.isdecimal() or _is_alive(int(owner)):
            continue
        if sort.startswith("gauge_live"):
            # A process that was killed has not said that its sockets are closed.
            mark_process_dead(int(owner), str(folder))
            continue
        if path.stat().st_size:
            _add(path, folder / f"{sort}_{ENDED}.db", newest=sort == NEWEST)
        path.unlink()


def _add(path: Path, kept: Path, *, newest: bool) -> None:
    values = MmapedDict(str(kept))
    try:
        for key, value, at, _ in MmapedDict.read_all_values_from_file(str(path)):
            known, _ = values.read_value(key)
            values.write_value(key, max(known, value) if newest else known + value, at)
    finally:
        values.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
