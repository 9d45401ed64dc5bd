"""docker-compose.yml as Compose reads it: merged, with the variables of an environment filled in."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.deploy.linters import ROOT

FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])((?:[^{}])*))?\}")
# What the one who sets it up gives.
GIVEN = {
    "DATABASE_PASSWORD": "secret1",
    "STRIPE_SECRET_KEY": "sk_test_holdfast",
    "STRIPE_WEBHOOK_SECRET": "whsec_holdfast",
}


class Missing(Exception):
    """A variable without which it does not start."""


def fill(text: str, given: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        name, how, rest = found.groups()
        if given.get(name):
            return given[name]
        if how == "?":
            raise Missing(name)
        return rest or ""

    return VARIABLE.sub(one, text)


@functools.cache
def _read(text: str) -> dict[str, Any]:
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return read


def composition(given: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """Raises Missing."""
    return _read(fill(FILE.read_text(), given))


def services(given: Mapping[str, str] = GIVEN) -> dict[str, dict[str, Any]]:
    found = composition(given)["services"]
    assert isinstance(found, dict)
    return found


def variables() -> set[str]:
    """The names that it takes from .env itself."""
    return {found[1] for found in VARIABLE.finditer(FILE.read_text())}
