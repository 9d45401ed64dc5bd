"""Documents by name, registered operations, and what caches may keep."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from schema.core import authentication, persisted
from schema.core.manifests import read_manifest, sha256_of
from tests.schema.core.test_http import RESPONSE_JSON, code_of, post

QUERY = "query Person($pk: Int!) { person(pk: $pk) { name } }"
HASH = hashlib.sha256(QUERY.encode()).hexdigest()
ANSWER = {"person": {"name": "Person 3"}}


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    persisted._texts().clear()
    get_redis_connection("default").delete(persisted._key(HASH))


def named(digest: Any = HASH, *, version: Any = 1) -> dict[str, Any]:
    return {"variables": {"pk": 3}, "extensions": {"persistedQuery": {"version": version, "sha256Hash": digest}}}


def test_a_hash_is_enough_once_the_text_came_with_it(client: Client) -> None:
    unknown = post(client, named())
    assert (unknown.status_code, code_of(unknown)) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert post(client, {**named(), "query": QUERY}).json()["data"] == ANSWER
    assert post(client, named()).json()["data"] == ANSWER
    # Another process knows it from Redis.
    persisted._texts().clear()
    assert post(client, named()).json()["data"] == ANSWER


def test_a_get_may_name_it_too(client: Client) -> None:
    parameters = {"variables": '{"pk": 3}', "extensions": json.dumps(named()["extensions"])}
    assert code_of(client.get("/graphql", parameters)) == "PERSISTED_QUERY_NOT_FOUND"
    assert client.get("/graphql", {**parameters, "query": QUERY}).json()["data"] == ANSWER
    assert client.get("/graphql", parameters).json()["data"] == ANSWER
    assert client.get("/graphql", {"variables": '{"pk": 3}', "documentId": f"sha256:{HASH}"}).json()["data"] == ANSWER


def test_a_get_that_names_a_mutation_changes_nothing(client: Client) -> None:
    mutation = 'mutation { saveThing(input: {title: "x"}) { saved } }'
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(mutation)}}
    post(client, {"query": mutation, "extensions": extensions})
    answer = client.get("/graphql", {"extensions": json.dumps(extensions)})
    assert (answer.status_code, "data" in answer.json()) == (405, False)


def test_the_hash_of_another_text_is_refused_and_teaches_nothing(client: Client) -> None:
    answer = post(client, {**named(), "query": "{ at }"})
    assert (code_of(answer), "data" in answer.json()) == ("BAD_USER_INPUT", False)
    assert code_of(post(client, named())) == "PERSISTED_QUERY_NOT_FOUND"


def test_what_is_no_valid_document_is_not_kept(client: Client) -> None:
    broken = "query { nothing }"
    name = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(broken)}}}
    assert code_of(post(client, {**name, "query": broken})) == "BAD_USER_INPUT"
    assert code_of(post(client, name)) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    "extensions",
    [
        {"persistedQuery": None},
        {"persistedQuery": "x"},
        {"persistedQuery": {}},
        {"persistedQuery": {"version": 2, "sha256Hash": HASH}},
        {"persistedQuery": {"version": 1, "sha256Hash": HASH.upper()}},
        {"persistedQuery": {"version": 1, "sha256Hash": HASH[1:]}},
        {"persistedQuery": {"version": 1, "sha256Hash": [HASH]}},
    ],
)
def test_names_that_can_be_none_are_refused(client: Client, extensions: dict[str, Any]) -> None:
    answer = post(client, {"extensions": extensions})
    assert (answer.status_code, code_of(answer)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("name", [1, "", "sha256:x", "x" * 201])
def test_document_ids_that_can_be_none_are_refused(client: Client, name: Any) -> None:
    assert code_of(post(client, {"documentId": name})) == "BAD_USER_INPUT"


def test_a_text_that_somebody_put_into_redis_is_not_believed(client: Client) -> None:
    get_redis_connection("default").set(persisted._key(HASH), "{ at }")
    assert code_of(post(client, named())) == "PERSISTED_QUERY_NOT_FOUND"


def test_without_redis_a_process_still_learns(client: Client, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert code_of(post(client, named())) == "PERSISTED_QUERY_NOT_FOUND"
    assert post(client, {**named(), "query": QUERY}).json()["data"] == ANSWER
    assert post(client, named()).json()["data"] == ANSWER


def test_nobody_fills_redis_with_documents(client: Client, settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = True
    get_redis_connection("default").flushdb()
    texts = [f"query Q{number} {{ at }}" for number in range(25)]
    for text in texts:
        name = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(text)}}
        assert "data" in post(client, {"query": text, "extensions": name}).json()
    kept = [text for text in texts if get_redis_connection("default").exists(persisted._key(sha256_of(text)))]
    assert len(kept) == 20


def test_only_registered_operations_are_answered(client: Client, settings: Settings) -> None:
    settings.REGISTERED_OPERATIONS = {"abc": QUERY, HASH: QUERY}
    assert post(client, {"query": QUERY, "variables": {"pk": 3}}).json()["data"] == ANSWER
    assert post(client, named()).json()["data"] == ANSWER
    assert post(client, {"documentId": "abc", "variables": {"pk": 3}}).json()["data"] == ANSWER
    assert code_of(post(client, {"documentId": "abd"})) == "PERSISTED_QUERY_NOT_FOUND"
    for query in ("{ at }", QUERY + " "):
        answer = post(client, {"query": query, "variables": {"pk": 3}})
        assert (code_of(answer), "data" in answer.json()) == ("BAD_USER_INPUT", False)
    name = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of("{ at }")}}
    assert code_of(post(client, {"query": "{ at }", "extensions": name})) == "BAD_USER_INPUT"


def test_manifests_are_read_in_both_forms(tmp_path: Path) -> None:
    apollo, relay = tmp_path / "apollo.json", tmp_path / "relay.json"
    operations = [{"id": "one", "body": QUERY, "name": "Person", "type": "query"}]
    apollo.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}))
    relay.write_text(json.dumps({"one": QUERY}))
    assert read_manifest(apollo) == read_manifest(relay) == {"one": QUERY, HASH: QUERY}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"a": 1}',
        '{"a": " "}',
        '{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}',
    ],
)
def test_a_wrong_manifest_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "operations.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"operations\.json"):
        read_manifest(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_manifest(tmp_path / "absent.json")


def test_caches_may_keep_what_is_everybodys(client: Client) -> None:
    parameters = {"query": QUERY, "variables": '{"pk": 3}'}
    first = client.get("/graphql", parameters)
    assert first["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert first["Vary"] == "Accept, Authorization, origin"
    same = client.get("/graphql", parameters, headers={"if-none-match": first["ETag"]})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    other = client.get("/graphql", {**parameters, "variables": '{"pk": 4}'}, headers={"if-none-match": first["ETag"]})
    assert (other.status_code, other["ETag"] == first["ETag"]) == (200, False)
    # A POST gets the mark, and always its answer.
    posted = post(client, {"query": QUERY, "variables": {"pk": 3}}, **{"if-none-match": first["ETag"]})
    assert (posted.status_code, posted["ETag"], posted.json()["data"]) == (200, first["ETag"], ANSWER)


@pytest.mark.parametrize("header", ["Bearer x", "Basic eDp5"])
def test_no_cache_keeps_what_a_token_asked_for(client: Client, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "viewer_for_access_token", lambda **_: None)
    response = client.get("/graphql", {"query": QUERY, "variables": '{"pk": 3}'}, headers={"authorization": header})
    assert (response["Cache-Control"], "ETag" in response) == ("no-store", False)


def test_no_cache_keeps_errors_or_mutations(client: Client) -> None:
    for query in ("{ missing at }", "{", 'mutation { saveThing(input: {title: "x"}) { saved } }'):
        for accept in ("application/json", RESPONSE_JSON):
            response = post(client, {"query": query}, accept=accept)
            assert (response["Cache-Control"], "ETag" in response) == ("no-store", False)
