"""The HTTP edge of GraphQL: who asks and when, one call of the engine, one answer."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from graphql import GraphQLError, OperationType

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address, address_of
from apps.core.db import of_one_moment
from schema.core.authentication import authenticate
from schema.core.context import Assumed, Context
from schema.core.deadlines import ENVIRON_KEY, Deadline
from schema.core.documents import DocumentRefused
from schema.core.engine import Answer, Engine, may_look_inside
from schema.core.errors import Code, RateLimited, internal_error
from schema.core.graphiql import graphiql_page, may_open
from schema.core.http import (
    JSON,
    Refused,
    Sent,
    choose_media,
    read_request,
    wants_html,
    write_answer,
    write_body,
    write_refusal,
)
from schema.core.limits import REQUESTS, charge, give_back, headers_of, headers_of_refusal, owe, settle
from schema.core.watching import watch
from schema.costs import PRICES

LONGEST_USER_AGENT = 400
LONGEST_NAME = 100


@functools.cache
def engine() -> Engine:
    """The engine of this process on the schema of the settings."""
    # A booking and its payments must not be shown as of two moments.
    return Engine(
        import_string(settings.GRAPHENE["SCHEMA"]),
        prices=PRICES,
        reading=of_one_moment,
        charge=charge,
        settle=settle,
        give_back=give_back,
        keeps=True,
        watch=watch,
    )


@csrf_exempt
def graphql_view(request: HttpRequest) -> HttpResponseBase:
    """`/graphql`. Needs no CSRF token: cookies sign nobody in here, the Authorization header does."""
    if wants_html(request) and "query" not in request.GET and may_open(request):
        return graphiql_page(request)
    media = JSON
    try:
        media = choose_media(request)
        return _answer(request, media)
    except Refused as refused:
        return write_refusal(refused, media)
    except Exception as error:  # noqa: BLE001, RUF100 - the last door: nothing of it may reach the caller
        return write_body({"errors": [internal_error(error, request_id="")]}, media, status=500)


def _answer(request: HttpRequest, media: str) -> HttpResponse:
    sent = read_request(request)
    may_assume = engine().settles and not sent.is_get and request.content_type == JSON
    context = context_of_request(request, may_assume=may_assume)
    if sent.is_get or not engine().settles:
        # What is in an address is looked at before it is answered.
        try:
            REQUESTS.spend_by(context)
        except RateLimited as limited:
            raise _turned_away(limited) from limited
    else:
        owe(context, REQUESTS)
    if sent.is_get:
        _only_reads(sent, context)
    answer = engine().answer(sent.operation, context=context)
    if answer.limited is not None and answer.limited.limit.startswith(REQUESTS.name):
        raise _turned_away(answer.limited)
    note_refusal(answer, context)
    response = write_answer(answer, media, request)
    if answer.limited is not None:
        response.status_code = 429
        headers = headers_of_refusal(answer.limited)
    else:
        headers = headers_of(context)
    for name, text in headers.items():
        response[name] = text
    return response


def _turned_away(limited: RateLimited) -> Refused:
    """Of a request that is one too many, whatever it asks for."""
    return Refused(
        429,
        limited.message,
        code=Code.RATE_LIMITED,
        headers=headers_of_refusal(limited),
        retryAfter=limited.retry_after,
    )


def note_refusal(answer: Answer, context: Context) -> None:
    """Write down that somebody asked for what their role may not do: once for a request, whatever else is in it."""
    refused = [error for error in answer.errors if error.get("extensions", {}).get("code") == Code.FORBIDDEN]
    if refused and context.user is not None:
        record(
            AuditKind.ACCESS_REFUSED,
            now=context.now,
            user_id=context.user.pk,
            actor_id=context.user.pk,
            fields=len(refused),
            first=str((refused[0].get("path") or [""])[0])[:LONGEST_NAME],
        )


def _only_reads(sent: Sent, context: Context) -> None:
    """Raises Refused (405) for a mutation in a GET: addresses are followed, fetched ahead and repeated without
    anybody's will.
    """
    try:
        operation = engine().resolved(sent.operation, context=context)
        kind = engine().operation_type(operation, is_open=may_look_inside(context))
    except (DocumentRefused, GraphQLError):
        return
    if kind is OperationType.MUTATION:
        raise Refused(405, "A mutation needs POST.", headers={"Allow": "POST"})


def context_of_request(request: HttpRequest, *, may_assume: bool = False) -> Context:
    """Who asks, from where and when. The only place where the clock is read for GraphQL over HTTP.

    `may_assume`: the context is for the engine's `answer`, which sees to it that an assumed caller is asked for.
    """
    # `request.headers` copies all of them, to find three.
    now = datetime.now(UTC)
    header = request.META.get("HTTP_AUTHORIZATION", "")
    caller = authenticate(header, now=now, may_assume=may_assume)
    assumed = None if caller.proviso is None else Assumed(caller.proviso, lambda: authenticate(header, now=now))
    return Context(
        now=now,
        user=caller.user,
        session=getattr(caller.user, "current_session", None),
        token_state=caller.token_state,
        ip=address() or address_of(request),
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:LONGEST_USER_AGENT],
        deadline=request.META.get(ENVIRON_KEY) or Deadline(seconds=settings.REQUEST_SECONDS),
        assumed=assumed,
    )
