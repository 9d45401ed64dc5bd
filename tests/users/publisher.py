"""An issuer that publishes its keys on a web server of its own, and tokens that it signs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from apps.core.errors import InvalidToken
from apps.users.keys import as_jwk
from apps.users.signin.assertions import read_assertion

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUER = "https://id.example.com"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SECRET = "a secret that two sites share and nobody else on earth knows"


class Publisher:
    """A web server of an issuer, which answers what it is told to and counts."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked += 1
                if publisher.answer is not None:
                    publisher.answer(self)
                    return
                say(self, json.dumps({"keys": publisher.keys}).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def shown(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    return {**as_jwk(key.public_key()), **({"kid": kid} if kid else {}), **more}


def token(
    key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rsa", *, now: datetime = NOW, **changes: Any
) -> str:
    at = int(now.timestamp())
    claims = {
        "iss": ISSUER, "aud": "holdfast", "sub": "ada", "email": "ada@example.com", "email_verified": True, "iat": at,
        "exp": at + 300, "jti": uuid4().hex, **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def is_accepted(text: str, *, issuer: str = "site", now: datetime = NOW) -> bool:
    try:
        return read_assertion(issuer=issuer, token=text, now=now).subject == "ada"
    except InvalidToken as refused:
        assert (refused.message, refused.field) == ("The token is not accepted.", ("token",))
        return False
