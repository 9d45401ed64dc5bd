"""Errors as Stripe answers them: an HTTP status and an `error` object."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_DOCS = "https://docs.stripe.com/error-codes"


class ApiError(Exception):
    """
    An answer other than 2xx.

    `began` says whether the endpoint had started to execute: only then does an idempotency key remember the answer.
    `keep` says whether what was written before the error stays written (a decline leaves a failed charge behind).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        began: bool = True,
        keep: bool = False,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.began = began
        self.keep = keep
        self.headers = headers or {}
        self.error: Json = {"message": message, "type": kind}
        if code is not None:
            self.error |= {"code": code, "doc_url": f"{_DOCS}/{code.replace('_', '-')}"}
        if param is not None:
            self.error["param"] = param
        self.error |= extra

    def body(self, request_id: str) -> Json:
        """The JSON body of the answer."""
        return {"error": self.error | {"request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}}


def invalid(message: str, *, param: str | None, code: str | None = None) -> ApiError:
    """A 400 for parameters that never reached the endpoint."""
    return ApiError(400, message, param=param, code=code, began=False)


def no_such(label: str, identifier: str, *, param: str, status: int = 400) -> ApiError:
    """`resource_missing`: 404 for the object a URL names, 400 for one that a parameter names."""
    return ApiError(status, f"No such {label}: '{identifier}'", code="resource_missing", param=param)


def missing_key() -> ApiError:
    """401: no API key was sent."""
    return ApiError(
        401,
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://docs.stripe.com/api#authentication for "
        "details.",
        began=False,
        headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
    )


def wrong_key(key: str) -> ApiError:
    """401: the key is of no account. Only its first and last characters are repeated."""
    shown = key if len(key) <= 12 else f"{key[:8]}{'*' * min(len(key) - 12, 20)}{key[-4:]}"
    return ApiError(401, f"Invalid API Key provided: {shown}", began=False)


def unknown_url(method: str, path: str) -> ApiError:
    """404: no endpoint has this method and path."""
    return ApiError(
        404,
        f"Unrecognized request URL ({method}: {path[:200]}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        began=False,
    )


def rate_limited() -> ApiError:
    """429: nothing was done."""
    return ApiError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits.",
        code="rate_limit",
        began=False,
    )


def broken(*, began: bool) -> ApiError:
    """500, Stripe's fault; `began` when the work may have been done."""
    return ApiError(
        500,
        "An unknown error occurred while processing the request. Please contact support if it persists.",
        kind="api_error",
        began=began,
        headers={"Stripe-Should-Retry": "false" if began else "true"},
    )
