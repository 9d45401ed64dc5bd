"""The pages of accounts that are no GraphQL: the published keys, the links of mails, and both ends of the redirect sign-in."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition, require_GET, require_http_methods, require_safe

from apps.core.errors import InvalidToken
from apps.core.ids import digest
from apps.users import keys, link_pages
from apps.users.actions.trusted_sign_in import code_for
from apps.users.signin import codes, oidc
from apps.users.signin.fetching import IssuerUnreachable
from apps.users.signin.issuers import TrustedIssuer
from apps.users.signin.return_urls import CODE, ERROR, is_allowed, with_answer


def _tag(request: HttpRequest) -> str:
    return f'"{digest(repr(keys.public_key_set(settings.SIGNING_KEYS)))[:32]}"'


@require_safe
@condition(etag_func=_tag)
def signing_keys(request: HttpRequest) -> HttpResponseBase:
    """`/.well-known/jwks.json`: the public keys of our access tokens, for services that check them themselves."""
    response = JsonResponse(keys.public_key_set(settings.SIGNING_KEYS), content_type="application/jwk-set+json")
    response["Cache-Control"] = f"public, max-age={keys.MAX_AGE_SECONDS}"
    # Nothing here is a secret: pages of any origin may read it.
    response["Access-Control-Allow-Origin"] = "*"
    return response


# The token of the link is the authority: there is no cookie that another site could make use of.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def verify_email_page(request: HttpRequest) -> HttpResponse:
    """`/verify-email?token=...`: a button that confirms the address."""
    return link_pages.served(request, link_pages.VERIFY_EMAIL, now=datetime.now(UTC))


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def reset_password_page(request: HttpRequest) -> HttpResponse:
    """`/reset-password?token=...`: a form for the new password."""
    return link_pages.served(request, link_pages.RESET_PASSWORD, now=datetime.now(UTC))


@require_GET
def sign_in_elsewhere(request: HttpRequest, name: str) -> HttpResponse:
    """`/auth/<issuer>/login?next=<address>&challenge=<SHA-256>`: to the issuer, and from there to `next`, which must be allowed.

    Without `next` it ends at the first address of SIGN_IN_RETURN_URLS. What the challenge is for: apps.users.signin.codes.
    """
    issuer = _issuer(name)
    allowed = settings.SIGN_IN_RETURN_URLS
    return_to = request.GET.get("next") or str(allowed[0])
    if not is_allowed(return_to, allowed=allowed):
        return _said(400, "This address is none that a sign-in may end at.")
    challenge = request.GET.get("challenge", "")
    if challenge and not codes.is_challenge(challenge):
        return _said(400, "The challenge is no SHA-256 in base64url.")
    try:
        departure = oidc.depart(issuer=issuer, return_to=return_to, challenge=challenge, now=datetime.now(UTC))
    except IssuerUnreachable:
        return _said(503, "The site that signs you in cannot be reached. Please try again in a minute.")
    response = _sent_to(departure.url)
    response.set_cookie(
        _cookie_name(issuer),
        departure.cookie,
        max_age=oidc.PATIENCE,
        path="/",
        secure=_is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


@require_GET
def signed_in_elsewhere(request: HttpRequest, name: str) -> HttpResponse:
    """`/auth/<issuer>/callback`: back from the issuer, and on to where the sign-in was to end, with a one-time code.

    The code, or why there is none ("denied", "failed"), is in the query as `sign_in_code` or `sign_in_error`.
    """
    issuer = _issuer(name)
    now = datetime.now(UTC)
    try:
        arrival = oidc.arrive(
            issuer=issuer, cookie=request.COOKIES.get(_cookie_name(issuer), ""), answer=request.GET.dict(), now=now
        )
        code = code_for(assertion=arrival.assertion, challenge=arrival.challenge, now=now)
    except oidc.Lost:
        return _forgetting(issuer, _said(400, "This sign-in was not begun here, or too long ago. Please begin again."))
    except oidc.Refused as refused:
        return _forgetting(issuer, _sent_to(with_answer(refused.return_to, ERROR, refused.reason)))
    except InvalidToken:
        return _forgetting(issuer, _sent_to(with_answer(arrival.return_to, ERROR, oidc.FAILED)))
    except codes.Unavailable:
        return _forgetting(issuer, _said(503, "Nobody can sign in right now. Please try again in a minute."))
    return _forgetting(issuer, _sent_to(with_answer(arrival.return_to, CODE, code)))


def _issuer(name: str) -> TrustedIssuer:
    issuer = oidc.redirecting_issuer(name)
    if issuer is None:
        raise Http404
    return issuer


def _sent_to(url: str) -> HttpResponse:
    """A redirect, also to the scheme of an app; addresses with secrets are neither kept nor told to the next page."""
    return _private(HttpResponse(status=302, headers={"Location": url}))


def _said(status: int, text: str) -> HttpResponse:
    return _private(HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8"))


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _forgetting(issuer: TrustedIssuer, response: HttpResponse) -> HttpResponse:
    # A browser refuses a __Host- cookie without `secure`, also when it is to be deleted.
    response.set_cookie(
        _cookie_name(issuer), "", max_age=0, path="/", secure=_is_secure(), httponly=True, samesite="Lax"
    )
    return response


def _cookie_name(issuer: TrustedIssuer) -> str:
    """Where there is TLS, a name that no other host of the domain can set a cookie under."""
    return f"{'__Host-' if _is_secure() else ''}sign-in-{issuer.name}"


def _is_secure() -> bool:
    return str(settings.PUBLIC_URL).startswith("https://")
