"""Mutations: one clean input, all its errors at once, and payloads that say nothing was done."""

from typing import Any

import pytest

from schema.core.permissions import anyone
from tests.schema.core.sample import ask, codes, data_of, engine, make_context, schema

QUERY = """mutation ($input: SaveThingInput!) {
  saveThing(input: $input) { saved number person { name } seen errors { code message field } }
}"""


def save(**given: Any) -> Any:
    return data_of(QUERY, {"input": given})["saveThing"]


def found(payload: Any) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["field"]) for error in payload["errors"]]


def test_what_was_done_is_told() -> None:
    payload = save(title="  <b>x</b>; DROP  ")
    assert payload["errors"] == []
    assert (payload["saved"], payload["number"], payload["person"]) == (True, 1, {"name": "Person 1"})
    assert payload["seen"] == {"title": "<b>x</b>; DROP"}


def test_a_refusal_is_data_with_flags_false_and_the_path_in_camel_case() -> None:
    payload = save(title="taken")
    assert payload == {
        "saved": False,
        "number": 0,
        "person": None,
        "seen": None,
        "errors": [{"code": "DUPLICATE", "message": "That title is taken.", "field": ["prices", "0", "amountMinor"]}],
    }


def test_all_errors_of_the_input_come_at_once_and_nothing_is_done() -> None:
    context = make_context()
    given = {
        "title": " ",
        "note": None,
        "size": -1,
        "prices": [{"amountMinor": 1, "label": "ok"}, {"amountMinor": 1, "label": "\t"}],
        "amenities": ["wifi", "too long", "x\x00"],
    }
    payload = data_of(QUERY, {"input": given}, context)["saveThing"]
    assert sorted(found(payload)) == [
        ("INVALID", ["amenities", "1"]),
        ("INVALID", ["amenities", "2"]),
        ("INVALID", ["size"]),
        ("REQUIRED", ["note"]),
        ("REQUIRED", ["prices", "1", "label"]),
        ("REQUIRED", ["title"]),
    ]
    assert "saved" not in context.state


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1b", "\x7f", "\x85", "\r", "\x0b"])
def test_control_characters_are_invalid(character: str) -> None:
    assert found(save(title=f"a{character}b")) == [("INVALID", ["title"])]


def test_tab_newline_and_every_script_are_text() -> None:
    assert save(title="a\tb\nc", note="x\r\ny")["seen"] == {"title": "a\tb\nc", "note": "x\ny"}
    assert save(title="日本語 👩‍👩‍👧")["seen"]["title"] == "日本語 👩‍👩‍👧"


def test_length_is_counted_after_trimming() -> None:
    assert save(title="  " + "x" * 20 + "  ")["errors"] == []
    assert found(save(title="x" * 21)) == [("INVALID", ["title"])]


def test_omitted_null_and_blank_differ() -> None:
    assert save(title="a")["seen"] == {"title": "a"}
    assert save(title="a", nickname=None)["seen"] == {"title": "a", "nickname": None}
    assert save(title="a", nickname="", note="")["seen"] == {"title": "a", "nickname": "", "note": ""}
    assert found(save(title="a", size=None)) == [("REQUIRED", ["size"])]
    assert save(title="a", amenities=None)["seen"] == {"title": "a"}


def test_too_many_entries_are_invalid() -> None:
    assert found(save(title="a", amenities=["a"] * 4)) == [("INVALID", ["amenities"])]


def test_one_failed_mutation_leaves_the_other_result() -> None:
    query = (
        """mutation { a: saveThing(input: {title: "one"}) { saved } b: saveThing(input: {title: "crash"}) { saved } }"""
    )
    answer = ask(query)
    assert answer.data == {"a": {"saved": True}, "b": None}
    assert codes(answer) == ["INTERNAL"]


def test_the_root_field_is_nullable_and_takes_one_input() -> None:
    field = engine.schema.graphql_schema.mutation_type.fields["saveThing"]
    assert str(field.type) == "SaveThingPayload"
    assert {name: str(argument.type) for name, argument in field.args.items()} == {"input": "SaveThingInput!"}
    assert field.description == "Keeps a thing."
    assert schema.mutation._meta.fields["save_thing"].permission is anyone
