"""Whatever schemathesis makes of the schema, sent to a running server by everybody: an answer of ours, and nothing inside it.

A few of each operation, the same in every run. More of them, others each time:

    FUZZ=20 ./run test tests/fuzz -q -n0            20 rounds, each on a world of its own; some minutes each
    FUZZ=1 FUZZ_SEED=... ./run test tests/fuzz      a round that failed, by the seed that it told
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from pytest_django.fixtures import Settings

from apps.users.models import Session
from schema.core.errors import Code
from tests.fuzz.generated import cases, generated
from tests.permissions.test_leaks import MARKS, NEVER
from tests.permissions.world import TOTAL_MINOR, World, make_world
from tests.schema.nonsense.test_nonsense import GRAPH, INSIDE, tokens_of
from tests.serving import Site

ROUNDS = int(os.environ.get("FUZZ", "0"))
FIRST_SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
EXAMPLES = 25 if ROUNDS else 2
CALLERS = ("anonymous", "stranger", "host", "staff")
STATUSES = {200, 400, 413, 415}
# Who has been made something else is shown other things from then on.
NOT_BY = {"Mutation.setUserRole": {"staff"}}
# Prices are anybody's to ask for; hosts publish drafts, and show who they are.
PUBLIC = {str(TOTAL_MINOR), "Unseen draft", "Firefox"}


SECRETS = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    settings.MEDIA_ROOT = tmp_path
    return make_world()


def _session() -> requests.Session:
    session = requests.Session()
    # It looks for a proxy before each request otherwise.
    session.trust_env = False
    return session


@dataclass
class Sender:
    """Sends each operation as everybody. After `is_changed` only strangers are kept from what was others' at first."""

    url: str
    world: World
    tokens: dict[str, str]
    is_changed: bool = False
    session: requests.Session = field(default_factory=_session)
    sent: int = 0
    answered: int = 0
    codes: set[str] = field(default_factory=set)

    def check(self, case: Any) -> None:
        """Raises AssertionError with the operation and what is wrong with an answer to it."""
        for caller in CALLERS:
            if caller in NOT_BY.get(case.operation.label, ()):
                continue
            response = self.send(case, caller)
            wrong = self.wrong_with(case, response, caller)
            assert not wrong, f"{caller}: {wrong}\n{case.body}\n{response.status_code} {response.text[:2000]}"

    def send(self, case: Any, caller: str) -> Any:
        token = self.tokens[caller]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.sent += 1
        return case.call(base_url=self.url, session=self.session, headers=headers)

    def wrong_with(self, case: Any, response: Any, caller: str) -> str:
        """The first thing that no answer may be, "" when there is none."""
        if response.status_code not in STATUSES:
            return f"status {response.status_code}"
        media = response.headers["content-type"][0]
        if not media.startswith("application/json"):
            return f"of type {media}"
        body = response.json()
        wrong = wrong_with_form(body)
        if wrong:
            return wrong
        # Null where the schema allows none.
        case.operation.schema.validate_response(case.operation, response, case=case)
        self._count(body)
        said = "\n".join([*(error["message"] for error in body.get("errors", ())), response.text])
        inside = INSIDE.search(said)
        if inside:
            return f"{inside[0]!r} is of the inside"
        hidden = [mark for mark in self.hidden_from(case, caller) if mark in said and mark not in case.body]
        return f"{hidden} is not for them" if hidden else ""

    def hidden_from(self, case: Any, caller: str) -> Iterator[str]:
        """What is in the world and not for this caller, and what nobody gets to read."""
        if not (self.is_changed and caller != "anonymous") and self.world.secret not in case.body:
            yield from (mark for mark, who in MARKS.items() if caller not in who and mark not in PUBLIC)
        yield from NEVER
        yield from (os.environ[name] for name in SECRETS)

    def _count(self, body: dict[str, Any]) -> None:
        self.codes |= {error["extensions"]["code"] for error in body.get("errors", ())}
        self.answered += any(value is not None for value in (body.get("data") or {}).values())
        if body.get("extensions", {}).get("token"):
            # An operation signed them out.
            self.tokens = signed_in(self.world)


