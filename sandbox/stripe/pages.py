"""The pages a customer sees: authentication of a payment or a saved card, and receipts."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qs, quote, urlencode

from sandbox.stripe import payments, setup_intents
from sandbox.stripe.currencies import shown
from sandbox.stripe.session import Json, Session
from sandbox.stripe.store import Store

_AUTHENTICATE = re.compile(r"/redirect/authenticate/((?:pi|seti)_[A-Za-z0-9]+)/([A-Za-z0-9]+)")
_RECEIPT = re.compile(r"/receipts/(ch_[A-Za-z0-9]+)")
_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;padding:0 1rem;color:#1a1a2e}"
    "a{display:inline-block;margin:1rem 1rem 0 0;padding:.6rem 1rem;border-radius:6px;text-decoration:none;color:#fff}"
    "a.yes{background:#0a6b3d}a.no{background:#9b1c31}"
)


@dataclass
class Page:
    """An HTML page and its HTTP status."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=lambda: dict(_SAFE))


def find(store: Store, session_for: Callable[[str], Session], path: str, query: str) -> Page | None:
    """The page at a path, or None. `?outcome=success` and `?outcome=failure` finish an authentication."""
    match = _AUTHENTICATE.fullmatch(path)
    if match:
        return _authenticate(store, session_for, match[1], match[2], query)
    match = _RECEIPT.fullmatch(path)
    if match:
        return _receipt(store, match[1])
    return None


def _authenticate(store: Store, session_for: Callable[[str], Session], identifier: str, token: str, query: str) -> Page:
    try:
        outcome = parse_qs(query, max_num_fields=20).get("outcome", [None])[-1]
    except ValueError:
        outcome = ""
    if outcome not in (None, "success", "failure"):
        return _page(400, "Bad request", "<p>The outcome must be success or failure.</p>")
    with store.transaction():
        owner = store.owner(identifier)
        if owner is None or not hmac.compare_digest(owner[1]["_hidden"].get("challenge", ""), token):
            return _page(404, "Not found", "<p>This link is not valid, or was replaced by a newer attempt.</p>")
        account, intent = owner
        waiting = intent["status"] == "requires_action"
        if outcome is None:
            return _ask(intent) if waiting else _page(200, "Finished", "<p>There is nothing left to do here.</p>")
        if waiting:
            _finish(session_for(account), intent, passed=outcome == "success")
    target = intent["_hidden"].get("return_url")
    if target is None:
        text = "Authentication complete." if outcome == "success" else "Authentication failed."
        said = text if waiting else "This was finished before."
        return _page(200, "Finished", f"<p>{said} You may close this page.</p>")
    return Page(302, "", {**_SAFE, "Location": _returning(target, intent)})


def _finish(session: Session, intent: Json, *, passed: bool) -> None:
    method = session.at("payment_method", intent["payment_method"])
    module = payments if intent["object"] == "payment_intent" else setup_intents
    (module.authenticated if passed else module.not_authenticated)(session, intent, method)


def _returning(target: str, intent: Json) -> str:
    name = intent["object"]
    added = urlencode({name: intent["id"], f"{name}_client_secret": intent["client_secret"]})
    address, hash_sign, fragment = target.partition("#")
    joined = f"{address}{'&' if '?' in address else '?'}{added}{hash_sign}{fragment}"
    return quote(joined, safe="%/:=&?~#+!$,;'@()*[]")


def _ask(intent: Json) -> Page:
    if intent["object"] == "payment_intent":
        what = f"Pay <strong>{escape(shown(intent['amount'], intent['currency']))}</strong>"
    else:
        what = "Save this card for later"
    note = f"<p>{escape(intent['description'])}</p>" if intent["description"] else ""
    return _page(
        200,
        "Authenticate with your bank",
        f"<p>{what}?</p>{note}<p>This is a test: choose how the authentication ends.</p>"
        '<a class="yes" href="?outcome=success" rel="nofollow">Complete</a>'
        '<a class="no" href="?outcome=failure" rel="nofollow">Fail</a>',
    )


def _receipt(store: Store, identifier: str) -> Page:
    owner = store.owner(identifier)
    if owner is None or not owner[1].get("receipt_url"):
        return _page(404, "Not found", "<p>There is no such receipt.</p>")
    charge = owner[1]
    money = charge["currency"]
    returned = charge["amount_refunded"]
    lines = [f"Paid {shown(charge['amount'], money)}"]
    if returned:
        lines.append(f"Refunded {shown(returned, money)}")
    if charge["description"]:
        lines.append(charge["description"])
    return _page(200, "Receipt", "".join(f"<p>{escape(line)}</p>" for line in lines))


def _page(status: int, title: str, body: str) -> Page:
    return Page(
        status,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>",
    )
