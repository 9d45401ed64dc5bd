"""Where the links of mails lead: plain pages that do what the link is for, for people whose client has no pages of its own.

Opening a page does nothing, since programs follow the links of mails too; its button does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from apps.audit.origin import address_of
from apps.core.errors import CodeNeeded, DomainError, WeakPassword
from apps.core.secret_pages import closed_page
from apps.core.throttling import TooManyTries, guessing
from apps.users.actions import credentials, sessions
from apps.users.guesses import of_network

LONGEST_USER_AGENT = 400


@dataclass(frozen=True, slots=True)
class Page:
    """What one of the pages says. `do` says what was done, or raises a DomainError."""

    title: str
    button: str
    do: Callable[[HttpRequest, str, datetime], str]
    asks_password: bool = False


def _verify(_request: HttpRequest, token: str, now: datetime) -> str:
    user = credentials.verify_email(token=token, now=now)
    return f"Thank you: {user.email} is confirmed."


def _reset(request: HttpRequest, token: str, now: datetime) -> str:
    pair = credentials.reset_password(
        token=token,
        new_password=request.POST.get("password", ""),
        one_time_code=request.POST.get("code"),
        user_agent=request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT],
        now=now,
    )
    # Nobody is signed in by a page: what would be handed to a client is given back.
    if pair is not None:
        sessions.sign_out(viewer=None, refresh_token=pair.refresh_token, everywhere=False, now=now)
    return "The new password holds, and everybody who was signed in is signed out. You can sign in with it now."


VERIFY_EMAIL = Page("Your email address", "This is my address", _verify)
RESET_PASSWORD = Page("A new password", "Set the password", _reset, asks_password=True)


def served(request: HttpRequest, page: Page, *, now: datetime) -> HttpResponse:
    """The page for a GET, which changes nothing; for a POST what came of it, in the same page."""
    token = (request.POST if request.method == "POST" else request.GET).get("token", "")
    if request.method != "POST":
        return _shown(request, page, token=token, said="" if token else "Please open the whole link of the mail.")
    try:
        with guessing(of_network("token", address_of(request))):
            said = page.do(request, token, now)
    except TooManyTries as refused:
        response = _shown(request, page, said=str(refused), status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(refused.retry_after)
        return response
    except (WeakPassword, CodeNeeded) as refused:
        asks_code = isinstance(refused, CodeNeeded) or "code" in request.POST
        status = HTTPStatus.BAD_REQUEST
        return _shown(request, page, token=token, said=refused.message, asks_code=asks_code, status=status)
    except DomainError as error:
        return _shown(request, page, said=error.message, status=HTTPStatus.BAD_REQUEST)
    return _shown(request, page, said=said)


def _shown(
    request: HttpRequest,
    page: Page,
    *,
    said: str,
    token: str = "",
    asks_code: bool = False,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    told = {
        "title": page.title, "button": page.button, "asks_password": page.asks_password, "asks_code": asks_code,
        "token": token, "said": said,
    }  # fmt: skip
    return closed_page(request, "users/link.html", told, status=status, has_form=True)
