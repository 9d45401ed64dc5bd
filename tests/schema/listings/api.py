"""Asks the served schema as somebody, at an instant of the test's choosing."""

from datetime import datetime
from functools import cache
from typing import Any

from apps.listings.models import Listing
from apps.users.models import User
from schema.core.context import Context
from schema.core.engine import Engine, Operation
from schema.core.ids import to_global_id
from tests.hosting.inputs import NOW

TYPE_NAMES = {"PROPERTY": "Property", "SERVICE": "Service", "EVENT": "Event", "PARKING_SPOT": "ParkingSpot"}


@cache
def engine() -> Engine:
    from schema.root import schema

    return Engine(schema)


def global_id(listing: Listing) -> str:
    return to_global_id(TYPE_NAMES[listing.kind], listing.pk)


def ask(query: str, variables: dict[str, Any] | None = None, *, viewer: User | None, now: datetime = NOW) -> Any:
    """The whole answer."""
    context = Context(now=now, user=viewer)
    return engine().answer(Operation(query=query, variables=variables or {}), context=context).body()


def mutate(
    name: str, data: dict[str, Any], *, viewer: User | None, now: datetime = NOW, shows: str = "listing { id }"
) -> Any:
    """The payload of a mutation that takes one input and was neither refused at the top nor broken."""
    body = ask(
        f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ it: {name}(input: $input) "
        f"{{ {shows} errors {{ code field message }} }} }}",
        {"input": data},
        viewer=viewer,
        now=now,
    )
    assert "errors" not in body, body
    return body["data"]["it"]


def told(payload: Any) -> set[tuple[str, str]]:
    """The errors of a payload as {(code, dotted field)}."""
    return {(error["code"], ".".join(error["field"])) for error in payload["errors"]}


def top_code(body: Any) -> str:
    """The code of the one top-level error."""
    (error,) = body["errors"]
    code: str = error["extensions"]["code"]
    return code
