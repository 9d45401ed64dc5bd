"""The order of a release: what everybody needs, the migrations, and the processes only once those are through."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.cluster import FOLDER, WORKERS
from tests.deploy.linters import complaints

IMAGE = "ghcr.io/example/holdfast@sha256:" + "a" * 64
ROLLED = (*WORKERS, "beat", "web", "live")
# Writes down what it is asked, and says of the job what the test wants.
KUBECTL = """#!/bin/sh
echo "$*" | sed 's|/[^ ]*/\\([a-z]*.yaml\\)|\\1|' >>"$CALLS"
case "$1 $2" in
    kustomize*) printf 'kind: Deployment\\nspec:\\n      image: holdfast\\n      name: holdfast\\n' ;;
    "get job/migrate") printf '%s' "$ENDED" ;;
    apply*) cat "$3" >>"$CALLS.applied" ;;
esac
"""


def roll(folder: Path, *arguments: str, ended: str = "SuccessCriteriaMet Complete") -> tuple[int, str, list[str]]:
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    calls = folder / "calls"
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "ENDED": ended, "TMPDIR": str(folder)}
    done = subprocess.run(
        [str(FOLDER / "roll"), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr, calls.read_text().splitlines() if calls.exists() else []


def test_the_linter_has_nothing_against_it() -> None:
    assert complaints("shellcheck", "--severity", "style", str(FOLDER / "roll")) == ""


def test_processes_follow_the_migrations(tmp_path: Path) -> None:
    code, said, calls = roll(tmp_path, IMAGE)
    assert (code, said) == (0, "")
    assert calls == [
        "kustomize migrate",
        "kustomize overlays/production",
        "apply --filename all.yaml --selector app.kubernetes.io/component=common",
        "delete job migrate --namespace holdfast --ignore-not-found --wait",
        "apply --filename migrate.yaml",
        'get job/migrate --namespace holdfast --output jsonpath={.status.conditions[?(@.status=="True")].type}',
        "apply --filename all.yaml",
        *[f"rollout status deployment/{name} --namespace holdfast --timeout=10m" for name in ROLLED],
    ]
    applied = (tmp_path / "calls.applied").read_text()
    assert applied.count(f"image: {IMAGE}\n") == 3
    assert "image: holdfast\n" not in applied
    assert list(tmp_path.glob("tmp.*")) == []


def test_no_process_is_changed_where_the_migrations_fail(tmp_path: Path) -> None:
    code, said, calls = roll(tmp_path, IMAGE, ended="FailureTarget Failed")
    assert code == 1
    assert said == "The migrations failed or took longer than half an hour; no process was changed.\n"
    assert "apply --filename all.yaml" not in calls
    assert not any(call.startswith("rollout") for call in calls)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("holdfast",), "holdfast names no image by its digest or its tag."),
        (("x:1|e", "production"), "x:1|e names no image by its digest or its tag."),
        ((IMAGE, "moon"), "There is no overlay moon in deploy/kubernetes/overlays."),
    ],
)
def test_what_it_cannot_do_it_says_and_does_not_begin(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    assert roll(tmp_path, *arguments) == (2, f"{line}\n", [])
