"""A child that ends is started again, each time a little later."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import supervisor
from sandbox.processes import Child
from sandbox.supervisor import Supervisor
from tests.sandbox.conftest import until


def test_an_ended_child_is_started_again_with_growing_pauses(
    make_child: Callable[..., Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.1)
    said: list[str] = []
    child = make_child("echo . >> starts; exit 4", name="worker")
    child.start()
    keeper = Supervisor(said.append)
    keeper.keep(child)

    def started(times: int) -> Callable[[], bool]:
        def look() -> bool:
            keeper.look()
            return (tmp_path / "starts").exists() and (tmp_path / "starts").read_text().count(".") == times

        return look

    assert until(started(3))
    assert [line.partition(" (log")[0] for line in said[:2]] == [
        "worker ended with code 4; starting it again in 0.1 s",
        "worker ended with code 4; starting it again in 0.2 s",
    ]
    keeper.stop()


def test_children_stop_in_the_reverse_of_their_start(make_child: Callable[..., Child], tmp_path: Path) -> None:
    keeper = Supervisor(lambda line: None)
    for name in ("postgres", "web", "beat"):
        child = make_child(
            f"trap 'echo {name} >> order; exit' TERM; touch {name}.up; while :; do sleep 0.02; done", name
        )
        child.start()
        keeper.keep(child)
        assert until((tmp_path / f"{name}.up").exists)

    keeper.stop()

    assert (tmp_path / "order").read_text().split() == ["beat", "web", "postgres"]
