"""`python -m sandbox.stripe`: its arguments, its folder, its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.stripe.conftest import ROOT, Running


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox.stripe", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--port", "0"],
        ["--port", "65536", "--data", "."],
        ["--port", "x", "--data", "."],
        ["--port", "0", "--data", ".", "--key", "short"],
        ["--port", "0", "--data", ".", "--key", "has space in"],
        ["--port", "0", "--data", ".", "--webhook-url", "http://127.0.0.1:1/"],
        ["--port", "0", "--data", ".", "--webhook-url", "ftp://x/", "--webhook-secret", "whsec_x"],
        ["--port", "0", "--data", ".", "--colour", "red"],
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str]) -> None:
    done = run(*arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_what_keeps_it_from_starting_is_one_line(running: Running, tmp_path: Path) -> None:
    taken = run("--port", running.url.rpartition(":")[2], "--data", str(tmp_path / "a"))
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "cannot listen" in taken.stderr

    (tmp_path / "file").write_text("")
    unusable = run("--port", "0", "--data", str(tmp_path / "file"))
    assert (unusable.returncode, unusable.stderr.count("\n")) == (1, 1)

    first = Running(tmp_path / "shared")
    try:
        second = run("--port", "0", "--data", str(tmp_path / "shared"))
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    finally:
        assert first.stop() == 0


def test_the_state_survives_a_kill(tmp_path: Path) -> None:
    payment: Any = {
        "amount": 4_200,
        "currency": "usd",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "off_session": True,
    }
    first = Running(tmp_path)
    try:
        intent = first.client().v1.payment_intents.create(payment, {"idempotency_key": "once"})
        waiting: Any = first.client().v1.payment_intents.create(
            {
                "amount": 100,
                "currency": "usd",
                "confirm": True,
                "payment_method": "pm_card_authenticationRequired",
                "return_url": "https://shop.example/",
            }
        )
    finally:
        first.kill()

    second = Running(tmp_path)
    try:
        client = second.client()
        assert client.v1.payment_intents.create(payment, {"idempotency_key": "once"}).id == intent.id
        assert len(client.v1.charges.list().data) == 1
        assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 4_200}).status == "succeeded"
        again: Any = client.v1.payment_intents.retrieve(waiting.id)
        assert again.next_action.redirect_to_url.url.startswith(f"{second.url}/redirect/authenticate/{waiting.id}/")
        assert second.stop() == 0
    finally:
        second.kill()
