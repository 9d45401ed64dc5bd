"""The emulator without its sockets: a request in, an answer out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe import pages, past, routes
from sandbox.stripe.background import Background
from sandbox.stripe.errors import ApiError, broken, invalid, missing_key, rate_limited, unknown_url, wrong_key
from sandbox.stripe.faults import Faults, RequestFaults
from sandbox.stripe.params import decode
from sandbox.stripe.session import API_VERSION, Json, Session
from sandbox.stripe.store import Store, new_id

logger = logging.getLogger(__name__)

# Stripe promises a day; a day more costs nothing.
REMEMBER_SECONDS = 2 * 86_400
LONGEST_KEY = 255
_SUFFIX = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names are lower case, `path` is still percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Answer:
    """An HTTP answer, JSON or HTML. With `hang` nothing is sent: the connection closes after that many seconds."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    hang: float | None = None


class Emulator:
    """Stripe, with one main account (`key`) and one more for every `key_<suffix>`."""

    def __init__(self, store: Store, key: str, base_url: str = "") -> None:
        self.store = store
        self.key = key
        self.base_url = base_url
        self.faults = Faults()
        self.background = Background(store, self.session)
        self._under_way: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.forget_old()

    def forget_old(self) -> None:
        """Forgets the answers to idempotency keys that are older than Stripe keeps them."""
        with self.store.transaction():
            self.store.run("DELETE FROM answers WHERE created < ?", (time.time() - REMEMBER_SECONDS,))

    def session(self, account: str, request_id: str | None = None, key: str | None = None) -> Session:
        """A unit of work on an account."""
        return Session(self.store, self.faults, account, self.base_url, request_id=request_id, idempotency_key=key)

    def handle(self, request: Request) -> Answer:
        """Answers any request; never raises."""
        request_id = new_id("req", 14)
        try:
            if request.path.startswith("/v1/"):
                answer = self._api(request, request_id)
            elif request.path.startswith("/_config/"):
                answer = Answer(200, json.dumps(self._config(request)))
            else:
                answer = self._page(request)
        except ApiError as error:
            answer = _refusal(error, request_id)
        except Exception:
            logger.exception("a request failed: %s %s", request.method, request.path)
            answer = _refusal(broken(began=False), request_id)
        if answer.content_type == "application/json":
            answer.headers |= {"Request-Id": request_id, "Stripe-Version": API_VERSION}
            if request.headers.get("idempotency-key") and request.path.startswith("/v1/"):
                shown = re.sub(r"[^\x21-\x7e]", "?", request.headers["idempotency-key"])[:LONGEST_KEY]
                answer.headers["Idempotency-Key"] = shown
        if request.method != "GET":
            self.background.wake()
        return answer

    def account_of(self, headers: Mapping[str, str]) -> str:
        """The account whose key the request carries, `""` for the main one; raises ApiError 401."""
        scheme, _, rest = headers.get("authorization", "").strip().partition(" ")
        key = rest.strip()
        if scheme.lower() == "basic":
            try:
                key = base64.b64decode(key, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                raise wrong_key("") from None
        elif scheme.lower() != "bearer":
            raise missing_key()
        if not key:
            raise missing_key()
        if hmac.compare_digest(key.encode(), self.key.encode()):
            return ""
        suffix = key.removeprefix(f"{self.key}_")
        if suffix == key or not _SUFFIX.match(suffix):
            raise wrong_key(key)
        return suffix

    def _api(self, request: Request, request_id: str) -> Answer:
        account = self.account_of(request.headers)
        route, ids = routes.find(request.method, request.path)
        writes = request.method != "GET"
        faults = self.faults.request(account, writes=writes)
        if faults.error_429:
            raise rate_limited()
        if faults.error_500:
            raise broken(began=False)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if not key:
            return self._execute(request, request_id, account, (route, ids), faults, None)
        if len(key) > LONGEST_KEY:
            raise invalid(f"Idempotency keys may only be up to {LONGEST_KEY} characters long.", param=None)
        with self._lock:
            if (account, key) in self._under_way:
                raise _in_use(key)
            self._under_way.add((account, key))
        try:
            return self._execute(request, request_id, account, (route, ids), faults, key)
        finally:
            with self._lock:
                self._under_way.discard((account, key))

    def _execute(
        self,
        request: Request,
        request_id: str,
        account: str,
        target: tuple[routes.Route, tuple[str, ...]],
        faults: RequestFaults,
        key: str | None,
    ) -> Answer:
        given = _parameters(request)
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        if key is not None:
            remembered = self._remembered(account, key, request.path, digest)
            if remembered is not None:
                return remembered
        call = routes.prepare(*target, given)

        def remember(answer: Answer) -> Answer:
            if key is not None:
                self.store.run(
                    "REPLACE INTO answers (account, key, endpoint, digest, request_id, status, body, created) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (account, key, request.path, digest, request_id, answer.status, answer.text, time.time()),
                )
            return answer

        try:
            with self.store.transaction():
                try:
                    body = call.run(self.session(account, request_id, key))
                except ApiError as error:
                    if not error.keep:
                        raise
                    return remember(_refusal(error, request_id))
                if faults.error_500_after_success:
                    return remember(_refusal(broken(began=True), request_id))
                answer = remember(Answer(200, json.dumps(body)))
                answer.hang = faults.hang
                return answer
        except ApiError as error:
            if error.began:
                with self.store.transaction():
                    remember(_refusal(error, request_id))
            raise

    def _remembered(self, account: str, key: str, endpoint: str, digest: str) -> Answer | None:
        rows = self.store.run(
            "SELECT * FROM answers WHERE account = ? AND key = ? AND created >= ?",
            (account, key, time.time() - REMEMBER_SECONDS),
        )
        if not rows:
            return None
        found = rows[0]
        if found["endpoint"] != endpoint:
            raise _misused(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{endpoint}' vs '{found['endpoint']}'). Try using a key other than '{key}' if you meant to execute "
                "a different request."
            )
        if found["digest"] != digest:
            raise _misused(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
                f"using a key other than '{key}' if you meant to execute a different request."
            )
        headers = {"Idempotent-Replayed": "true", "Original-Request": found["request_id"]}
        if found["status"] >= 500:
            headers["Stripe-Should-Retry"] = "false"
        return Answer(found["status"], found["body"], headers)

    def _page(self, request: Request) -> Answer:
        if request.method == "GET":
            page = pages.find(self.store, self.session, request.path, request.query)
            if page is not None:
                self.background.wake()
                return Answer(page.status, page.text, page.headers, "text/html; charset=utf-8")
        raise unknown_url(request.method, request.path)

    def _config(self, request: Request) -> Json:
        match request.method, request.path.removeprefix("/_config/"):
            case "GET", "health":
                return {"ok": True}
            case "POST", "faults":
                return self.faults.set(self._named(request), _json_body(request))
            case "GET", "faults":
                return self.faults.show(self._named(request))
            case "GET", "faults/struck":
                return self.faults.struck(self._named(request))
            case "DELETE", "faults":
                self.faults.clear(self._named(request))
                return self.faults.show(self._named(request))
            case "POST", "webhook":
                return self._set_webhook(self.account_of(request.headers), _json_body(request))
            case "GET", "webhook":
                endpoint = self.store.endpoint(self.account_of(request.headers))
                return {"url": endpoint[0] if endpoint else None}
            case "POST", "past":
                account, given = self.account_of(request.headers), _json_body(request)
                with self.store.transaction():
                    return past.remember(given, lambda: self.session(account))
            case "DELETE", "answers":
                # What time does to them at Stripe, for those who cannot wait for a day.
                account = self.account_of(request.headers)
                with self.store.transaction():
                    self.store.forget_answers(account)
                return {"ok": True}
            case "DELETE", "data":
                account = self.account_of(request.headers)
                with self.store.transaction():
                    self.store.wipe(account)
                return {"ok": True}
        raise unknown_url(request.method, request.path)

    def _named(self, request: Request) -> str:
        return self.account_of(request.headers) if "authorization" in request.headers else ""

    def _set_webhook(self, account: str, given: Any) -> Json:
        if not isinstance(given, dict) or set(given) - {"url", "secret"}:
            raise invalid("The body must be a JSON object with `url` and `secret`.", param=None)
        url, secret = given.get("url"), given.get("secret")
        endpoint = None if url is None else read_endpoint(url, secret)
        with self.store.transaction():
            self.store.set_endpoint(account, endpoint)
        return {"url": url}


def read_endpoint(url: Any, secret: Any) -> tuple[str, str]:
    """A webhook endpoint; raises ApiError 400 for what is no http(s) address or no secret."""
    if not isinstance(url, str) or any(not 32 < ord(letter) < 127 for letter in url):
        raise invalid("url must be an http or https address.", param="url")
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise invalid("url must be an http or https address.", param="url")
    if not isinstance(secret, str) or not secret or len(secret) > 255:
        raise invalid("secret must be a text of 1 to 255 characters.", param="secret")
    return url, secret


def _parameters(request: Request) -> dict[str, Any]:
    if request.method == "POST" and request.body:
        sort = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sort not in ("application/x-www-form-urlencoded", ""):
            raise invalid(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have "
                "any questions, we can help at https://support.stripe.com/.",
                param=None,
            )
    given = decode(request.query.encode())
    return {**given, **decode(request.body)} if request.body else given


def _json_body(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise invalid("The body must be JSON.", param=None) from None


def _refusal(error: ApiError, request_id: str) -> Answer:
    return Answer(error.status, json.dumps(error.body(request_id)), dict(error.headers))


def _misused(message: str) -> ApiError:
    return ApiError(400, message, kind="idempotency_error", began=False)


def _in_use(key: str) -> ApiError:
    return ApiError(
        409,
        f"There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later.",
        kind="idempotency_error",
        code="idempotency_key_in_use",
        began=False,
        headers={"Stripe-Should-Retry": "true"},
    )
