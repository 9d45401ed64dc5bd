"""Global ids and nodes: what was never given out does not exist, and nothing raises."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.core import nodes
from schema.core.ids import read_global_id, split_global_id, to_global_id
from tests.schema.core.sample import ask, codes, data_of, make_context


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_an_id_reads_back(pk: int) -> None:
    assert read_global_id(to_global_id("Booking", pk), "Property", "Booking") == pk


def test_an_id_of_another_type_is_unknown() -> None:
    assert read_global_id(to_global_id("Booking", 1), "Property", "Service") is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "\x00",
        "Booking:1",
        "é",
        "%%%",
        "Qm9va2luZzox\n",
        " Qm9va2luZzox",
        "Qm9va2luZzox=",
        encoded("Booking"),
        encoded("Booking:"),
        encoded("Booking:-1"),
        encoded("Booking:01"),
        encoded("Booking:1 "),
        encoded("Booking:1:2"),
        encoded("Booking:x"),
        encoded("Booking:1\x00"),
        encoded("Booking:٣"),
        encoded(f"Booking:{2**63}"),
        encoded(":1"),
        encoded("Booking:" + "9" * 5000),
        "A" * 100_000,
    ],
)
def test_what_nobody_gave_out_is_unknown(value: Any) -> None:
    assert read_global_id(value, "Booking") is None


@given(st.text())
def test_reading_never_raises(value: str) -> None:
    parts = split_global_id(value)
    assert parts is None or to_global_id(*parts) == value


def test_node_finds_every_type_in_one_batch_each() -> None:
    ids = [to_global_id("SamplePerson", 2), to_global_id("SampleDog", 3), to_global_id("SamplePerson", 1)]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Named { name } } node(id: %s) { id } }"
    data = data_of(query % f'"{ids[1]}"', {"ids": ids})
    assert data["nodes"] == [
        {"__typename": "SamplePerson", "id": ids[0], "name": "Person 2"},
        {"__typename": "SampleDog", "id": ids[1], "name": "Dog 3"},
        {"__typename": "SamplePerson", "id": ids[2], "name": "Person 1"},
    ]
    assert data["node"] == {"id": ids[1]}


@pytest.mark.parametrize(
    "value",
    [
        to_global_id("SamplePerson", 35),  # hidden by the fetch
        to_global_id("SamplePerson", 9999),
        to_global_id("SampleDog", 20),  # the fetch answers with a person
        to_global_id("Unheard", 1),
        "nonsense",
        "",
        "\x00",
    ],
)
def test_what_you_may_not_see_is_null(value: str) -> None:
    seen = to_global_id("SamplePerson", 1)
    query = "query ($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } }"
    data = data_of(query, {"id": value, "ids": [value, seen, value]}, make_context())
    assert data == {"node": None, "nodes": [None, {"id": seen}, None]}


def test_a_hundred_ids_and_no_more() -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert len(data_of(query, {"ids": ["x"] * 100})["nodes"]) == 100
    answer = ask(query, {"ids": ["x"] * 101})
    assert codes(answer) == ["BAD_USER_INPUT"]


def test_who_registers_anew_is_shown_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    class Thing:
        pass

    monkeypatch.setattr(nodes, "_types", {})
    with pytest.raises(TypeError, match="Thing"):
        nodes.graphene_type_of(Thing())
    for told in ("one type", "another one"):
        nodes.register_model(Thing, lambda _thing, told=told: told)
        assert [nodes.graphene_type_of(Thing()) for _ in range(2)] == [told, told]
    nodes._shown.clear()
