"""Statements that need no snapshot: those that only read and are one see a single moment by themselves."""

from __future__ import annotations

import functools
import re

from apps.core.prepared import meant

READS = re.compile(r"[\s(]*(?:select|with|values|table)\b", re.IGNORECASE)
# What writes, locks, or does something that would be done twice. The words may stand in names and constants too: then a
# snapshot is taken that was not needed.
DOES_MORE = re.compile(
    r";|\b(?:insert|update|delete|merge|into|for|nextval|setval|set_config|lo_\w+|dblink\w*|pg_(?!(?:catalog|backend_pid)\b)\w+)\b",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=1024)
def stands_alone(text: str) -> bool:
    """Whether a statement may be carried out by itself, and once more, instead of as the first of a snapshot.

    Functions of the database that a statement calls are of its moment too, as long as none is VOLATILE.
    """
    statement = meant(text)
    return READS.match(statement) is not None and DOES_MORE.search(statement) is None
