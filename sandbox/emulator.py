"""The Stripe emulator as a child process: `sandbox/stripe/` is the emulator itself."""

import os
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

from sandbox.folder import ROOT
from sandbox.processes import Child, Watcher, free_port

KEY = "sk_test_holdfast"


class Emulator:
    """One emulator on `folder` that sends its webhooks to `webhook_url`."""

    title = "The Stripe emulator"

    def __init__(self, folder: Path, *, log: Path, watcher: Watcher, webhook_url: str, webhook_secret: str) -> None:
        self._folder = folder
        self._log = log
        self._watcher = watcher
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self.child: Child | None = None
        self.port = 0

    def prepare(self) -> None:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self.port = free_port()
        command: list[str | Path] = [sys.executable, "-m", "sandbox.stripe", "--port", str(self.port)]
        command += ["--data", self._folder, "--key", KEY]
        command += ["--webhook-url", self._webhook_url, "--webhook-secret", self._webhook_secret]
        self.child = Child("stripe", command, log=self._log, watcher=self._watcher, environment=os.environ, folder=ROOT)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        return {
            "STRIPE_API_BASE": self.url,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_WEBHOOK_SECRET": self._webhook_secret,
        }

    def answers(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/_config/health", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def close(self) -> None:
        """Nothing is held open."""
