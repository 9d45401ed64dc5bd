"""The GraphQL side of the kinds: one module for each, the only place that names them all."""

from typing import Any

from schema.kinds.event import EventMutations
from schema.kinds.parking import ParkingSpotMutations
from schema.kinds.property import PropertyMutations
from schema.kinds.service import ServiceMutations
from schema.listings import types


class KindMutations(PropertyMutations, ServiceMutations, EventMutations, ParkingSpotMutations):
    """Mixed into Mutation."""


def kind_types() -> list[Any]:
    """The types of all kinds, which a schema cannot find by itself behind the interface."""
    return list(types.kind_types.values())
