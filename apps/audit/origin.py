"""Where the request that is being served came from: known to every layer, like the request's place in the log.

`OriginMiddleware` sets it for every request; outside of one, in a worker, the address is "".
"""

from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.core.network import client_address

_address: ContextVar[str] = ContextVar("address", default="")


def address() -> str:
    """The network address of the client; "" outside of a request."""
    return _address.get()


class OriginMiddleware:
    """Remembers the client's address while its request is served."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _address.set(address_of(request))
        try:
            return self.get_response(request)
        finally:
            _address.reset(token)


def address_of(request: HttpRequest) -> str:
    """The address of the client, past the proxies of the settings."""
    return client_address(
        remote=str(request.META.get("REMOTE_ADDR", "")),
        forwarded=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        proxies=settings.TRUSTED_PROXIES,
    )
