"""The data folder: ours by its marker, one process at a time, private."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.folder import ROOT, DataFolder, Held, data_folder, running_environment
from sandbox.problem import Problem
from tests.sandbox.conftest import until


def test_the_folder_is_named_by_the_environment() -> None:
    assert data_folder({}) == ROOT / ".data" / "demo"
    assert data_folder({"DEMO_DIR": "  "}) == ROOT / ".data" / "demo"
    assert data_folder({"DEMO_DIR": "/srv/demo"}) == Path("/srv/demo")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(Problem, match="holds other files"):
        DataFolder(tmp_path)

    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_clear_deletes_the_data_but_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folder = DataFolder(tmp_path / "demo")
    (folder.folder("mail") / "one.eml").touch()
    (folder.path / "link").symlink_to(outside)

    folder.clear()

    assert {entry.name for entry in folder.path.iterdir()} == {".holdfast", "lock"}
    assert (outside / "file").exists()
    folder.close()


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "demo")

    with pytest.raises(Held) as held:
        DataFolder(tmp_path / "demo")

    assert held.value.pid == os.getpid()
    assert "\n" not in str(held.value)
    folder.close()
    DataFolder(tmp_path / "demo").close()


def test_a_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    script = "import sys, time; from sandbox.folder import *; f = DataFolder(Path(sys.argv[1])); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "demo")], cwd=ROOT)
    lock = tmp_path / "demo" / "lock"
    assert until(lambda: lock.exists() and lock.read_text() == str(holder.pid))

    holder.kill()
    holder.wait()

    DataFolder(tmp_path / "demo").close()


def test_secrets_are_private_and_stay(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "demo")

    first = folder.secret("django")

    assert len(first) == 64
    assert folder.secret("django") == first
    assert folder.secret("postgres") != first
    path = folder.path / "secrets" / "django"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()


def test_the_state_tells_how_to_reach_the_demo_while_it_runs(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "demo")
    folder.write_state({"REDIS_URL": "redis://127.0.0.1:1/0"})

    assert running_environment(folder.path, os.getpid()) == {"REDIS_URL": "redis://127.0.0.1:1/0"}
    assert stat.S_IMODE((folder.path / "state.json").stat().st_mode) == 0o600
    folder.close()
    with pytest.raises(Held):
        running_environment(folder.path, os.getpid(), patience_seconds=0.1)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Problem, match=r"^Cannot write to .*; name another folder with DEMO_DIR\.$"):
        DataFolder(tmp_path / "file" / "demo")
