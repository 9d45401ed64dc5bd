"""GraphQL over HTTP: methods, media types, statuses, uploads."""

import json
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core.errors import InvalidToken
from apps.users.tokens import ExpiredToken
from schema.core import authentication, http
from schema.core.costs import Prices
from schema.core.limits import REQUESTS, Budget, charge
from tests.schema.core import sample

RESPONSE_JSON = "application/graphql-response+json"


def post(client: Client, body: Any, **headers: str) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post("/graphql", text, content_type="application/json", headers=headers)


def code_of(response: Any) -> str:
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


def test_a_query_is_answered_as_json(client: Client) -> None:
    response = post(client, {"query": "query ($pk: Int!) { person(pk: $pk) { name } }", "variables": {"pk": 3}})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.json()["data"] == {"person": {"name": "Person 3"}}


def test_get_answers_queries(client: Client) -> None:
    parameters = {"query": "query A($pk: Int!) { person(pk: $pk) { name } } query B { at }", "operationName": "A"}
    response = client.get("/graphql", {**parameters, "variables": '{"pk": 2}'})
    assert response.json()["data"] == {"person": {"name": "Person 2"}}


def test_get_never_mutates(client: Client) -> None:
    response = client.get("/graphql", {"query": 'mutation { saveThing(input: {title: "x"}) { saved } }'})
    assert (response.status_code, response["Allow"], code_of(response)) == (405, "POST", "BAD_USER_INPUT")
    assert "data" not in response.json()


@pytest.mark.parametrize("method", ["put", "patch", "delete", "head"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    response = getattr(client, method)("/graphql")
    assert (response.status_code, response["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"{RESPONSE_JSON}; charset=utf-8, application/json;q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.1, application/json;q=0.9", "application/json"),
        (f"text/plain, {RESPONSE_JSON}", RESPONSE_JSON),
    ],
)
def test_the_client_chooses_the_media_type(client: Client, accept: str, media: str) -> None:
    response = post(client, {"query": "{ __typename }"}, **({"accept": accept} if accept else {}))
    assert (response.status_code, response["Content-Type"]) == (200, f"{media}; charset=utf-8")


@pytest.mark.parametrize("accept", ["text/plain", "application/xml, text/css", "application/json;q=0"])
def test_a_client_that_takes_nothing_we_have_is_refused(client: Client, accept: str) -> None:
    assert post(client, {"query": "{ __typename }"}, accept=accept).status_code == 406


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{", {}),
        ("{ nothing }", {}),
        ("query ($pk: Int!) { person(pk: $pk) { name } }", {}),
        ("query ($pk: Int!) { person(pk: $pk) { name } }", {"pk": "one"}),
        ("query A { at } query B { at }", {}),
    ],
)
def test_a_request_refused_before_execution_has_no_data(client: Client, query: str, variables: Any) -> None:
    body = {"query": query, "variables": variables}
    plain, modern = post(client, body), post(client, body, accept=RESPONSE_JSON)
    assert (plain.status_code, modern.status_code) == (200, 400)
    assert plain.json() == modern.json()
    assert "data" not in plain.json()
    assert code_of(plain) == "BAD_USER_INPUT"


def test_a_failed_field_is_200_in_both_media_types(client: Client) -> None:
    for accept in ("application/json", RESPONSE_JSON):
        response = post(client, {"query": "{ missing at }"}, accept=accept)
        assert response.status_code == 200
        assert response.json()["data"]["missing"] is None
        assert code_of(response) == "NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b'[{"query": "{ at }"}]',
        b"{}",
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": "   "}',
        b'{"query": "{ at }", "variables": []}',
        b'{"query": "{ at }", "variables": "{}"}',
        b'{"query": "{ at }", "operationName": 1}',
        b'{"query": "{ at }", "extensions": []}',
        b'{"query": "{ at }", "extensions": "{}"}',
        b'{"query": "{ at }", "variables": {"a": NaN}}',
        b'{"query": "{ at }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ at }", "variables": ' + b"[" * 10_000 + b"}",
    ],
)
def test_what_is_no_request_is_400_with_a_graphql_error(client: Client, body: bytes) -> None:
    response = post(client, body)
    assert response.status_code == 400
    assert code_of(response) == "BAD_USER_INPUT"
    assert "data" not in response.json()


