"""`.env.example` is all of the environment: every name that is read, with its default."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from booking.env import Environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
REQUIRED = {
    "SECRET_KEY": "x" * 32,
    "DATABASE_URL": "postgresql://user@127.0.0.1:5432/holdfast",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "STRIPE_SECRET_KEY": "sk_test_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
}
# The sandbox reads these, the product does not.
OF_THE_DEMO = {"DEMO_DIR"}


class Recorder(Mapping[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def names() -> list[str]:
    return [line.partition("=")[0] for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]


def values() -> dict[str, str]:
    """What a shell takes from the file: it is meant to be read by one."""
    done = subprocess.run(
        ["env", "-i", "sh", "-c", "set -eu; set -a; . ./.env.example; env"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    pairs = [line.partition("=") for line in done.stdout.splitlines()]
    return {name: value for name, _, value in pairs if name in set(names())}


def test_it_names_what_is_read_and_nothing_else() -> None:
    environment = Recorder(REQUIRED)
    Environment.read(environment, base=ROOT)
    assert len(names()) == len(set(names()))
    assert set(names()) - OF_THE_DEMO == environment.asked


def test_its_values_are_the_defaults() -> None:
    given = values()
    assert set(given) == set(names())
    assert {name for name in REQUIRED if given[name]} == set()
    stated = Environment.read({**given, **REQUIRED}, base=ROOT)
    assert asdict(stated) == asdict(Environment.read(REQUIRED, base=ROOT))


def test_every_name_is_explained() -> None:
    before = ""
    for line in EXAMPLE.read_text().splitlines():
        if line and not line.startswith("#"):
            assert before.startswith("# "), line
            assert not before.startswith("# ---"), line
        before = line
