"""Right inputs for a listing of each kind, from which a test departs, and how it reads a refusal."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from apps.core.errors import DomainError, InputErrors
from apps.core.money import Money

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BERLIN = {"latitude": 52.52, "longitude": 13.4, "address": "Allee 1", "city": "Berlin", "time_zone": "Europe/Berlin"}
COMMON: dict[str, Any] = {"title": "By the lake", "location": BERLIN, "price": Money(12_000, "EUR")}
RIGHT: dict[str, dict[str, Any]] = {
    "PROPERTY": {**COMMON, "max_guests": 2},
    "SERVICE": {
        **COMMON,
        "duration_minutes": 60,
        "opening_hours": [{"weekday": 1, "opens_at": time(9), "closes_at": time(17)}],
    },
    "EVENT": {
        **COMMON,
        "starts_at": NOW + timedelta(days=10),
        "ends_at": NOW + timedelta(days=10, hours=2),
        "venue": "Hall",
        "total_tickets": 10,
    },
    "PARKING_SPOT": {**COMMON, "street": "Allee"},
}


def place(**changes: Any) -> dict[str, Any]:
    """The location with changes; a value of ... takes the field away."""
    changed: Mapping[str, Any] = {**BERLIN, **changes}
    return {name: value for name, value in changed.items() if value is not ...}


def refusals(action: Callable[..., Any], **arguments: Any) -> set[tuple[str, str]]:
    """What the action refuses, as {(code, dotted field)}; fails where it does not refuse."""
    with pytest.raises(DomainError) as caught:
        action(**arguments)
    error = caught.value
    errors = error.errors if isinstance(error, InputErrors) else [error]
    return {(each.code.value, ".".join(each.field)) for each in errors}
