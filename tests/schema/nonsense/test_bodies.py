"""Bodies that no client of good will sends: each is refused in our words, or answered as what it says."""

import gzip
import json
from typing import Any

import pytest
from django.test import Client

from tests.schema.nonsense.test_nonsense import wrong_with

pytestmark = pytest.mark.django_db

RIGHT = b'{"query": "{ __typename }"}'
USER = b'"query": "query($id: ID!) { user(id: $id) { id } }"'
FIRST = b'"query": "query($n: Int) { listings(first: $n) { totalCount } }"'

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a batch": b"[" + RIGHT + b"]",
    "a number": b"1",
    "lists without an end": b"[" * 100_000,
    "objects without an end": b'{"a":' * 50_000,
    "variables as deep as the sea": b'{"query": "{ __typename }", "variables": {"a": '
    + b"[" * 20_000
    + b"]" * 20_000
    + b"}}",
    "a NUL in the text": b'{"query": "{ __typename }\\u0000"}',
    "a NUL in the body": b'{"query": "{ __typename }\x00"}',
    "half a character in the text": b'{"query": "{ user(id: \\"\\ud800\\") { id } }"}',
    "half a character in a variable": b"{" + USER + b', "variables": {"id": "\\ud800"}}',
    "half a character in GraphQL's own writing": b'{"query": "{ user(id: \\"\\\\ud800\\") { id } }"}',
    "latin-1": b'{"query": "{ __typename }", "more": "\xe9"}',
    "UTF-16": RIGHT.decode().encode("utf-16"),
    "no number": b'{"query": "query($n: Float) { __typename }", "variables": {"n": NaN}}',
    "more than a Float": b'{"query": "query($n: Float) { __typename }", "variables": {"n": 1e999}}',
    "more than an Int": b"{" + FIRST + b', "variables": {"n": 123456789012345678901234567890}}',
    "five thousand digits": b"{" + FIRST + b', "variables": {"n": ' + b"9" * 5_000 + b"}}",
    "a name that is none": b'{"query": "query A { __typename }", "operationName": "\\u0000"}',
    "a hash that is none": b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "'
    + b"\\u0000" * 64
    + b'"}}}',
    "a hash in a list": b'{"extensions": {"persistedQuery": [{"version": 1}]}}',
    "a document of no name": b'{"documentId": []}',
}
# The last of a key that comes twice counts, as everywhere in JSON.
DOUBLED: dict[str, tuple[bytes, Any]] = {
    "the text": (b'{"query": "{ users { totalCount } }", "query": "{ __typename }"}', {"__typename": "Query"}),
    "a variable": (b"{" + USER + b', "variables": {"id": 1, "id": "none"}}', {"user": None}),
}


def post(client: Client, body: bytes, *, media: str = "application/json", **headers: str) -> Any:
    return client.generic("POST", "/graphql", body, content_type=media, headers=headers)


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(client: Client, what: str) -> None:
    response = post(client, REFUSED[what])
    assert wrong_with(response) == ""
    body = response.json()
    assert body.get("data") is None
    assert [error["extensions"]["code"] for error in body["errors"]] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("what", DOUBLED)
def test_the_last_of_two_counts(client: Client, what: str) -> None:
    body, data = DOUBLED[what]
    answer = post(client, body).json()
    assert answer["data"] == data
    assert "errors" not in answer


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "nonsense"])
def test_what_is_packed_is_not_unpacked(client: Client, coding: str) -> None:
    response = post(client, gzip.compress(RIGHT), **{"Content-Encoding": coding})
    assert response.status_code in {400, 415}
    assert json.loads(response.content)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("charset", ["utf-16", "nonsense", "latin-1"])
def test_other_encodings_than_utf_8_are_refused(client: Client, charset: str) -> None:
    response = post(client, RIGHT, media=f"application/json; charset={charset}")
    assert response.status_code == 415
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "query",
    ["query=%00", "query=%ED%A0%80", "query=%FF", "query={__typename}&variables=[", "query={__typename}&variables=1"],
)
def test_addresses_are_refused_alike(client: Client, query: str) -> None:
    response = client.get(f"/graphql?{query}", headers={"Accept": "application/json"})
    assert wrong_with(response) == ""
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["BAD_USER_INPUT"]
