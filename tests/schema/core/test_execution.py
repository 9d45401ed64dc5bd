"""Deferred values: few batches, the specification's nulls, and nothing of one failure in another."""

import gc
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from schema.core.context import Context
from schema.core.loaders import Scheduler, StuckError, gather
from tests.schema.core.sample import PEOPLE, ask, codes, data_of, make_context, people_by_id


@pytest.fixture(autouse=True)
def _no_forgotten_coroutines(recwarn: pytest.WarningsRecorder) -> Any:
    """Whatever fails, no coroutine may be left that was never awaited."""
    warnings.simplefilter("always")
    yield
    gc.collect()
    assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []


def batches(context: Context) -> list[list[int]]:
    asked: list[list[int]] = context.state["calls"].people
    return asked


@pytest.mark.parametrize("count", [1, 5, 30])
def test_three_levels_cost_three_batches_however_many_rows(count: int) -> None:
    context = make_context()
    query = "query ($n: Int!) { people(count: $n) { name partner { name partner { name partner { name } } } } }"
    people = data_of(query, {"n": count}, context)["people"]
    assert len(people) == count
    assert len(batches(context)) <= 3
    for number, person in enumerate(people, start=1):
        if number < 13:
            assert person["name"] == f"Person {number}"
            assert person["partner"]["name"] == f"Person {number * 2 % 40}"
            assert person["partner"]["partner"]["name"] == f"Person {number * 4 % 40}"


def test_no_key_is_asked_for_twice() -> None:
    context = make_context()
    ask("{ people(count: 30) { partner { name partner { name } } } }", None, context)
    keys = [key for batch in batches(context) for key in batch]
    assert len(keys) == len(set(keys))


def test_siblings_of_different_depth_share_batches() -> None:
    context = make_context()
    query = "{ a: person(pk: 1) { partner { name } } b: person(pk: 4) { partner { partner { name } } } }"
    data = data_of(query, None, context)
    assert data == {
        "a": {"partner": {"name": "Person 2"}},
        "b": {"partner": {"partner": {"name": "Person 16"}}},
    }
    assert batches(context) == [[2, 8], [16]]


def test_a_list_of_deferred_values_is_a_list() -> None:
    context = make_context()
    data = data_of("{ people(count: 3) { friends { name } } }", None, context)
    assert data["people"][2] == {"friends": [{"name": "Person 6"}, {"name": "Person 9"}]}
    assert len(batches(context)) == 1


def test_interfaces_resolve_their_type_for_deferred_parents() -> None:
    data = data_of("{ named { __typename name ... on SampleDog { owner { name } } } }")
    assert data["named"][1] == {"__typename": "SampleDog", "name": "Dog 1", "owner": {"name": "Person 2"}}
    assert data["named"][2] == {"__typename": "SamplePerson", "name": "Person 2"}


def test_a_missing_key_is_null() -> None:
    assert data_of("{ loaded(pk: 13) { name } }") == {"loaded": None}


def test_an_error_of_one_key_leaves_the_others() -> None:
    answer = ask("{ a: loaded(pk: 66) { name } b: loaded(pk: 2) { name } }")
    assert answer.data == {"a": None, "b": {"name": "Person 2"}}
    assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [(["a"], "INTERNAL")]


def test_an_error_of_the_batch_is_told_at_each_key_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask("{ a: broken(key: 1) b: broken(key: 2) c: person(pk: 1) { name } }")
    assert answer.data == {"a": None, "b": None, "c": {"name": "Person 1"}}
    assert codes(answer) == ["INTERNAL", "INTERNAL"]
    assert len({error["extensions"]["id"] for error in answer.errors}) == 1
    assert len(caplog.records) == 1
    assert "secret" not in str(answer.errors)


def test_null_of_a_needed_value_goes_up_to_the_nearest_nullable_parent() -> None:
    lonely = next(pk for pk in PEOPLE if PEOPLE[pk].friend_ids[1] == 13)
    answer = ask(
        "query ($pk: Int!) { bad: loaded(pk: $pk) { needed { name } partner { name } } good: loaded(pk: 1) { needed { name } } }",
        {"pk": lonely},
    )
    assert answer.data == {"bad": None, "good": {"needed": {"name": "Person 3"}}}
    assert [error["path"] for error in answer.errors] == [["bad", "needed"]]


def test_a_failed_item_leaves_its_siblings() -> None:
    answer = ask("{ people(count: 3) { name fails partner { name } } }")
    assert answer.data is not None
    assert [person["partner"]["name"] for person in answer.data["people"]] == ["Person 2", "Person 4", "Person 6"]
    assert [error["path"] for error in answer.errors] == [["people", index, "fails"] for index in range(3)]


def test_null_of_a_needed_item_takes_the_whole_list_but_no_more() -> None:
    second = next(pk for pk in PEOPLE if 13 in PEOPLE[pk].friend_ids)
    answer = ask("query ($pk: Int!) { person(pk: $pk) { name friends { name } } }", {"pk": second})
    assert answer.data == {"person": {"name": f"Person {second}", "friends": None}}
    assert len(answer.errors) == 1
    assert ask("query ($pk: Int!) { person(pk: $pk) { someFriends { name } } }", {"pk": second}).errors == []


def test_a_failure_at_once_beside_deferred_siblings_leaves_nothing_open() -> None:
    answer = ask("{ person(pk: 1) { partner { partner { name } } friends { name } someFriends { name } failsBadly } }")
    assert answer.data == {"person": None}
    assert codes(answer) == ["INTERNAL"]


def test_null_at_the_root_is_null_data() -> None:
    answer = ask("{ people(count: 2) { partner { failsBadly } } people2: people { failsBadly } }")
    assert answer.data is None
    assert answer.executed
    assert set(codes(answer)) == {"INTERNAL"}


def test_waiting_for_something_foreign_is_an_error_and_not_a_hang() -> None:
    answer = ask("{ stuck }")
    assert codes(answer) == ["INTERNAL"]


def test_plain_values_never_reach_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> None:
        raise AssertionError("the scheduler ran")

    monkeypatch.setattr(Scheduler, "run", refuse)
    assert data_of("{ people(count: 2) { name } }") == {"people": [{"name": "Person 1"}, {"name": "Person 2"}]}


def test_mutations_run_one_after_another_and_read_anew() -> None:
    context = make_context()
    answer = ask(
        'mutation { a: saveThing(input: {title: "one"}) { person { partner { name } } }'
        ' b: saveThing(input: {title: "two"}) { person { partner { name } } } }',
        None,
        context,
    )
    assert answer.errors == []
    assert context.state["saved"] == ["one", "two"]
    assert batches(context) == [[2], [2]]


def test_gather_closes_the_others_when_one_fails() -> None:
    closed: list[str] = []

    async def waits(name: str) -> None:
        try:
            await Scheduler().load(people_by_id, 1)
        finally:
            closed.append(name)

    async def fails() -> None:
        raise ValueError("now")

    async def both() -> None:
        await gather([waits("first"), fails()])

    with pytest.raises(ValueError, match="now"):
        Scheduler().run(both(), context=make_context())
    assert closed == ["first"]


def test_run_says_when_nothing_will_come() -> None:
    class Never:
        def __await__(self) -> Any:
            yield

    with pytest.raises(StuckError):
        Scheduler().run(Never(), context=make_context())


def test_primed_values_are_not_loaded_again() -> None:
    context = make_context()
    context.loaders.prime(people_by_id, {2: SimpleNamespace(pk=2, name="Known")})
    assert data_of("{ loaded(pk: 2) { name } }", None, context) == {"loaded": {"name": "Known"}}
    assert batches(context) == []
