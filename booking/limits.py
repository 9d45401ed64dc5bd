"""Rate limits of the pages that are no GraphQL."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from apps.core.network import network_of
from schema.core.errors import RateLimited
from schema.core.limits import Limit
from schema.views import context_of_request

Args = ParamSpec("Args")
View = Callable[Concatenate[HttpRequest, Args], HttpResponse]

# Each page of a redirect sign-in makes us ask the issuer something, so strangers do not get to do that at will.
REDIRECT_SIGN_IN = Limit("redirect-sign-in", "60/minute", closes=True)


def limited(view: View[Args]) -> View[Args]:
    """The page, REDIRECT_SIGN_IN times for each network address; more often 429, with the seconds to wait."""

    @wraps(view)
    def counted(request: HttpRequest, /, *args: Args.args, **kwargs: Args.kwargs) -> HttpResponse:
        try:
            REDIRECT_SIGN_IN.spend(network_of(context_of_request(request).ip))
        except RateLimited as refused:
            return HttpResponse(
                "Too many requests. Please wait a little.\n",
                status=429,
                headers={"Retry-After": str(refused.retry_after), "Cache-Control": "no-store"},
                content_type="text/plain; charset=utf-8",
            )
        return view(request, *args, **kwargs)

    return counted
