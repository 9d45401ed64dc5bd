"""What a subscription listens to, and what it makes of an event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.listings.models import Listing
    from apps.listings.search import Box
    from schema.core.context import Context

# `Feed.see` returns it for an event that is not for the caller.
NOT_FOR_THEM = object()


class FeedEnded(Exception):
    """What the subscription follows left the caller's sight: it completes."""


@dataclass(slots=True, eq=False)
class Event:
    """An event of the log. `listing` is what an event of kind "availability" is about, read once for all listeners."""

    pk: int
    position: int
    topic: str
    at: datetime
    data: dict[str, Any]
    listing: Listing | None = None
    _known: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """ "booking", "availability", ..."""
        return self.topic.partition(":")[0]

    @property
    def subject(self) -> int:
        """The key of what it is about."""
        return int(self.topic.partition(":")[2])

    def once(self, name: str, read: Callable[[], Any]) -> Any:
        """What `read` returns, read for the first listener and kept for the others; the same for everybody."""
        if name not in self._known:
            self._known[name] = read()
        return self._known[name]


class Feed(ABC):
    """What the `subscribe` function of a subscription field returns: topics of the log, and how they are seen."""

    topics: frozenset[str] = frozenset()
    # Also every event of kind "availability" whose listing lies in here.
    box: Box | None = None

    @abstractmethod
    def see(self, context: Context, event: Event) -> Any:
        """The root value of the answer, or NOT_FOR_THEM. Authorises the caller anew. Raises FeedEnded."""

    @property
    @abstractmethod
    def share_key(self) -> Hashable:
        """Feeds with equal keys see the same in an event when the same caller asks for the same fields."""
