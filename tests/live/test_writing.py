"""Events are written with what they tell of: by one statement at the end of a unit of work, at once elsewhere."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.db import at_end, unit_of_work
from apps.core.prepared import meant
from apps.live.actions import publish, publish_all
from apps.live.models import LiveEvent

pytestmark = pytest.mark.django_db(transaction=True)


class Undone(Exception):
    pass


def written() -> list[tuple[str, object]]:
    return list(LiveEvent.objects.order_by("pk").values_list("topic", "data"))


def test_all_events_of_a_unit_of_work_are_one_statement_in_their_order() -> None:
    @unit_of_work
    def act() -> list[tuple[str, object]]:
        for number in range(12):
            publish(topic=f"a:{number}", data={"text": "ö'%s\\", "n": number})
        publish_all([("b:1", {}), ("b:2", {})])
        return written()

    with CaptureQueriesContext(connection) as captured:
        assert act() == []
    assert sum("live_liveevent" in meant(query["sql"]) or "tell_listeners" in query["sql"] for query in captured) == 2
    many: list[tuple[str, object]] = [(f"a:{number}", {"text": "ö'%s\\", "n": number}) for number in range(12)]
    assert written() == [*many, ("b:1", {}), ("b:2", {})]


def test_what_is_rolled_back_is_told_to_nobody() -> None:
    @unit_of_work
    def fail() -> None:
        publish(topic="a:1")
        raise Undone

    with pytest.raises(Undone):
        fail()
    assert written() == []


def test_what_is_rolled_back_to_a_savepoint_is_told_to_nobody_and_the_rest_is() -> None:
    def inner() -> None:
        with transaction.atomic():
            publish(topic="a:2")
            raise Undone

    @unit_of_work
    def act() -> None:
        publish(topic="a:1")
        with pytest.raises(Undone):
            inner()
        with transaction.atomic():
            publish(topic="a:3")

    act()
    assert written() == [("a:1", {}), ("a:3", {})]


def test_outside_of_a_unit_of_work_an_event_is_written_at_once() -> None:
    with transaction.atomic():
        publish(topic="a:1")
        assert written() == [("a:1", {})]
        publish(topic="a:2")
        assert written() == [("a:1", {}), ("a:2", {})]
    assert written() == [("a:1", {}), ("a:2", {})]


def test_what_is_published_after_the_commit_is_written_too() -> None:
    def afterwards() -> None:
        with transaction.atomic():
            publish(topic="a:2")

    @unit_of_work
    def act() -> None:
        publish(topic="a:1")
        transaction.on_commit(afterwards)

    act()
    assert written() == [("a:1", {}), ("a:2", {})]


def test_what_another_ending_publishes_is_written_too() -> None:
    @unit_of_work
    def act() -> None:
        publish(topic="a:1")
        assert at_end(lambda: publish(topic="a:2"))

    act()
    assert written() == [("a:1", {}), ("a:2", {})]
    assert not at_end(lambda: None)
