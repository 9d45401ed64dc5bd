"""The README's first session works as it stands there, in that order, on the demo's data."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.serving import Client, Site, eventually

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"
# What the worker has to have done before the README's reader goes on: operation, path in its answer, value.
OUTCOMES = {
    "See": ("booking.status", "CONFIRMED"),
    "Leave": ("endBooking.booking.status", "COMPLETED"),
    "Receipt": ("booking.payments.0.status", "SUCCEEDED"),
}


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of these languages, in order."""
    for language, text in BLOCK.findall(README):
        if language in languages:
            yield language, text


def at(answer: Any, path: str) -> Any:
    """What is at a path such as `listings.edges.0.node.id`. Raises KeyError, IndexError or TypeError."""
    for step in path.split("."):
        answer = answer[int(step)] if step.isdecimal() else answer[step]
    return answer


class Reader:
    """Somebody who follows the README: remembers the newest answer of each root field and the headers."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._answers: dict[str, Any] = {}
        self._token: str | None = None
        self.followed: list[str] = []

    def fill(self, text: str) -> Any:
        """The JSON of a block with its <...> replaced by what they stand for."""
        soon = (timezone.now() + timedelta(days=60)).date()
        days = {"<YYYY-MM-DD>": soon, "<YYYY-MM-DD, three days later>": soon + timedelta(days=3)}
        for placeholder, day in days.items():
            text = text.replace(placeholder, day.isoformat())
        return json.loads(re.sub(r"<([\w.]+)>", lambda found: str(at(self._answers, found.group(1))), text))

    def put_headers(self, headers: dict[str, str]) -> None:
        assert set(headers) <= {"Authorization"}
        self._token = headers["Authorization"].removeprefix("Bearer ") if headers else None

    def run(self, operation: str, variables: Any) -> None:
        """Run it until its outcome is there, and check that nothing was refused."""
        name = re.search(r"(?:query|mutation) (\w+)", operation)
        assert name, operation
        client = Client(f"{self._site.url}/graphql", token=self._token)
        path, wanted = OUTCOMES.get(name[1], ("", None))

        def done() -> dict[str, Any] | None:
            data = client.data(operation, variables)
            try:
                return data if not path or at(data, path) == wanted else None
            except (TypeError, IndexError):  # it is not there yet
                return None

        data = eventually(done, f"{name[1]} says {wanted}")
        assert data is not None
        for field, answer in data.items():
            assert answer is not None, name[1]
            assert not answer.get("errors"), (name[1], answer["errors"])
            self._answers[field] = answer
        self.followed.append(name[1])


def test_the_first_session_works_as_written(site: Site, tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    call_command("seed_demo", verbosity=0)
    reader = Reader(site)
    steps = [*blocks("graphql", "json"), ("", "")]
    before = ""
    for (language, text), (following, variables) in pairwise(steps):
        if language == "graphql":
            reader.run(text, reader.fill(variables) if following == "json" else None)
        elif before != "graphql":
            reader.put_headers(reader.fill(text))
        before = language
    assert reader.followed == [
        "FindConcerts", "SignIn", "HoldTickets", "Pay", "See", "FindStays", "HoldNights", "FindParking", "Park",
        "SaveCard", "Leave", "Receipt", "SignInAsHost", "Offer", "Publish", "Hosting",
    ]  # fmt: skip


def test_the_example_for_the_shell_works(site: Site) -> None:
    (example,) = [text for _, text in blocks("sh") if "curl" in text]
    assert ADDRESS in example
    done = subprocess.run(
        ["sh", "-c", example.replace(ADDRESS, site.url)], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode == 127:
        pytest.skip("curl is not installed")
    assert json.loads(done.stdout)["data"] == {"listings": {"totalCount": 0, "edges": []}}


def test_what_it_links_to_is_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(targets) >= 5
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert missing == []


def test_it_names_every_format_of_the_importer() -> None:
    shipped = {path.stem for path in (ROOT / "apps/importing/formats").glob("*.toml")}
    section = README.partition("## Import a city")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)) == shipped
