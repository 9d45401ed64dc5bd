"""./run: what it says when it cannot do what was asked, and that it says it in one line."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import bootstrap, lint
from sandbox.__main__ import side_by_side
from sandbox.folder import ROOT, DataFolder

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings}
    return subprocess.run(
        [ROOT / "run", *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command ended in code 1."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.rstrip("\n")


@pytest.mark.parametrize("arguments", [(), ("dance",), ("",)])
def test_an_unknown_command_shows_the_commands(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    for command in ("demo", "test", "lint", "manage", "shell"):
        assert f"  {command}" in done.stderr


def test_workers_are_no_more_than_a_given_database_lets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert side_by_side() == ["-n", "3", "--dist", "worksteal"]
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@127.0.0.1/somewhere")
    assert side_by_side() == ["-n", "2", "--dist", "worksteal"]


def test_help_is_no_failure() -> None:
    done = run("--help")

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ./run COMMAND")


def test_a_python_that_is_too_old_or_missing_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    for python in (str(old), str(tmp_path / "missing")):
        assert refused(run("demo", PYTHON=python)) == (
            f"Python 3.11 or later is needed and {python} is none; set PYTHON to the one to use."
        )


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8000.5", "٣"])
def test_a_port_that_is_none_is_named(run_sandbox: Run, tmp_path: Path, port: str) -> None:
    done = run_sandbox("demo", PORT=port, DEMO_DIR=str(tmp_path / "demo"))

    assert refused(done) == f"PORT must be a number from 1 to 65535, not {port!r}."
    assert not (tmp_path / "demo").exists()


def test_a_taken_port_stops_the_demo_before_it_touches_data(run_sandbox: Run, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "demo")
    folder.secret("django")
    folder.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = run_sandbox("demo", "--fresh", PORT=str(port), DEMO_DIR=str(tmp_path / "demo"))

    assert refused(done).startswith(f"Port {port} is in use")
    assert (tmp_path / "demo" / "secrets" / "django").exists()


def test_a_second_demo_on_the_same_folder_is_refused(run_sandbox: Run, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "demo")

    done = run_sandbox("demo", DEMO_DIR=str(tmp_path / "demo"))

    assert refused(done).startswith(f"{tmp_path / 'demo'} is in use by process {os.getpid()}")
    folder.close()


def test_fresh_deletes_nothing_that_is_not_ours(run_sandbox: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()

    done = run_sandbox("demo", "--fresh", DEMO_DIR=str(tmp_path))

    assert "holds other files" in refused(done)
    assert (tmp_path / "thesis.txt").exists()


def test_an_unknown_option_is_named(run_sandbox: Run) -> None:
    assert refused(run_sandbox("demo", "--frsh")) == "./run demo knows --fresh and no --frsh."


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A checkout whose install is only noted: the commands, in order."""
    names = {"ROOT": "", "TOOL": ".tool", "VENV": ".venv", "PYTHON": ".venv/bin/python", "STAMP": ".venv/.installed"}
    names |= {"UNFINISHED": ".tool/unfinished", "LOG": ".tool/install.log"}
    for name, path in names.items():
        monkeypatch.setattr(bootstrap, name, tmp_path / path)
    (tmp_path / "Pipfile.lock").write_text("{}")
    calls: list[str] = []

    def call(*command: str, doing: str) -> None:
        calls.append(doing.replace(str(tmp_path), ""))
        if "venv" in command:
            shutil.rmtree(command[-1], ignore_errors=True)
            programs = Path(command[-1]) / "bin"
            programs.mkdir(parents=True)
            for program in ("python", "pipenv"):
                (programs / program).write_text("#!/bin/sh\n")
                (programs / program).chmod(0o755)

    monkeypatch.setattr(bootstrap, "call", call)
    return calls


ALL = ["Making /.tool/env", "Installing pipenv", "Making /.venv", "Installing the packages"]


def test_the_packages_are_installed_once_for_each_lock(checkout: list[str], tmp_path: Path) -> None:
    bootstrap.ensure_installed()
    assert checkout == ALL

    bootstrap.ensure_installed()
    assert checkout == ALL

    (tmp_path / "Pipfile.lock").write_text('{"default": {}}')
    bootstrap.ensure_installed()
    assert checkout == [*ALL, "Installing the packages"]


def test_an_install_that_was_cut_short_begins_anew(checkout: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap.call

    def cut(*command: str, doing: str) -> None:
        if "sync" in command:
            raise KeyboardInterrupt
        whole(*command, doing=doing)

    monkeypatch.setattr(bootstrap, "call", cut)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.ensure_installed()
    checkout.clear()
    monkeypatch.setattr(bootstrap, "call", whole)

    bootstrap.ensure_installed()

    assert checkout == ["Making /.venv", "Installing the packages"]


def test_a_failed_install_tells_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "install.log")
    script = "echo Collecting; echo 'ERROR: No matching distribution found for x'; echo 'Traceback: y'; exit 1"

    with pytest.raises(SystemExit) as ended:
        bootstrap.call("/bin/sh", "-c", script, doing="Installing the packages")

    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "Installing the packages failed: ERROR: No matching distribution found for x"
        f" (all of it: {tmp_path / 'install.log'})\n"
    )


def test_lint_runs_all_checks_and_fails_for_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = {"first": lambda: (False, "a.py:1: wrong\n"), "second": lambda: (True, "noise")}
    monkeypatch.setattr(lint, "CHECKS", checks)

    assert lint.lint() == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["FAILED first (0.0 s)", "       a.py:1: wrong", "ok     second (0.0 s)"]
