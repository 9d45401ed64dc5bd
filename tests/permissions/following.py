"""Following what happens, as each caller: what is let in, something happens to everything, and each is told what they are told."""

from datetime import UTC, datetime
from typing import Any

from apps.live.models import LiveEvent
from schema.core.engine import Engine, Operation
from schema.live.feeds import Event
from schema.live.reading import concerns, events_of
from schema.live.streams import Caller, Stream, StreamRefused, answer_all, open_stream
from tests.permissions.world import World, at

# What is changed, by whom: a booking with an account, one without, and a listing that only its host and staff see.
HAPPENINGS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("guest", "cancelBooking", "bookingId", {}),
    ("host", "cancelBooking", "bookingId", {}),
    ("host", "blockPeriod", "listingId", {"start": at(40), "end": at(41)}),
)
ABOUT = ("booking", "nobodys", "draft")


def begun(engine: Engine, operation: Operation, *, world: World, caller: str) -> Stream | str:
    """The subscription, or the code with which it was refused."""
    context = world.context(caller)
    session = context.session
    line = Caller(
        ip=context.ip,
        session_id=session.pk if session else None,
        token_version=context.user.token_version if context.user else 0,
    )
    try:
        return open_stream(engine, operation, caller=line, context=context)
    except StreamRefused as refused:
        (error,) = refused.errors
        code: str = error["extensions"]["code"]
        return code


def happen(engine: Engine, world: World) -> list[Event]:
    """Change what can be followed; what the log says of it."""
    last = LiveEvent.objects.order_by("pk").values_list("pk", flat=True).last() or 0
    for (caller, mutation, key, more), name in zip(HAPPENINGS, ABOUT, strict=True):
        type_ = mutation[0].upper() + mutation[1:] + "Input"
        answer = engine.answer(
            Operation(
                f"mutation($input: {type_}!) {{ {mutation}(input: $input) {{ errors {{ code field }} }} }}",
                {"input": {key: world.ids[name], **more}},
            ),
            context=world.context(caller),
        )
        assert answer.body()["data"] == {mutation: {"errors": []}}, answer.body()
    events = events_of(list(LiveEvent.objects.filter(pk__gt=last).order_by("pk")))
    assert {event.kind for event in events} == {"booking", "availability", "notification"}
    return events


def told(stream: Stream, events: list[Event]) -> list[dict[str, Any]]:
    """What comes through of them, through the same door as in the server."""
    answers: list[dict[str, Any]] = []
    for event in events:
        if not concerns(stream, event):
            continue
        (found,) = answer_all(event, [stream], now=datetime.now(UTC))
        if found is not None:
            assert found.result is not None, "nobody's sight ends here"
            assert "errors" not in found.result, found.result
            answers.append(found.result["data"])
    return answers
