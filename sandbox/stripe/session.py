"""What one request (or one step in the background) works with: an account, its objects and its events."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

from sandbox.stripe.errors import ApiError, no_such
from sandbox.stripe.faults import Faults
from sandbox.stripe.store import Store, new_id

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"

# How messages name a kind, and which `param` a 404 carries.
LABELS = {
    "payment_intent": ("payment_intent", "intent"),
    "setup_intent": ("setupintent", "intent"),
    "payment_method": ("PaymentMethod", "payment_method"),
    "customer": ("customer", "id"),
    "charge": ("charge", "id"),
    "refund": ("refund", "id"),
    "dispute": ("dispute", "dispute"),
    "event": ("event", "id"),
}


class Session:
    """One unit of work on one account; lives inside one transaction of the store."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        account: str,
        base_url: str,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        self.store = store
        self.faults = faults
        self.account = account
        self.base_url = base_url
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.now = int(time.time())
        # What is quiet makes no events.
        self.is_quiet = False

    def add(self, body: Json) -> Json:
        """Stores a new object and answers it."""
        self.store.add(self.account, body)
        return body

    def save(self, body: Json) -> Json:
        """Stores a changed object and answers it."""
        self.store.save(self.account, body)
        return body

    def find(self, kind: str, identifier: str | None) -> Json | None:
        """The object, or None; a deleted customer is found, with `deleted`."""
        return self.store.find(self.account, kind, identifier) if identifier else None

    def at(self, kind: str, identifier: str) -> Json:
        """The object that the URL names; raises ApiError 404."""
        found = self.find(kind, identifier)
        if found is None:
            label, param = LABELS[kind]
            raise no_such(label, identifier, param=param, status=404)
        return found

    def named(self, kind: str, identifier: str, param: str) -> Json:
        """The object that a parameter names; raises ApiError 400. A deleted customer is no customer."""
        found = self.find(kind, identifier)
        if found is None or found.get("deleted"):
            raise no_such(LABELS[kind][0], identifier, param=param)
        return found

    def all(self, kind: str, **links: str) -> list[Json]:
        """Every object of a kind with these links, newest first; for lists that stay short."""
        conditions = [(f"{name} = ?", value) for name, value in links.items()]
        return self.store.page(self.account, kind, conditions=conditions, limit=10_000)[0]

    def public(self, body: Json) -> Json:
        """The object as an answer shows it."""
        shown = {name: value for name, value in body.items() if name != "_hidden"}
        action = shown.get("next_action")
        if action and "redirect_to_url" in action:
            shown["next_action"] = copy.deepcopy(action)
            redirect = shown["next_action"]["redirect_to_url"]
            redirect["url"] = self.base_url + redirect["url"]
        if shown.get("receipt_url"):
            shown["receipt_url"] = self.base_url + shown["receipt_url"]
        return shown

    def emit(self, sort: str, body: Json, before: Json | None = None) -> None:
        """Records an event about the object and plans its delivery; `before` gives `previous_attributes`."""
        if self.is_quiet:
            return
        data: Json = {"object": self.public(body)}
        if before is not None:
            old = self.public(before)
            data["previous_attributes"] = {
                name: old.get(name) for name, value in data["object"].items() if old.get(name) != value
            }
        event: Json = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": sort,
        }
        deliveries = self.faults.deliveries(self.account) if self.store.endpoint(self.account) else []
        event["pending_webhooks"] = min(len(deliveries), 1)
        self.add(event)
        for delivery in deliveries:
            self.store.run(
                "INSERT INTO deliveries (account, event, due_at, bad_signature) VALUES (?, ?, ?, ?)",
                (self.account, event["id"], time.time() + delivery.wait, int(delivery.bad_signature)),
            )

    def later(self, seconds: float, action: str, target: str) -> None:
        """Has `action` done to the object with the id `target` in the background, after that time."""
        self.store.run(
            "INSERT INTO timers (account, due_at, action, target) VALUES (?, ?, ?, ?)",
            (self.account, time.time() + seconds, action, target),
        )


def merge_metadata(current: Mapping[str, str], change: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata after the change: None clears, an empty value unsets its key; raises ApiError 400 above 50 keys."""
    if change is None:
        return {}
    merged = {key: value for key, value in {**current, **change}.items() if value != ""}
    if len(merged) > 50:
        raise ApiError(400, "Metadata can have up to 50 keys.", param="metadata")
    return merged
