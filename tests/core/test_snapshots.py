"""An answer shows one moment, however many statements it takes."""

from typing import Any

import graphene
import pytest
from django.db import connection
from django.utils import timezone

from apps.core.db import of_one_moment, one_snapshot
from apps.core.models import IdempotencyKey
from schema.core.engine import Engine, Operation
from tests.schema.core.sample import make_context
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def write() -> None:
    IdempotencyKey.objects.create(caller="test", key=f"key {count()}", fingerprint="", created_at=timezone.now())


def count() -> int:
    return IdempotencyKey.objects.count()


class Counts(graphene.ObjectType):  # type: ignore[misc]  # graphene has no types
    """The number of rows before and after somebody else has added one."""

    before = graphene.Int()
    after = graphene.Int()

    @staticmethod
    def resolve_before(parent: Any, info: Any) -> int:
        return count()

    @staticmethod
    def resolve_after(parent: Any, info: Any) -> int:
        at_once([write])
        return count()


def ask(query: str) -> Any:
    engine = Engine(graphene.Schema(query=Counts, mutation=type("Mutation", (Counts,), {})), reading=of_one_moment)
    answer = engine.answer(Operation(query), context=make_context())
    assert answer.errors == []
    return answer.data


def test_a_query_shows_one_moment() -> None:
    assert ask("{ before after }") == {"before": 0, "after": 0}
    assert count() == 1


def test_twin_the_fields_of_a_mutation_see_what_came_between() -> None:
    assert ask("mutation { before after }") == {"before": 0, "after": 1}


def test_the_snapshot_ends_with_its_block() -> None:
    with one_snapshot():
        assert count() == 0
        at_once([write])
        assert count() == 0
    assert count() == 1
    assert connection.in_atomic_block is False


def test_a_failure_inside_leaves_the_connection_as_it_was() -> None:
    def fail() -> None:
        with one_snapshot():
            count()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
