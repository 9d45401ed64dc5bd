"""A unit of work whose last statement brings the COMMIT: nothing is told before it stands, and nothing comes behind it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from pytest_django.fixtures import Settings

from apps.core import faults
from apps.core.db import Undecided, at_end, end_with_it, may_end_with_it, unit_of_work
from apps.core.models import IdempotencyKey, OutboxMessage
from apps.core.together import Claim, Part, Together
from apps.users.models import Session
from tests.serving import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CLAIM = Claim(
    """claimed AS (
        INSERT INTO core_idempotencykey (caller, key, fingerprint, created_at) VALUES (%(caller)s, 'ö''k', 'f', %(now)s)
        ON CONFLICT DO NOTHING RETURNING id, key
    )""",
    "SELECT claimed.id, claimed.key, NULL, 7 FROM (SELECT) AS always LEFT JOIN claimed ON true",
    caller="varchar",
    now="timestamptz",
)
CALL = Together("call", CLAIM, Part(OutboxMessage), Part(Session))


def call(caller: str = "one", *, sessions: int = 0, ends_unit: bool = True) -> tuple[Any, ...]:
    jobs = [OutboxMessage(task="x.y", arguments={})]
    # Of an account that is not there, which the database looks at when it commits.
    missing = [Session(user_id=10**9, created_at=NOW, last_used_at=NOW) for _ in range(sessions)]
    return CALL.write({"caller": caller, "now": NOW}, jobs, missing, ends_unit=ends_unit)


def seen_elsewhere() -> int:
    return int(elsewhere("SELECT count(*) FROM core_outboxmessage"))


def tables() -> tuple[int, int]:
    return IdempotencyKey.objects.count(), OutboxMessage.objects.count()


@pytest.mark.parametrize("is_prepared", [True, False])
def test_it_stands_when_it_returns_and_answers_the_same(is_prepared: bool, settings: Settings) -> None:
    settings.PREPARED_STATEMENTS = is_prepared
    done: list[object] = []

    @unit_of_work
    def act(caller: str, *, ends_unit: bool) -> tuple[Any, ...]:
        transaction.on_commit(lambda: done.append(caller))
        answer = call(caller, ends_unit=ends_unit)
        done.append(seen_elsewhere())
        return answer

    last = act("one", ends_unit=True)
    plain = act("two", ends_unit=False)
    assert done == [1, "one", 1, "two"]
    assert (last[1:], plain[1:]) == (("ö'k", None, 7), ("ö'k", None, 7))
    assert list(IdempotencyKey.objects.order_by("pk").values_list("pk", flat=True)) == [last[0], plain[0]]


def test_nothing_is_carried_out_behind_it() -> None:
    done: list[str] = []
    later: list[Callable[[], object]] = [
        lambda: IdempotencyKey.objects.create(caller="late", key="k", fingerprint="f", created_at=NOW),
        lambda: call("late", ends_unit=False),
        lambda: list(IdempotencyKey.objects.iterator()),
        transaction.savepoint,
    ]

    @unit_of_work
    def act(number: int) -> None:
        transaction.on_commit(lambda: done.append("told"))
        call(str(number))
        with pytest.raises(RuntimeError, match="committed"):
            at_end(lambda: None)
        later[number]()

    for number in range(len(later)):
        with pytest.raises(ProgrammingError, match="committed with its last statement"):
            act(number)
        assert tables() == (number + 1, number + 1)
    assert done == []


def test_what_is_refused_has_written_nothing() -> None:
    done: list[str] = []

    @unit_of_work
    def act(caller: str, sessions: int) -> None:
        transaction.on_commit(lambda: done.append(caller))
        call(caller, sessions=sessions)

    # By the COMMIT, which looks at the accounts of sessions.
    with pytest.raises(IntegrityError):
        act("one", 1)
    # By the statement itself, whose text is too long for its column.
    with pytest.raises(Exception, match="too long"):
        act("x" * 10_000, 0)
    assert tables() == (0, 0)
    act("one", 0)
    assert tables() == (1, 1)
    assert done == ["one"]


def test_what_finds_nothing_to_do_may_be_tried_in_another_way() -> None:
    call_outside("one")
    done: list[str] = []
    asked: list[bool] = []

    @unit_of_work
    def act() -> str:
        ends_unit = may_end_with_it()
        asked.append(ends_unit)
        transaction.on_commit(lambda: done.append("told"))
        found = call(ends_unit=ends_unit)
        assert not (ends_unit and may_end_with_it())
        if found[0] is None and ends_unit:
            raise Undecided
        return "tried"

    assert act() == "tried"
    assert asked == [True, False]
    assert done == ["told"]
    assert tables() == (1, 1)


def call_outside(caller: str) -> None:
    with transaction.atomic():
        call(caller, ends_unit=False)


def test_it_may_only_be_the_last() -> None:
    assert not may_end_with_it()
    with pytest.raises(RuntimeError, match="before"):
        end_with_it()

    @unit_of_work
    def act() -> None:
        assert may_end_with_it()
        with transaction.atomic():
            assert not may_end_with_it()
            with pytest.raises(RuntimeError, match="before"):
                call()
        assert at_end(lambda: None)
        with pytest.raises(RuntimeError, match="before"):
            call()

    act()
    assert tables() == (0, 0)


@pytest.mark.parametrize("place", ["act.written", "act.committed"])
def test_who_dies_there_has_written_nothing_or_all(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[tuple[str, int]] = []

    def strike(name: str) -> None:
        passed.append((name, seen_elsewhere()))
        if name == place:
            raise faults.Killed(name)

    monkeypatch.setattr(faults, "strike", strike)

    @unit_of_work
    def act() -> None:
        call()

    with pytest.raises(faults.Killed):
        act()
    steps = [("act.written", 0), ("act.committed", 1)]
    assert passed == steps[: 1 + [name for name, _ in steps].index(place)]
    assert tables() == ((0, 0) if place == "act.written" else (1, 1))
    assert not connection.in_atomic_block
