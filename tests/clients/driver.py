"""The npm clients under the tests' hand: installed once into a folder of the checkout that git ignores."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".tool" / "clients"
OLDEST_NODE = 18
INSTALL_SECONDS = 180
PATIENCE_SECONDS = 60.0


def installed() -> Path:
    """The folder with the driver and its packages. Skips the test where they cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on this machine: the npm clients are not tried")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version} is older than {OLDEST_NODE}: the npm clients are not tried")
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        stamp = CACHE / "installed"
        if not stamp.is_file() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, CACHE / name)
            _install(npm)
            stamp.write_text(wanted)
        # Node looks for packages beside the script, wherever it was started.
        shutil.copy(HERE / "driver.mjs", CACHE / "driver.mjs")
    return CACHE


def _install(npm: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm ci took more than {INSTALL_SECONDS} s: the npm clients are not tried")
    if done.returncode:
        pytest.skip(f"npm ci failed, so the npm clients are not tried: {done.stderr.strip()[-300:]}")


@contextmanager
def _alone() -> Iterator[None]:
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Clients:
    """One node process with any number of named clients."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"
        self._numbers = count(1)
        self._said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            ["node", "driver.mjs"], cwd=installed(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, name: str, kind: str, **options: Any) -> None:
        """A client of the kind: graphql-ws, graphql-sse, apollo or urql."""
        self._call("open", name=name, kind=kind, **{"url": self._url, **options})

    def audit(self) -> list[dict[str, Any]]:
        """What the audits of graphql-http say of the site: id, name, status (ok, notice, warn or error) and reason of each."""
        results: list[dict[str, Any]] = self._call("audit", url=self._url)["results"]
        return results

    def ask(self, name: str, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation."""
        answer = self._call("ask", name=name, query=query, variables=variables)
        assert answer.get("errors") is None, answer
        assert "error" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def subscribe(self, name: str, query: str, *, key: str = "1", **variables: Any) -> None:
        self._call("subscribe", name=name, key=key, query=query, variables=variables)

    def watch(self, name: str, query: str, *, key: str, **variables: Any) -> None:
        """Read a query from the client's cache, now and each time the cache changes."""
        self._call("watch", name=name, key=key, query=query, variables=variables)

    def stop(self, name: str, *, key: str = "1") -> None:
        self._call("stop", name=name, key=key)

    def close(self, name: str) -> None:
        self._call("close", name=name)

    def next(self, name: str, *, key: str = "1") -> dict[str, Any]:
        """The next result that the client hands to its user."""
        result: dict[str, Any] = self.report(name, "next", key=key)["next"]
        return result

    def report(self, name: str, what: str, *, key: str | None = None) -> dict[str, Any]:
        """The next report of this sort: next, error, complete, connected or closed. Those before it stay."""

        def fits(report: dict[str, Any]) -> bool:
            return report.get("name") == name and report.get("key") == key and what in report

        return self._wait(fits, f"{what} of {name}")

    def unread(self, name: str, what: str) -> list[dict[str, Any]]:
        with self._news:
            return [report for report in self._said if report.get("name") == name and what in report]

    def _call(self, command: str, **given: Any) -> dict[str, Any]:
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": number, "command": command, **given}) + "\n")
        self._process.stdin.flush()
        return self._wait(lambda report: report.get("answer") == number, f"the answer to {command}")

    def _wait(self, fits: Any, what: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        with self._news:
            while True:
                for place, report in enumerate(self._said):
                    if fits(report):
                        return self._said.pop(place)
                assert self._process.poll() is None, f"node ended; not there: {what}; {self._said}"
                left = until - time.monotonic()
                assert left > 0, f"not within {PATIENCE_SECONDS} s: {what}; {self._said}"
                self._news.wait(min(left, 1))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._said.append(json.loads(line))
                self._news.notify_all()
