"""The ways in which an operation is executed: by a loop over the fields, by functions written for its selections, and plainly."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from graphene import Schema

from schema.core import selections
from schema.core.context import Context
from schema.core.costs import Prices
from schema.core.engine import Answer, Engine, Operation


@contextmanager
def written_after(objects: float) -> Iterator[None]:
    """Functions are written in here once a selection has shown so many objects."""
    with mock.patch.object(selections, "WRITTEN_AFTER", objects):
        yield


class Way:
    """An engine that executes in one way from the first object on."""

    def __init__(self, schema: Schema, *, is_lean: bool = True, is_written: bool = False, prices: Prices | None = None):
        self.engine = Engine(schema, is_lean=is_lean, prices=prices)
        self.after = -1 if is_written else math.inf

    def answer(self, operation: Operation, *, context: Context) -> Answer:
        with written_after(self.after):
            return self.engine.answer(operation, context=context)


def all_ways(schema: Schema, prices: Prices | None = None) -> tuple[Way, Way, Way]:
    """The loop, the written functions, and graphql-core's executor."""
    return (
        Way(schema, prices=prices),
        Way(schema, is_written=True, prices=prices),
        Way(schema, is_lean=False, prices=prices),
    )
