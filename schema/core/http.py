"""GraphQL over HTTP: reads a request, chooses the media type of the answer, writes it.

    sent = read_request(request)            Sent(operation, is_get)
    media = choose_media(request)           "application/json" or "application/graphql-response+json"
    write_answer(answer, media)

Raises `Refused`, which is the whole answer: a status and one error. With application/json a well-formed request is
always answered 200, as old clients expect; with application/graphql-response+json one that was refused before its
execution is 400.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException, UnreadablePostError
from django.http.response import ResponseHeaders
from django.utils.cache import get_conditional_response

from schema.core.engine import Answer, Operation
from schema.core.errors import BadUserInput, Code
from schema.core.persisted import read_name
from schema.core.uploads import MultipartError, read_multipart

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
HTML = "text/html"
IDENTITY = "identity"

# In bytes. A picture may have 5 MB and the refusal of a larger one is the mutation's to say, so files get room to
# arrive.
LARGEST_JSON_BODY = 1_000_000
LARGEST_MULTIPART_BODY = 30_000_000
# Opening brackets in a body, those in its texts among them: each may become an object in memory, and costs far more than its byte.
MOST_BRACKETS = 50_000
ONE_OPERATION = "One operation is wanted: an object with query, variables and operationName."

# Answers depend on who asks: no cache between may keep them. As a response stores them, converted once.
NO_STORE = ResponseHeaders({"Cache-Control": "no-store", "Vary": "Accept, Authorization"})._store

PREFLIGHT_HEADERS = ("Apollo-Require-Preflight", "GraphQL-Require-Preflight", "X-Requested-With")


class Refused(Exception):
    """The request ends here with this status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = Code.BAD_USER_INPUT,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"errors": [{"message": message, "extensions": {"code": code, **extensions}}]}


@dataclass(frozen=True, slots=True)
class Sent:
    """An operation, and whether it came in a GET, which may only read."""

    operation: Operation
    is_get: bool


def accepted(header: str) -> list[tuple[str, float]]:
    """The media types of an Accept header with their weights, best first; of equal ones the more specific first."""
    found: list[tuple[str, float]] = []
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if not media:
            continue
        weight = 1.0
        for parameter in parameters:
            name, _, text = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(text)
                except ValueError:
                    weight = 0.0
        if weight > 0:
            found.append((media, weight))
    return sorted(found, key=lambda pair: (-pair[1], pair[0].count("*")))


def choose_media(request: HttpRequest) -> str:
    """The media type of the answer. Raises Refused (406) when the client takes none that there is."""
    header = request.META.get("HTTP_ACCEPT", "").strip()
    if not header:
        return JSON
    for media, _weight in accepted(header):
        if media in {JSON, "*/*", "application/*"}:
            return JSON
        if media == GRAPHQL_RESPONSE:
            return GRAPHQL_RESPONSE
    raise Refused(406, f"Accept {JSON} or {GRAPHQL_RESPONSE}.")


def wants_html(request: HttpRequest) -> bool:
    """Whether a browser opened the address: HTML is what it likes best."""
    if request.method != "GET":
        return False
    best = accepted(request.META.get("HTTP_ACCEPT", ""))
    return bool(best) and best[0][0] == HTML


def read_request(request: HttpRequest) -> Sent:
    """The operation of a GET or POST request. Raises Refused."""
    return read_operation(request)[0]


def read_operation(request: HttpRequest) -> tuple[Sent, dict[str, Any]]:
    """The same, and the extensions that came with it. Raises Refused."""
    parameters = _parameters(request)
    operation = _operation(parameters)
    return Sent(operation, is_get=request.method == "GET"), parameters.get("extensions") or {}


def _parameters(request: HttpRequest) -> Any:
    if request.method == "GET":
        return _query_parameters(request)
    if request.method != "POST":
        raise Refused(405, "Use POST, or GET for queries.", headers={"Allow": "GET, POST"})
    if request.content_type == "multipart/form-data":
        return _multipart(request)
    if request.content_type != JSON:
        raise Refused(415, f"Send {JSON}, or multipart/form-data for files.")
    charset = request.content_params.get("charset", "utf-8").lower() if request.content_params else "utf-8"
    if charset not in {"utf-8", "utf8"}:
        raise Refused(415, "The body must be encoded in UTF-8.")
    if request.META.get("HTTP_CONTENT_ENCODING", IDENTITY).lower() != IDENTITY:
        raise Refused(415, "Send the body as it is: nothing is unpacked.", headers={"Accept-Encoding": IDENTITY})
    body = _body(request)
    if body.lstrip()[:1] == b"[":
        raise Refused(400, ONE_OPERATION)
    return _json(body, "The body")


