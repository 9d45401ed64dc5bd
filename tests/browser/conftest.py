"""A real browser, driven over the WebDriver protocol. Where there is none, the tests that need it are skipped."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import eventually, quiet_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,900",
    # What is not on this machine is not there: a page that asks for it says so in the console.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window."""

    def __init__(self, driver: str, binary: str, profile: Path) -> None:
        self._url = driver
        options = {"binary": binary, "args": [*QUIET, f"--user-data-dir={profile}"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url = f"{driver}/session/{session['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises AssertionError with what the driver says is wrong."""
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(
            f"{self._url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    @property
    def address(self) -> str:
        return str(self._call("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a JavaScript function returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def _find(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self._call("POST", f"/element/{self._find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self._call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def text(self, selector: str = "body") -> str:
        return str(self._call("GET", f"/element/{self._find(selector)}/text"))

    def has(self, selector: str) -> bool:
        return bool(self.run("return document.querySelector(arguments[0]) !== null", selector))

    def complaints(self) -> list[str]:
        """What the console says since the last look: errors of scripts, refused and missing files."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requested(self) -> set[str]:
        """The addresses that were asked for since the last look, whether they answered or not."""
        events = [
            json.loads(entry["message"])["message"] for entry in self._call("POST", "/se/log", {"type": "performance"})
        ]
        sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
        opened = [each["params"] for each in events if each["method"] == "Network.webSocketCreated"]
        return {each["request"]["url"] for each in sent} | {each["url"] for each in opened}

    def close(self) -> None:
        self._call("DELETE", "")


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("needs chromium and chromedriver (on Debian: apt-get install chromium chromium-driver)")
    folder = tmp_path_factory.mktemp("browser")
    port = quiet_port()
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (folder / "driver.log").open("wb") as log:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log, env=environment)
    try:
        eventually(lambda: _listens(port), "chromedriver listens")
        browser = Browser(f"http://127.0.0.1:{port}", binary, folder / "profile")
        yield browser
        browser.close()
    finally:
        process.terminate()
        process.wait(300)


@pytest.fixture
def browser(_browser: Browser) -> Browser:
    """The browser without what an earlier test left in its console."""
    _browser.open("about:blank")
    _browser.complaints()
    _browser.requested()
    return _browser


def _listens(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=300) as answer:
            return bool(json.load(answer)["value"]["ready"])
    except OSError:
        return False
