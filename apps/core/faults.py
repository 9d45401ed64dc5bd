"""Places at which a test may kill the process that comes by. Outside of a test run they do nothing.

`FAULTS="charge.asked:0.1,outbox.sent:0.02"` names the places and how probable it is to die there; it is read with
MODE=test alone. A real process dies by SIGKILL, without any clean-up. A test that wants to live on sets `strike`.
"""

import os
import random
import signal
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings


class Killed(BaseException):
    """What a test raises in the place of a kill. Not an Exception: nothing may swallow it."""


# What a test has put in the place of the environment's faults.
strike: Callable[[str], None] | None = None


@lru_cache(maxsize=1)
def _chances() -> dict[str, int]:
    """How often of a million a process dies at each place."""
    chances: dict[str, int] = {}
    for part in filter(None, os.environ.get("FAULTS", "").split(",")):
        name, _, share = part.strip().partition(":")
        whole, _, digits = (share or "1").partition(".")
        chances[name] = int(whole or "0") * 10**6 + int((digits + "000000")[:6])
    return chances


def fault_point(name: str) -> None:
    """Where a process may die in a test: between two steps that a crash could tear apart."""
    if settings.MODE != "test":
        return
    if strike is not None:
        strike(name)
        return
    chance = _chances().get(name, 0)
    if chance and random.randrange(10**6) < chance:  # noqa: S311 - a die, not a secret
        os.kill(os.getpid(), signal.SIGKILL)
