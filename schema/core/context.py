"""What every resolver gets as `info.context`: who asks, at which instant, and the loaders of this request.

    def resolve_listing(root: None, info: Info, id: str) -> Listing | None:
        return listing_for(viewer=info.context.user, id=..., now=info.context.now)

    async def resolve_host(parent: Listing, info: Info) -> User | None:
        return await info.context.load(users_by_id, parent.host_id)

It is made by the transport (`schema.views` for HTTP), never by a resolver.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from apps.core import correlation
from schema.core.deadlines import ENDLESS, Deadline
from schema.core.errors import Unauthenticated
from schema.core.loaders import Batch, Deferred, Scheduler

if TYPE_CHECKING:
    from apps.core.provisos import Proviso
    from apps.users.models import User
    from schema.core.authentication import Caller
    from schema.core.caching import Opened

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Info(Protocol):
    """The part of GraphQLResolveInfo that resolvers use, with the context typed."""

    context: Context
    field_name: str
    parent_type: Any


class Assumed(NamedTuple):
    """That the caller is taken for somebody: what has to hold for it, and how to ask who they are."""

    proviso: Proviso
    ask: Callable[[], Caller]


class Mark(NamedTuple):
    """What a context held at one moment."""

    state: dict[Hashable, Any]
    has_read_clock: bool


class Context:
    """One per request. `now` is aware UTC and is the only clock a resolver reads.

    `user` is None for an anonymous caller; then `token_state` tells whether a token was sent and not accepted
    ("EXPIRED" or "INVALID"). `session` is the session that the accepted token belongs to. `state` is scratch space
    of the areas, under keys of their own. `deadline` says when it has taken too long, `operation` and `points` what is asked and
    what it cost, once that is known.

    `instant` is `now` for whoever shows nothing that hangs on it: `has_read_clock` tells whether somebody read `now`.
    `kept` is what is kept of answers, while a query is executed that may use it.

    While `assumed` is there, the database has yet to say that `user` and `session` are who they are taken for. The engine lets
    nothing be done before it has, and what was `counted` against them is given back where they are not.
    """

    __slots__ = (
        "assumed",
        "counted",
        "deadline",
        "has_read_clock",
        "instant",
        "ip",
        "kept",
        "loaders",
        "operation",
        "points",
        "request_id",
        "session",
        "state",
        "token_state",
        "user",
        "user_agent",
    )

    def __init__(
        self,
        *,
        now: datetime,
        user: User | None = None,
        session: Any = None,
        token_state: str | None = None,
        ip: str = "",
        user_agent: str = "",
        request_id: str | None = None,
        deadline: Deadline = ENDLESS,
        assumed: Assumed | None = None,
    ) -> None:
        self.assumed = assumed
        self.counted: list[Any] = []
        self.deadline = deadline
        self.instant = now
        self.has_read_clock = False
        self.kept: Opened | None = None
        self.user = user
        self.session = session
        self.token_state = token_state
        self.ip = ip
        self.user_agent = user_agent
        self.request_id = request_id or correlation.request_id() or correlation.new_id()
        self.operation = ""
        self.points = 0
        self.loaders = Scheduler()
        self.state: dict[Hashable, Any] = {}

    @property
    def now(self) -> datetime:
        """The instant of the request."""
        self.has_read_clock = True
        return self.instant

    def mark(self) -> Mark:
        """Where to go back to."""
        return Mark(dict(self.state), self.has_read_clock)

    def go_back(self, mark: Mark) -> None:
        """Forget what was loaded, and what was noted since the mark was made, as if nothing had been executed."""
        self.loaders = Scheduler()
        self.state = dict(mark.state)
        self.has_read_clock = mark.has_read_clock
        if self.kept is not None:
            self.kept.go_back()

    def become(self, caller: Caller, *, since: Mark) -> None:
        """Take the caller for this one, who was found out, with nothing left of what was done for the assumed one."""
        self.go_back(since)
        self.assumed = None
        self.counted = []
        self.operation, self.points = "", 0
        self.user, self.token_state = caller.user, caller.token_state
        self.session = None if caller.user is None else caller.user.current_session

    @property
    def is_staff(self) -> bool:
        """Whether the caller is a signed-in member of staff."""
        return self.user is not None and self.user.role == "STAFF"

    def require_user(self) -> User:
        """The signed-in caller. Raises Unauthenticated for an anonymous one."""
        if self.user is None:
            raise Unauthenticated
        return self.user

    def load(self, batch: Batch[Key, Value], key: Key) -> Deferred[Value | None]:
        """The value of `batch` for this key, loaded together with all others asked for; None when the batch lacks the
        key.

        Await it, or return it as it is when nothing is to be done with it.
        """
        return self.loaders.load(batch, key)
