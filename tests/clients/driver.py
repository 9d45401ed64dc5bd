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
OLDEST_NODE = 20
SCRIPTS = ("*.mjs", "relay/*.js")
INSTALL_SECONDS = 180
PATIENCE_SECONDS = 300.0


def installed() -> Path:
    """The folder with the scripts beside this file, above which their packages are. Skips the test where they cannot be had.

    Each lock has a folder of its own, and each state of the scripts one in it: runs of different states do not meet.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on this machine: the npm clients are not tried")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version} is older than {OLDEST_NODE}: the npm clients are not tried")
    packages = CACHE / digest(HERE / "package-lock.json")
    scripts = [path for pattern in SCRIPTS for path in sorted(HERE.glob(pattern))]
    folder = packages / digest(*scripts)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        if not (packages / "installed").is_file():
            packages.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, packages / name)
            _install(npm, packages)
            (packages / "installed").touch()
        for script in scripts:
            copy = folder / script.relative_to(HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(script, copy)
    return folder


def digest(*paths: Path) -> str:
    """A name for what the files hold."""
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()[:16]


def _install(npm: str, folder: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
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
        self._folders: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            ["node", "driver.mjs"], cwd=installed(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(300)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, name: str, kind: str, **options: Any) -> None:
        """A client of the kind: graphql-ws, graphql-sse, apollo, urql, or one of the latter two "with pages"."""
        self._call("open", name=name, kind=kind, **{"url": self._url, **options})

    def audit(self) -> list[dict[str, Any]]:
        """What the audits of graphql-http say of the site: id, name, status (ok, notice, warn or error) and reason of each."""
        results: list[dict[str, Any]] = self._call("audit", url=self._url)["results"]
        return results

    def ask(self, name: str, query: str, *, file: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation; a `file` (name, type, content in base64) becomes its variable `file`."""
        answer = self.attempt(name, query, file=file, **variables)
        assert answer.get("errors") is None, answer
        assert "error" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def attempt(self, name: str, query: str, *, file: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
        """The same with what is wrong, if anything is: data and errors, or error."""
        return self._call("ask", name=name, query=query, variables=variables, **({"file": file} if file else {}))

    def crowd(self, name: str, query: str, sets: list[dict[str, Any]]) -> list[Any]:
        """One operation with each of the sets of variables, all at once: the data of each, or a text that says what is wrong."""
        results: list[Any] = self._call("crowd", name=name, query=query, sets=sets)["results"]
        return results

    def more(self, name: str, *, key: str, **variables: Any) -> dict[str, Any]:
        """Fetch the next page of what is watched."""
        return self._call("more", name=name, key=key, variables=variables)

    def expire(self, name: str, token: str) -> None:
        """Let the client find this access token where it kept its own."""
        self._call("expire", name=name, token=token)

    def compile(self, schema: str, *, operations: str = "") -> dict[str, Any]:
        """What relay-compiler makes of the schema and the page in `relay/`, with more operations if some are given."""
        compiled = self._call("compile", schema=schema, operations=operations)
        self._folders.append(compiled["folder"])
        return compiled

    def relay(self, compiled: dict[str, Any], **given: Any) -> dict[str, Any]:
        """What the compiled page shows on its way; see `run` in relay.mjs."""
        return self._call("relay", url=self._url, folder=compiled["folder"], **given)

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
        answer = self._wait(lambda report: report.get("answer") == number, f"the answer to {command}")
        assert "failed" not in answer, answer["failed"]
        return answer

    def _wait(self, fits: Any, what: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        with self._news:
            while True:
                for place, report in enumerate(self._said):
                    if fits(report):
                        return self._said.pop(place)
                assert self._process.poll() is None, f"node ended; not there: {what}; {self._said}"
                left = until - time.monotonic()
                assert self._process.poll() is None, f"node ended with {self._process.returncode}; its errors are above"
                assert left > 0, f"not within {PATIENCE_SECONDS} s: {what}; {self._said}"
                self._news.wait(min(left, 1))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._said.append(json.loads(line))
                self._news.notify_all()