def test_null_for_what_may_be_left_out_is_fine(client: Client) -> None:
    body = {"query": "{ __typename }", "variables": None, "operationName": None, "extensions": None}
    assert post(client, body).json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/graphql", ""])
def test_other_content_types_are_415(client: Client, media: str) -> None:
    response = client.post("/graphql", b'{"query": "{ at }"}', content_type=media)
    assert (response.status_code, code_of(response)) == (415, "BAD_USER_INPUT")


def test_other_charsets_are_415(client: Client) -> None:
    body = '{"query": "{ at }"}'
    assert client.post("/graphql", body, content_type="application/json; charset=utf-16").status_code == 415


def test_a_body_that_is_too_large_is_413(client: Client) -> None:
    body = json.dumps({"query": "{ __typename }", "variables": {"a": "x" * http.LARGEST_JSON_BODY}})
    assert post(client, body).status_code == 413


def test_a_bug_shows_only_its_id(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    response = post(client, {"query": 'mutation { saveThing(input: {title: "crash"}) { saved } }'})
    (error,) = response.json()["errors"]
    assert response.json()["data"] == {"saveThing": None}
    assert error["message"] == "Something went wrong on our side."
    assert set(error["extensions"]) == {"code", "id"}
    assert error["extensions"]["id"] in caplog.text
    assert "secret of a mutation" in caplog.text
    assert b"secret" not in response.content


def test_a_bug_of_the_edge_shows_only_its_id(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_arguments: Any) -> None:
        raise RuntimeError("secret of the edge")

    monkeypatch.setattr("schema.views.context_of_request", crash)
    response = post(client, {"query": "{ at }"})
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")
    assert b"secret" not in response.content


def upload(client: Client, operations: Any, places: Any, **headers: str) -> Any:
    parts = {
        "operations": operations if isinstance(operations, str) else json.dumps(operations),
        "map": places if isinstance(places, str) else json.dumps(places),
        "0": SimpleUploadedFile("a.txt", b"hello"),
    }
    return client.post("/graphql", parts, headers=headers)


KEEP = {
    "query": "mutation ($input: Uploading!) { keepFile(input: $input) { name size errors { code } } }",
    "variables": {"input": {"file": None}},
}


@pytest.mark.parametrize("header", http.PREFLIGHT_HEADERS)
def test_a_file_arrives(client: Client, header: str) -> None:
    response = upload(client, KEEP, {"0": ["variables.input.file"]}, **{header: "1"})
    assert response.json()["data"] == {"keepFile": {"name": "a.txt", "size": 5, "errors": []}}


def test_a_form_without_the_header_is_refused(client: Client) -> None:
    response = upload(client, KEEP, {"0": ["variables.input.file"]})
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
    assert upload(client, KEEP, {"0": ["variables.input.file"]}, **{"X-Requested-With": ""}).status_code == 400


@pytest.mark.parametrize(
    ("operations", "places"),
    [
        ("{", {"0": ["variables.input.file"]}),
        ("[]", {"0": ["0.variables.input.file"]}),
        (KEEP, "{"),
        (KEEP, "[]"),
        (KEEP, {"0": "variables.input.file"}),
        (KEEP, {"0": []}),
        (KEEP, {"1": ["variables.input.file"]}),
        (KEEP, {"0": ["query"]}),
        (KEEP, {"0": ["variables"]}),
        (KEEP, {"0": ["variables.input"]}),
        (KEEP, {"0": ["variables.input.other"]}),
        (KEEP, {"0": ["variables.input.file.deeper"]}),
        (KEEP, {"0": ["variables.input.file", "variables.input.file"]}),
        (KEEP, {str(number): ["variables.input.file"] for number in range(11)}),
    ],
)
def test_parts_that_do_not_fit_are_400(client: Client, operations: Any, places: Any) -> None:
    response = upload(client, operations, places, **{"X-Requested-With": "test"})
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


def test_a_file_can_be_in_a_list(client: Client) -> None:
    operations = {"query": "query ($any: JSON) { __typename @skip(if: true) at }", "variables": {"any": [None]}}
    response = upload(client, operations, {"0": ["variables.any.0"]}, **{"X-Requested-With": "test"})
    assert code_of(response) == "BAD_USER_INPUT"  # understood, and then refused: the variable is not used


def test_text_is_no_file(client: Client) -> None:
    response = post(client, {**KEEP, "variables": {"input": {"file": "text"}}})
    assert code_of(response) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("header", "state"),
    [("Bearer old", "EXPIRED"), ("Bearer bad", "INVALID"), ("bearer bad", "INVALID"), ("Bearer ", "INVALID")],
)
def test_a_bad_token_breaks_no_public_field(
    client: Client, monkeypatch: pytest.MonkeyPatch, header: str, state: str
) -> None:
    def refuse(*, token: str, now: Any) -> None:
        raise ExpiredToken("old") if token == "old" else InvalidToken("bad")

    monkeypatch.setattr(authentication, "viewer_for_access_token", refuse)
    response = post(client, {"query": "{ person(pk: 1) { name } account }"}, authorization=header)
    body = response.json()
    assert body["data"] == {"person": {"name": "Person 1"}, "account": None}
    assert code_of(response) == "UNAUTHENTICATED"
    assert body["extensions"] == {"token": state}