def _content_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0


def _body(request: HttpRequest) -> bytes:
    if _content_length(request) > LARGEST_JSON_BODY:
        raise Refused(413, f"The body must have at most {LARGEST_JSON_BODY} bytes.")
    try:
        body = request.body
    except (RequestDataTooBig, RawPostDataException, UnreadablePostError) as error:
        raise Refused(400, "The body could not be read.") from error
    if len(body) > LARGEST_JSON_BODY:
        raise Refused(413, f"The body must have at most {LARGEST_JSON_BODY} bytes.")
    return body


def _json(text: bytes | str, name: str) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
        raise Refused(400, f"{name} holds too many lists and objects.")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refused(400, f"{name} is not JSON.") from None


def _query_parameters(request: HttpRequest) -> dict[str, Any]:
    try:
        given = request.GET
    except SuspiciousOperation:
        raise Refused(400, "The address has too many parameters.") from None
    names = ("query", "operationName", "documentId")
    parameters: dict[str, Any] = {name: given[name] for name in names if name in given}
    for name in ("variables", "extensions"):
        if given.get(name):
            parameters[name] = _json(given[name], name)
    if parameters.get("operationName") == "":
        del parameters["operationName"]
    return parameters


def _multipart(request: HttpRequest) -> Any:
    # A form on another site can send multipart without asking; it cannot set a header.
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise Refused(400, f"A multipart request needs one of the headers {', '.join(PREFLIGHT_HEADERS)}.")
    if _content_length(request) > LARGEST_MULTIPART_BODY:
        raise Refused(413, f"The body must have at most {LARGEST_MULTIPART_BODY} bytes.")
    try:
        fields, files = request.POST, request.FILES
    except (MultiPartParserError, BadRequest, SuspiciousOperation, TooManyFilesSent, UnreadablePostError) as error:
        raise Refused(400, "The multipart body could not be read.") from error
    try:
        return read_multipart(fields, files)
    except MultipartError as error:
        raise Refused(400, str(error)) from error


def _operation(parameters: Any) -> Operation:
    if not isinstance(parameters, dict):
        raise Refused(400, ONE_OPERATION)
    query, variables, name = (parameters.get(each) for each in ("query", "variables", "operationName"))
    extensions = parameters.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise Refused(400, "extensions must be an object.")
    try:
        document = read_name(parameters)
    except BadUserInput as error:
        raise Refused(400, error.message) from error
    if query is None and document is not None:
        query = ""
    elif not isinstance(query, str) or not query.strip():
        raise Refused(400, "query must be a text.")
    if variables is not None and not isinstance(variables, dict):
        raise Refused(400, "variables must be an object.")
    if name is not None and not isinstance(name, str):
        raise Refused(400, "operationName must be a text.")
    return Operation(query=query, variables=variables or {}, name=name, document=document)


def write_answer(answer: Answer, media: str, request: HttpRequest) -> HttpResponse:
    """The response to an operation that was understood, whether it was executed or refused.

    What anybody may have may also be kept by caches, which ask each time whether it still holds (`If-None-Match`, 304).
    """
    status = 400 if not answer.executed and media == GRAPHQL_RESPONSE else 200
    if not answer.is_public or "HTTP_AUTHORIZATION" in request.META:
        return write_body(answer.body(), media, status=status)
    data = dumped(answer.data)
    response = write_body({**answer.body(), "data": orjson.Fragment(data)}, media, status=status)
    response["Cache-Control"] = "public, max-age=0, must-revalidate"
    # Weak: what it cost and what is left to the caller stand beside the data and are no part of them.
    tag = f'W/"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'
    response["ETag"] = tag
    if request.method == "GET":
        return get_conditional_response(request, etag=tag, response=response) or response
    return response


def write_refusal(refused: Refused, media: str) -> HttpResponse:
    """The response to a request that was refused before it was understood."""
    response = write_body(refused.body, media, status=refused.status)
    for name, text in refused.headers.items():
        response[name] = text
    return response


def dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS)


def write_body(body: Mapping[str, Any], media: str, *, status: int) -> HttpResponse:
    response = HttpResponse(dumped(body), content_type=f"{media}; charset=utf-8", status=status)
    response.headers._store.update(NO_STORE)
    return response
