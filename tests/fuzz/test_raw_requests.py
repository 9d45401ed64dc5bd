"""Requests as no client library writes them, byte by byte to a running server: answered by us, and nothing inside is told."""

from __future__ import annotations

import gzip
import json
import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from tests.fuzz.test_generated_operations import wrong_with_form
from tests.schema.nonsense.test_nonsense import INSIDE
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "Content-Type: application/json\r\n"


def body_of(query: str, **more: object) -> bytes:
    return json.dumps({"query": query, **more}).encode()


def with_length(body: bytes, headers: str = JSON, *, version: str = "1.1", method: str = "POST") -> bytes:
    head = f"{method} /graphql HTTP/{version}\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def chunked(*pieces: bytes) -> bytes:
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\n{JSON}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (*pieces, b""))


RIGHT = body_of("{ __typename }")
INCLUDED = "query($yes: Boolean!) { __typename @include(if: $yes) me @include(if: $yes) { id @skip(if: $yes) email } }"
ABSTRACT = """{ node(id: "x") { ...N } nodes(ids: ["x"]) { ...N }
  listings(first: 1) { edges { node { ...L ... on Node { id } ... @include(if: true) { title } } } } }
  fragment N on Node { __typename id ... on Listing { title ...L } ... on Booking { reference } }
  fragment L on Listing { __typename ... on Property { bedrooms } ... on Event { venue } ... on Service { slotMinutes: id } }"""
FILTERED = "query($filter: ListingFilter) { listings(filter: $filter, first: 1) { totalCount } }"

# Those that are answered with data, and with an error of whoever sent it.
ANSWERED: dict[str, bytes] = {
    "in pieces": chunked(RIGHT[:7], RIGHT[7:]),
    "an old client": with_length(RIGHT, version="1.0"),
    "everything included": with_length(body_of(INCLUDED, variables={"yes": True})),
    "fragments on what is abstract": with_length(body_of(ABSTRACT)),
    "one for a list": with_length(body_of(FILTERED, variables={"filter": {"kind": "EVENT"}})),
    "a key twice": with_length(b'{"query": "{ none }", "query": "{ __typename }"}'),
    "a type in capitals": with_length(RIGHT, "CONTENT-TYPE: Application/JSON; Charset=UTF-8\r\n"),
    "a token of no form": with_length(RIGHT, f"{JSON}Authorization: Bearer \xff.\x80.a\r\n"),
    "a very long agent": with_length(RIGHT, f"{JSON}User-Agent: {'a' * 6000}\r\n"),
}
REFUSED: dict[str, bytes] = {
    "pieces that are none": chunked(b"{", b'"query"'),
    "pieces of no length": chunked().removesuffix(b"0\r\n\r\n") + b"zz\r\nxx\r\n0\r\n\r\n",
    "packed in another way": with_length(RIGHT, f"{JSON}Content-Encoding: br\r\n"),
    "a name of a host that is not ours": with_length(RIGHT).replace(b"127.0.0.1", b"host.example"),
    "an address that is not ours": with_length(RIGHT).replace(b"/graphql", b"/graphql/"),
    "too many parameters": with_length(b"", method="GET").replace(b"/graphql", b"/graphql?" + b"a&" * 2_000),
    "packed": with_length(gzip.compress(RIGHT), f"{JSON}Content-Encoding: gzip\r\n"),
    "packed, and nothing says so": with_length(gzip.compress(RIGHT)),
    "a form": with_length(b"query={__typename}", "Content-Type: application/x-www-form-urlencoded\r\n"),
    "plain text": with_length(RIGHT, "Content-Type: text/plain\r\n"),
    "of no type": with_length(RIGHT, ""),
    "multipart without a boundary": with_length(
        b"--x", "Content-Type: multipart/form-data\r\nX-Requested-With: a\r\n"
    ),
    "a name of other letters": with_length(body_of("query \u00c4rger { __typename }")),
    "a name that is not there": with_length(body_of("query A { __typename }", operationName="\u202eA\ud83d\ude00")),
    "half a letter": with_length(b'{"query": "{ user(id: \\"\\\\ud800\\") { id } }"}'),
    "a byte of no letter": with_length(b'{"query": "{ __typename }\xff"}'),
    "more than a number holds": with_length(body_of("{ listings(first: 1e400) { totalCount } }")),
    "an enum as a text": with_length(body_of('{ listings(orderBy: "PRICE_ASC") { totalCount } }')),
    "an enum that is none": with_length(body_of(FILTERED, variables={"filter": {"kind": ["event"]}})),
    "lists in lists": with_length(body_of(FILTERED, variables={"filter": {"kind": [["EVENT"]]}})),
    "an object for a text": with_length(body_of(FILTERED, variables={"filter": {"city": {"a": 1}}})),
    "a text for an object": with_length(body_of(FILTERED, variables={"filter": "Lisbon"})),
    "a field that is none": with_length(body_of(FILTERED, variables={"filter": {"__proto__": 1}})),
    "a cursor of bytes": with_length(body_of('{ listings(after: "\\u0000\\uffff") { totalCount } }')),
    "a fragment that holds itself": with_length(body_of("{ ...A } fragment A on Query { ...A }")),
    "deeper than anything": with_length(b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}"),
    "another method": with_length(RIGHT, method="PUT"),
}  # fmt: skip


def answer_to(site: Site, request: bytes) -> tuple[int, str, bytes]:
    """The status, the media type and the body."""
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response.status, response.headers.get("Content-Type", ""), response.read()


def test_requests_of_any_form_are_answered_by_us(site: Site) -> None:
    wrong = {}
    for what, request in {**ANSWERED, **REFUSED}.items():
        status, media, content = answer_to(site, request)
        text = content.decode()
        is_json = media.startswith("application/json")
        body = json.loads(text) if is_json else {}
        has_data = body.get("data") is not None
        if (
            status >= 500
            or not is_json
            or wrong_with_form(body)
            or INSIDE.search(text)
            or has_data is (what in REFUSED)
            or ("errors" in body) is (what in ANSWERED)
        ):
            wrong[what] = status, media, text[:400]
    assert wrong == {}