def test_no_token_and_other_schemes_say_nothing_about_tokens(client: Client) -> None:
    assert "token" not in post(client, {"query": "{ at }"}).json()["extensions"]
    assert "token" not in post(client, {"query": "{ at }"}, authorization="Basic abc").json()["extensions"]


def test_a_caller_who_asks_too_often_is_429(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMITS_ENABLED = True
    address = "203.0.113.77"
    monkeypatch.setattr("schema.views.REQUESTS", type(REQUESTS)("test-requests", "2/minute", closes=True))
    statuses = []
    for _ in range(3):
        response = client.post("/graphql", b'{"query": "{ at }"}', content_type="application/json", REMOTE_ADDR=address)
        statuses.append(response.status_code)
    assert statuses == [200, 200, 429]
    wait = response.json()["errors"][0]["extensions"]["retryAfter"]
    assert isinstance(wait, int)
    assert 1 <= wait <= 60
    assert response["Retry-After"] == str(wait)
    assert response["RateLimit"] == f'"test-requests";r=0;t={wait}'
    assert code_of(response) == "RATE_LIMITED"


def test_an_answer_says_what_is_left(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS_ENABLED = True
    budget = Budget(f"test-{uuid.uuid4().hex}", "100/minute")
    monkeypatch.setattr("schema.core.limits.POINTS", budget)
    monkeypatch.setattr(sample.engine, "charge", charge)
    monkeypatch.setattr(sample.engine, "prices", Prices(per_request=40))
    responses = [post(client, {"query": "{ whatIsLeft: at }"}) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    left = [re.fullmatch(rf'"{budget.name}";r=(\d+);t=(\d+)', response["RateLimit"]) for response in responses]
    remaining = [int(each[1]) for each in left if each]
    cost = responses[0].json()["extensions"]["cost"]
    assert remaining == [100 - cost["requested"], 100 - 2 * cost["requested"], 0]
    assert responses[0]["RateLimit-Policy"] == f'"{budget.name}";q=100;w=60, "requests";q=600;w=60'
    refused = responses[2]
    assert refused["Retry-After"] == str(refused.json()["errors"][0]["extensions"]["retryAfter"])
    assert "data" not in refused.json()


def test_without_counts_nothing_is_said_of_them(client: Client) -> None:
    response = post(client, {"query": "{ at }"})
    assert "RateLimit" not in response
    assert "RateLimit-Policy" not in response


def test_a_browser_gets_graphiql_that_loads_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/graphql", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "graphiql.min.js" in page
    assert "://" not in page
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    for script in page.split("<script")[1:]:
        assert script.startswith(' src="'), "an inline script would be blocked by the policy"


def test_in_production_the_page_is_closed_to_strangers(client: Client, settings: Settings) -> None:
    settings.GRAPHIQL_OPEN = False
    response = client.get("/graphql", headers={"accept": "text/html"})
    assert response.status_code == 406
    assert b"graphiql" not in response.content


def test_behind_proxies_the_address_is_the_one_they_saw(rf: Any, settings: Settings) -> None:
    from apps.audit.origin import address_of

    request = rf.get("/graphql", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.4"}, REMOTE_ADDR="10.0.0.1")
    assert address_of(request) == "10.0.0.1"
    settings.TRUSTED_PROXIES = 1
    assert address_of(request) == "198.51.100.4"
