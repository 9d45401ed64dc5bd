"""One subscription of one client: admitted, authorised, and answered event by event.

Everything here runs in worker threads, since it asks the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    located_error,
    visit,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.execute import get_field_def
from graphql.pyutils import Path

from apps.users.live_sessions import viewers_still_in
from apps.users.models import User
from schema.core.authentication import authenticate
from schema.core.context import Context
from schema.core.deadlines import Deadline
from schema.core.documents import Document, DocumentRefused
from schema.core.engine import Engine, Operation, may_look_inside
from schema.core.errors import BadUserInput, Unauthenticated, formatted, internal_error
from schema.core.execution import DeferredExecutionContext
from schema.live.feeds import NOT_FOR_THEM, Event, Feed, FeedEnded
from schema.live.outages import is_outage


class StreamRefused(Exception):
    """The subscription does not begin. `errors` is what its client is told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(str(errors))
        self.errors = errors


class TokenRefused(Exception):
    """A token was sent and is not accepted. `state` is EXPIRED or INVALID."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of a connection. `session_id` is None for an anonymous one."""

    ip: str = ""
    user_agent: str = ""
    session_id: int | None = None
    token_version: int = 0
    expires_at: datetime | None = None

    def context(self, *, now: datetime, user: User | None) -> Context:
        """What resolvers get, with the account as it is now."""
        return Context(
            now=now,
            user=user,
            session=user.current_session if user is not None else None,
            ip=self.ip,
            user_agent=self.user_agent,
            deadline=Deadline(seconds=settings.REQUEST_SECONDS),
        )


def identify(header: str, *, ip: str, user_agent: str, now: datetime) -> tuple[Caller, User | None]:
    """The caller with this Authorization ("" for none), and the account. Raises TokenRefused."""
    if header.strip() and not header.strip().lower().startswith("bearer"):
        raise TokenRefused("INVALID")
    found = authenticate(header, now=now)
    if found.token_state is not None:
        raise TokenRefused(found.token_state)
    session = found.user.current_session if found.user is not None else None
    if session is None or session.access_payload is None:
        return Caller(ip=ip, user_agent=user_agent), found.user
    payload = session.access_payload
    expires_at = datetime.fromtimestamp(payload["exp"], tz=now.tzinfo)
    return Caller(ip, user_agent, session.pk, payload["ver"], expires_at), found.user


def users_of(callers: Iterable[Caller]) -> dict[int, User]:
    """The accounts of those callers whose session goes on and whose token was not called back, by session."""
    return viewers_still_in(
        token_versions={each.session_id: each.token_version for each in callers if each.session_id is not None}
    )


def user_now(caller: Caller, *, now: datetime) -> User | None:
    """The caller's account as it is now; None for an anonymous one. Raises TokenRefused."""
    if caller.session_id is None:
        return None
    if caller.expires_at is not None and now >= caller.expires_at:
        raise TokenRefused("EXPIRED")
    user = users_of([caller]).get(caller.session_id)
    if user is None:
        raise TokenRefused("INVALID")
    return user


@dataclass(slots=True, eq=False)
class Stream:
    """A subscription that was let in. `share_key` is equal where one execution serves several."""

    engine: Engine
    document: Document
    operation: Operation
    caller: Caller
    feed: Feed
    share_key: Hashable

    def answer(self, event: Event, *, context: Context) -> dict[str, Any] | None:
        """The execution result of the event; None when it is not for this client. A bug is logged and answered.

        Raises FeedEnded, and the error of a database that is away: the event is not told then.
        """
        try:
            value = self.feed.see(context, event)
            if value is NOT_FOR_THEM:
                return None
            result = self.engine.execute(self.document, self.operation, context=context, root_value=value).result
            for failed in result.errors or ():
                if failed.original_error is not None and is_outage(failed.original_error):
                    raise failed.original_error
        except FeedEnded:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            return {"data": None, "errors": [internal_error(error, request_id=context.request_id)]}
        errors = formatted(result.errors or [], request_id=context.request_id)
        return {"data": result.data, **({"errors": errors} if errors else {})}


