"""A start loads what is used, and looks through none of it for garbage."""

import importlib
import json
import subprocess
import sys

import pytest

from apps.core.skipped_imports import without

# In a process of its own: this one has loaded everything for its tests.
STARTED = """
import gc, json, sys
import booking.asgi
absent = [name for name in ("httpx", "opentelemetry.sdk.metrics") if name not in sys.modules]
import httpx
import opentelemetry.sdk.metrics
print(json.dumps([absent, gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects())]))
"""


def test_a_server_starts_without_what_it_never_uses() -> None:
    done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, timeout=300, check=True)

    absent, collects, frozen, others = json.loads(done.stdout)
    assert absent == ["httpx", "opentelemetry.sdk.metrics"]
    assert collects
    assert frozen > 100_000
    assert others < frozen / 4


def test_what_is_hidden_is_there_again() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys", "json"):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is json
    assert importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    assert sys.modules["json"] is json
