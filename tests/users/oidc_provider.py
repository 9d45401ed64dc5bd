"""An OpenID provider as a process of its own: oidc-provider-mock, which also insists on PKCE and lies on demand.

    python -m tests.users.oidc_provider SOCKET

SOCKET is the number of an open socket that it inherits.

`PUT /_faults` with {"claims": {...}} changes claims of the next ID tokens before the provider's key signs them, {"without": [...]}
leaves some out, {"alg": "none"} or {"alg": "HS256"} signs them otherwise (HS256 with the public key), {"key": "another"} with a key
that nobody knows, {"token": null} sends none, {"document": {...}} changes the discovery document; `DELETE /_faults` ends that.
"""

import base64
import hashlib
import hmac
import io
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

import flask
import jwt
import oidc_provider_mock
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm


class Strict:
    """Stands before the provider's app: remembers the challenge of each code, and changes answers as it was told."""

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        self.faults: dict[str, Any] = {}
        self.challenges: dict[str, str] = {}
        self.storage: Any = None
        app.before_request(self._find_storage)

    def _find_storage(self) -> None:
        self.storage = flask.g.oidc_provider_mock_storage

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if path == "/_faults":
            self.faults = json.loads(body) if method == "PUT" else {}
            start_response("204 No Content", [])
            return []
        if path == "/oauth2/token" and not self._is_proven(body):
            start_response("400 Bad Request", [("Content-Type", "application/json")])
            return [b'{"error": "invalid_grant"}']
        status, headers, content = self._asked(environ)
        if path == "/oauth2/authorize" and method == "POST":
            self._remember(parse_qs(environ["QUERY_STRING"]), dict(headers).get("Location", ""))
        if path == "/oauth2/token" and self.faults:
            content = self._changed(content)
        if path == "/.well-known/openid-configuration":
            content = json.dumps({**json.loads(content), **self.faults.get("document", {})}).encode()
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(content)))])
        return [content]

    def _asked(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
            told[:] = [status, headers]
            return lambda _: None

        content = b"".join(self.app(environ, start))
        return told[0], told[1], content

    def _remember(self, asked: dict[str, list[str]], location: str) -> None:
        code = parse_qs(urlsplit(location).query).get("code", [""])[0]
        if code and asked.get("code_challenge_method") == ["S256"]:
            self.challenges[code] = asked["code_challenge"][0]

    def _is_proven(self, body: bytes) -> bool:
        form = parse_qs(body.decode())
        verifier = form.get("code_verifier", [""])[0]
        hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return self.challenges.pop(form.get("code", [""])[0], None) == hashed

    def _changed(self, content: bytes) -> bytes:
        answer = json.loads(content)
        if "token" in self.faults:
            answer.pop("id_token")
            return json.dumps(answer).encode()
        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        claims.update(self.faults.get("claims", {}))
        for name in self.faults.get("without", []):
            claims.pop(name, None)
        answer["id_token"] = self._signed(claims, jwt.get_unverified_header(answer["id_token"]))
        return json.dumps(answer).encode()

    def _signed(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        algorithm = self.faults.get("alg", "RS256")
        kid = {"kid": header["kid"]} if "kid" in header else {}
        if algorithm == "none":
            return jwt.encode(claims, "", algorithm="none", headers=kid)
        key: Any = RSAAlgorithm.from_jwk(self.storage.jwk.as_dict(is_private=True))
        if self.faults.get("key") == "another":
            key = rsa.generate_private_key(65537, 2048)
        if algorithm == "HS256":
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            parts = [_part({"alg": "HS256", **kid}), _part(claims)]
            signature = hmac.new(pem, ".".join(parts).encode(), hashlib.sha256).digest()
            return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])
        return jwt.encode(claims, key, algorithm=algorithm, headers=kid)


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def main(number: int) -> None:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    app = Strict(oidc_provider_mock.app(require_nonce=True))
    server = uvicorn.Server(uvicorn.Config(app, interface="wsgi", log_level="warning"))
    server.run(sockets=[socket.socket(fileno=number)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
