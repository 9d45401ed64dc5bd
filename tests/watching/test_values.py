"""What processes counted outlives them, in a folder that is ours alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from booking.watching.exposition import exposition
from booking.watching.values import VARIABLE, keep_values_in
from tests.serving import ROOT

COUNT = """
from prometheus_client import Counter, Gauge, Histogram
Counter("ended_things", "x", ["of"]).labels("a").inc({0})
Histogram("ended_seconds", "x", buckets=(1, 2)).observe({0})
Gauge("ended_newest", "x", multiprocess_mode="max").set({0})
Gauge("ended_open", "x", multiprocess_mode="livesum").set({0})
"""


def count(folder: Path, number: int) -> None:
    subprocess.run(
        [sys.executable, "-c", COUNT.format(number)], env={**os.environ, VARIABLE: str(folder)}, check=True, cwd=ROOT
    )


def test_the_counts_of_ended_processes_stay_and_their_files_do_not(tmp_path: Path, settings: Settings) -> None:
    settings.METRICS_DIR = tmp_path
    for number in (1, 2):
        count(tmp_path, number)
    for _ in range(2):
        lines = exposition(with_system=False).decode().splitlines()
        assert 'ended_things_total{of="a"} 3.0' in lines
        assert 'ended_seconds_bucket{le="1.0"} 1.0' in lines
        assert 'ended_seconds_bucket{le="+Inf"} 2.0' in lines
        assert "ended_seconds_sum 3.0" in lines
        assert "ended_newest 2.0" in lines
        assert not any(line.startswith("ended_open ") for line in lines)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "counter_ended.db", "gauge_max_ended.db", "histogram_ended.db", "lock",
        ]  # fmt: skip
    count(tmp_path, 1)
    assert 'ended_things_total{of="a"} 4.0' in exposition(with_system=False).decode()


def test_a_file_that_is_just_being_made_stops_nobody(tmp_path: Path, settings: Settings) -> None:
    settings.METRICS_DIR = tmp_path
    count(tmp_path, 1)
    ended = next(int(path.stem.rpartition("_")[2]) for path in tmp_path.glob("counter_*.db"))
    for owner in (os.getpid(), ended + 1):
        (tmp_path / f"counter_{owner}.db").touch()
    assert 'ended_things_total{of="a"} 1.0' in exposition(with_system=False).decode()
    assert (tmp_path / f"counter_{os.getpid()}.db").exists()


@pytest.fixture
def _same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delitem(sys.modules, "prometheus_client")


@pytest.mark.usefixtures("_same_environment")
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    keep_values_in(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert os.environ[VARIABLE] == str(tmp_path / "new")
    (tmp_path / "new").chmod(0o777)
    with pytest.raises(PermissionError):
        keep_values_in(tmp_path / "new")
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(PermissionError):
        keep_values_in(tmp_path / "link")


@pytest.mark.parametrize("first", ["booking.asgi", "booking.celery", "apps.core.metrics"])
def test_values_are_shared_whatever_a_process_imports_first(first: str, tmp_path: Path) -> None:
    code = f"import {first}, apps.core.metrics, prometheus_client.values; print(prometheus_client.values.ValueClass.__name__)"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "booking.settings",
        "METRICS_TOKEN": "0123456789abcdef",
        "METRICS_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "MmapedValue\n", done.stderr
