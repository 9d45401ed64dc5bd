"""Somebody who follows a page of ours: takes its blocks in order, fills in what they leave open, and sends them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.utils import timezone

from tests.serving import Client, Site, eventually

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:query|mutation|subscription) (\w+)")
OF_AN_ANSWER = re.compile(r"<(\w+(?:\.\w+)+)>")
A_DAY = re.compile(r"<\+(\d+) days>")
AN_INSTANT = re.compile(r"<\+(\d+) days, (\d\d:\d\d)>")
IN_HOURS = re.compile(r"<\+(\d+) hours>")


def blocks(page: str, *languages: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of these languages, in order."""
    for language, text in BLOCK.findall(page):
        if language in languages:
            yield language, text


def at(answer: Any, path: str) -> Any:
    """What is at a path such as `listings.edges.0.node.id`. Raises KeyError, IndexError or TypeError."""
    for step in path.split("."):
        answer = answer[int(step)] if step.isdecimal() else answer[step]
    return answer


def name_of(operation: str) -> str:
    """An operation's name. Raises AssertionError for one without: pages name them all."""
    found = NAME.match(operation)
    assert found, operation
    return found[1]


class Reader:
    """Remembers the newest answer of each root field and the headers.

    `outcomes` says what a worker has to have done before the page's reader goes on: by operation a path in its answer and
    the value there.
    """

    def __init__(self, site: Site, *, outcomes: Mapping[str, tuple[str, Any]]) -> None:
        self._site = site
        self._outcomes = outcomes
        self._token: str | None = None
        self.answers: dict[str, Any] = {}
        self.followed: list[str] = []
        self.passed: list[str] = []

    def follow(self, page: str) -> None:
        """Send every operation; one whose JSON asks for something from outside the page, or that listens, is passed."""
        steps = [*blocks(page, "graphql", "json"), ("", "")]
        before = ""
        for (language, text), (following, variables) in pairwise(steps):
            if language == "graphql":
                self._meet(text, variables if following == "json" else "{}")
            elif before != "graphql":
                self.put_headers(self.fill(text))
            before = language

    def _meet(self, operation: str, variables: str) -> None:
        filled = self.filled(variables)
        if operation.startswith("subscription") or "<" in filled:
            self.passed.append(name_of(operation))
        else:
            self.run(operation, json.loads(filled))

    def filled(self, text: str) -> str:
        """The text with its <...> replaced by what they stand for; those that come from outside stay."""
        now = timezone.now()
        soon = (now + timedelta(days=60)).date()
        for placeholder, day in {
            "<YYYY-MM-DD>": soon,
            "<YYYY-MM-DD, three days later>": soon + timedelta(days=3),
        }.items():
            text = text.replace(placeholder, day.isoformat())
        text = A_DAY.sub(lambda found: (now + timedelta(days=int(found[1]))).date().isoformat(), text)
        text = AN_INSTANT.sub(lambda found: self._instant(now, int(found[1]), found[2]).isoformat(), text)
        text = IN_HOURS.sub(lambda found: (now + timedelta(hours=int(found[1]))).isoformat(), text)
        text = text.replace("<a new UUID>", str(uuid4()))
        return OF_AN_ANSWER.sub(lambda found: str(at(self.answers, found[1])), text)

    def _instant(self, now: datetime, days: int, clock: str) -> datetime:
        return datetime.combine((now + timedelta(days=days)).date(), time.fromisoformat(clock), tzinfo=now.tzinfo)

    def fill(self, text: str) -> Any:
        """The JSON of a block with its <...> replaced. Raises ValueError where one is not known."""
        return json.loads(self.filled(text))

    def put_headers(self, headers: dict[str, str]) -> None:
        assert set(headers) <= {"Authorization"}
        self._token = headers["Authorization"].removeprefix("Bearer ") if headers else None

    def run(self, operation: str, variables: Any) -> None:
        """Run it until its outcome is there, and check that nothing was refused."""
        name = name_of(operation)
        client = Client(f"{self._site.url}/graphql", token=self._token)
        path, wanted = self._outcomes.get(name, ("", None))

        def done() -> dict[str, Any] | None:
            data = client.data(operation, variables)
            try:
                return data if not path or at(data, path) == wanted else None
            except (TypeError, IndexError):  # it is not there yet
                return None

        data = eventually(done, f"{name} says {wanted}")
        assert data is not None
        for field, answer in data.items():
            assert answer is not None, name
            assert not isinstance(answer, dict) or not answer.get("errors"), (name, answer["errors"])
            self.answers[field] = answer
        self.followed.append(name)

    def run_in_shell(self, script: str, *, folder: Path, **environment: str) -> str:
        """What the script prints, run with the page's address replaced by the site's. Raises CalledProcessError."""
        done = subprocess.run(
            ["sh", "-euc", self.filled(script).replace(ADDRESS, self._site.url)],
            capture_output=True, text=True, timeout=300, check=True, cwd=folder, env={**os.environ, **environment},
        )  # fmt: skip
        return done.stdout