def signed_in(world: World) -> dict[str, str]:
    """Tokens of new sessions of all callers."""
    now = datetime.now(UTC)
    for user in world.users.values():
        Session.objects.create(user=user, device="Firefox", created_at=now, last_used_at=now)
    return tokens_of(world)


def wrong_with_form(body: Any) -> str:
    """What an answer of GraphQL may not look like, "" for one that is right."""
    if (
        not isinstance(body, dict)
        or not body.keys() & {"data", "errors"}
        or body.keys() - {"data", "errors", "extensions"}
    ):
        return "no answer of GraphQL"
    if body.get("errors") == []:
        return "a list of no errors"
    for error in body.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        if code not in set(Code) or code == Code.INTERNAL:
            return f"code {code}"
        if not isinstance(error.get("message"), str) or not error["message"]:
            return "an error that says nothing"
    return ""


def send_examples(operation: Any, sender: Sender, *, of_seed: int) -> None:
    """Raises AssertionError for the smallest example that is answered as none may be."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=not ROUNDS,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(cases(operation))
    def check(case: Any) -> None:
        sender.check(case)

    (seed(of_seed)(check) if ROUNDS else check)()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(max(1, ROUNDS)))
def test_every_operation_is_answered_as_it_may_be(site: Site, world: World, number: int) -> None:
    of_seed = FIRST_SEED + number
    print(f"FUZZ_SEED={of_seed}")  # noqa: T201 - a round that fails is found again by it
    sender = Sender(f"{site.url}/graphql", world, tokens_of(world))
    operations = generated(sender.url, world)
    assert len(operations) == len(GRAPH.query_type.fields) + len(GRAPH.mutation_type.fields)
    for operation in operations:
        sender.is_changed = operation.label.startswith("Mutation.")
        send_examples(operation, sender, of_seed=of_seed)
    # It got in: found things, was refused others, and was told what was wrong.
    assert sender.sent >= EXAMPLES * len(CALLERS) * len(operations) - EXAMPLES * len(NOT_BY)
    assert sender.answered > sender.sent / 4
    assert {"BAD_USER_INPUT", "UNAUTHENTICATED", "FORBIDDEN"} <= sender.codes


class Answering(BaseHTTPRequestHandler):
    """Answers what its server is told to."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, media, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


RIGHT = '{"data":{"me":null}}'
WRONG: dict[str, tuple[int, str, str]] = {
    "a crash": (500, "application/json", '{"errors":[{"message":"No.","extensions":{"code":"BAD_USER_INPUT"}}]}'),
    "a page": (200, "text/html", RIGHT),
    "a list": (200, "application/json", "[]"),
    "nothing": (200, "application/json", "{}"),
    "no code": (200, "application/json", '{"errors":[{"message":"No."}],"data":null}'),
    "a bug": (200, "application/json", '{"errors":[{"message":"No.","extensions":{"code":"INTERNAL"}}],"data":null}'),
    "no reason": (400, "application/json", '{"errors":[{"message":"","extensions":{"code":"BAD_USER_INPUT"}}]}'),
    "a table": (
        200,
        "application/json",
        '{"errors":[{"message":"relation \\"users_user\\" is gone","extensions":{"code":"NOT_FOUND"}}],"data":null}',
    ),
    "somebody's address": (200, "application/json", '{"data":{"me":{"email":"mail-of-stranger@example.com"}}}'),
    "a secret": (200, "application/json", '{"data":{"me":{"email":"whsec_1"}}}'),
}


@pytest.mark.parametrize("what", ["what is right", *WRONG])
def test_a_wrong_answer_is_seen(answering: HTTPServer, what: str) -> None:
    status, media, body = WRONG.get(what, (200, "application/json", RIGHT))
    answering.answer = status, media, body.encode()  # type: ignore[attr-defined]
    nobody = World(users={}, ids={}, secret="secret of a booking")
    schema = schemathesis.graphql.from_file("type Query { me: User } type User { email: String! }")
    sender = Sender(f"http://127.0.0.1:{answering.server_port}/graphql", nobody, dict.fromkeys(CALLERS, ""))
    case = schema["Query"]["me"].Case(body="{ me { email } }", media_type="application/json")
    if what == "what is right":
        sender.check(case)
        assert sender.sent == len(CALLERS)
    else:
        with pytest.raises(AssertionError, match=r"me \{ email \}"):
            sender.check(case)
