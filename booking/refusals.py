"""What is answered where no view is asked, or none can answer: a page to browsers, an error in GraphQL's form to programs."""

from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from apps.core import correlation
from schema.core.errors import INTERNAL_MESSAGE, Code
from schema.core.http import HTML, JSON, Refused, accepted, write_body, write_refusal

Page = Callable[[HttpRequest, Exception], HttpResponse]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the host is none of ours, or the request is of a form that nothing reads."""
    is_elsewhere = isinstance(exception, DisallowedHost)
    message = "This host name is not served here." if is_elsewhere else "The request could not be read."
    return _refused(request, exception, HTTPStatus.BAD_REQUEST, message, Code.BAD_USER_INPUT, defaults.bad_request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: nothing is served at this address."""
    message = "There is nothing at this address; GraphQL is at /graphql."
    return _refused(request, exception, HTTPStatus.NOT_FOUND, message, Code.NOT_FOUND, defaults.page_not_found)


def broken(request: HttpRequest) -> HttpResponse:
    """500: a bug of ours, which is in the log by now, under the id that is told."""
    if _is_for_people(request):
        return defaults.server_error(request)
    work = correlation.current()
    told = {"code": Code.INTERNAL, "id": work.request_id if work is not None else ""}
    return write_body({"errors": [{"message": INTERNAL_MESSAGE, "extensions": told}]}, JSON, status=500)


def _refused(
    request: HttpRequest, exception: Exception, status: HTTPStatus, message: str, code: Code, page: Page
) -> HttpResponse:
    if _is_for_people(request):
        return page(request, exception)
    return write_refusal(Refused(status, message, code=code), JSON)


def _is_for_people(request: HttpRequest) -> bool:
    return any(media == HTML for media, _weight in accepted(request.META.get("HTTP_ACCEPT", "")))