def open_stream(engine: Engine, operation: Operation, *, caller: Caller, context: Context) -> Stream:
    """Admits and authorises a subscription. Raises StreamRefused, and the error of a database that is away."""
    try:
        operation = engine.resolved(operation, context=context)
        document, node = engine.admitted(operation, context=context)
        feed = _subscribe(engine, document.ast, operation, context)
    except DocumentRefused as refused:
        raise StreamRefused(formatted(refused.errors, request_id=context.request_id)) from None
    except GraphQLError as error:
        if error.original_error is not None and is_outage(error.original_error):
            raise error.original_error from error
        raise StreamRefused(formatted([error], request_id=context.request_id)) from error
    except StreamRefused:
        raise
    except Exception as error:
        if is_outage(error):
            raise
        raise StreamRefused([internal_error(error, request_id=context.request_id)]) from error
    variables = _variables_below_root(document.ast, node, operation.variables)
    key = (operation.query, operation.name, variables, caller.session_id, feed.share_key)
    return Stream(engine, document, operation, caller, feed, key)


def _subscribe(engine: Engine, document: DocumentNode, operation: Operation, context: Context) -> Feed:
    """Calls the `subscribe` function of the operation's one root field."""
    schema = engine.schema.graphql_schema
    execution = DeferredExecutionContext.build(
        schema,
        document,
        None,
        context,
        dict(operation.variables),
        operation.name,
        hide_suggestions=not may_look_inside(context),
    )
    if isinstance(execution, list):
        raise StreamRefused(formatted(execution, request_id=context.request_id))
    assert isinstance(execution, DeferredExecutionContext)
    root = schema.subscription_type
    assert root is not None, "the operation was admitted"
    selected = collect_fields(
        schema, execution.fragments, execution.variable_values, root, execution.operation.selection_set
    )
    if not selected:
        raise BadUserInput("The subscription selects no field.")
    name, nodes = next(iter(selected.items()))
    field = get_field_def(schema, root, nodes[0])
    if field is None or field.subscribe is None:
        raise BadUserInput("The field cannot be subscribed to.")
    path = Path(None, name, root.name)
    try:
        arguments = execution.arguments_of(field, nodes[0])
        info = execution.build_resolve_info(field, nodes, root, path)
        feed = field.subscribe(None, info, **arguments)
    except Exception as error:
        raise located_error(error, nodes, path.as_list()) from error
    assert isinstance(feed, Feed)
    return feed


class _Uses(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.names[node.name.value] += 1


def _uses(node: Any) -> Counter[str]:
    counter = _Uses()
    visit(node, counter)
    return counter.names


def _variables_below_root(
    document: DocumentNode, operation: OperationDefinitionNode, values: Mapping[str, Any]
) -> bytes:
    """The values that the answer depends on besides the event: those of variables that are not the root field's own
    arguments, such as a map section.
    """
    used = _uses(operation.selection_set)
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            used += _uses(definition)
    for selection in operation.selection_set.selections:
        if isinstance(selection, FieldNode):
            for argument in selection.arguments:
                used -= _uses(argument)
    needed = {name: values[name] for name in sorted(+used) if name in values}
    return orjson.dumps(needed, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


@dataclass(frozen=True, slots=True)
class Told:
    """What one event means for one subscription: a result, its end, or a token that is no longer accepted."""

    result: dict[str, Any] | None = None
    ended: bool = False
    token: str | None = None


def answer_all(event: Event, streams: list[Stream], *, now: datetime) -> list[Told | None]:
    """What each subscription is told of the event, None for nothing. One execution serves all that would get the same."""
    users = users_of(stream.caller for stream in streams)
    shared: dict[Hashable, Told | None] = {}
    told: list[Told | None] = []
    for stream in streams:
        if stream.share_key not in shared:
            shared[stream.share_key] = _answer(event, stream, users, now)
        told.append(shared[stream.share_key])
    return told


def _answer(event: Event, stream: Stream, users: Mapping[int, User], now: datetime) -> Told | None:
    caller, user = stream.caller, None
    if caller.session_id is not None:
        if caller.expires_at is not None and now >= caller.expires_at:
            return Told(token="EXPIRED")  # noqa: S106
        user = users.get(caller.session_id)
        if user is None:
            return Told(token="INVALID")  # noqa: S106
    try:
        result = stream.answer(event, context=caller.context(now=now, user=user))
    except FeedEnded:
        return Told(ended=True)
    return None if result is None else Told(result=result)


def token_error(state: str) -> dict[str, Any]:
    """The result that ends a stream whose token is no longer accepted."""
    error = Unauthenticated("The access token has expired." if state == "EXPIRED" else "The access token is not valid.")
    return {
        "errors": [{"message": error.message, "extensions": dict(error.extensions or {})}],
        "extensions": {"token": state},
    }
