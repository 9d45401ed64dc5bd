"""Which function answers which URL, with which parameters; lists and expansion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sandbox.stripe import charges, customers, disputes, payment_intents, payment_methods, refunds, setup_intents
from sandbox.stripe.errors import ApiError, no_such, unknown_url
from sandbox.stripe.params import PAGE, Spec, check, many, text
from sandbox.stripe.session import LABELS, Json, Session

MOST_EXPANDED = 4

_EXPANDABLE: Mapping[str, Mapping[str, str]] = {
    "payment_intent": {"customer": "customer", "payment_method": "payment_method", "latest_charge": "charge"},
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent", "balance_transaction": "none"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent", "balance_transaction": "none"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_method": {"customer": "customer"},
    "customer.invoice_settings": {"default_payment_method": "payment_method"},
}


@dataclass(frozen=True)
class Route:
    """An endpoint: its function takes the session, the ids in the URL and the parameters by name."""

    method: str
    pattern: re.Pattern[str]
    handler: Callable[..., Json]
    spec: Spec


@dataclass(frozen=True)
class Call:
    """A request that found its endpoint: parameters are checked, nothing was done yet."""

    route: Route
    ids: tuple[str, ...]
    given: Json
    expand: list[str]

    def run(self, session: Session) -> Json:
        """Does the work; the answer's JSON. Raises ApiError."""
        body = session.public(self.route.handler(session, *self.ids, given=self.given))
        for path in self.expand:
            _expand(session, body, path.split("."), path)
        return body


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The endpoint and the ids in the path; raises ApiError 404."""
    for route in _ROUTES:
        match = route.pattern.fullmatch(path) if route.method == method else None
        if match:
            return route, tuple(unquote(part) for part in match.groups())
    raise unknown_url(method, path)


def prepare(route: Route, ids: tuple[str, ...], given: Json) -> Call:
    """The call with its parameters checked; raises ApiError 400."""
    spec = {**route.spec, "expand": many(text(500))}
    checked = check(given, spec)
    paths = [path for path in checked.pop("expand", []) if path]
    for path in paths:
        if path.count(".") >= MOST_EXPANDED + path.startswith("data."):
            raise ApiError(
                400,
                f"You cannot expand more than {MOST_EXPANDED} levels of a property ({path[:100]}).",
                param="expand",
                began=False,
            )
    return Call(route, ids, checked, paths)


def lister(kind: str, url: str, columns: Mapping[str, str]) -> Callable[..., Json]:
    """The function of a list endpoint; `columns` are the SQL conditions of its filters."""

    def list_objects(session: Session, *owners: str, given: Json) -> Json:
        conditions: list[tuple[str, Any]] = []
        if owners:
            session.at("customer", owners[0])
            conditions.append(("customer = ?", owners[0]))
        for name, condition in columns.items():
            if given.get(name):
                value = given[name]
                # Of GLOB's signs Stripe has the star alone.
                conditions.append((condition, re.sub(r"[?\[\]]", "", value) if "GLOB" in condition else value))
        if given.get("types"):
            # One condition takes one value: the list travels as a JSON array.
            conditions.append(("label IN (SELECT value FROM json_each(?))", json.dumps(given["types"])))
        for bound, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            if bound in given.get("created", {}):
                conditions.append((f"created {sign} ?", given["created"][bound]))
        after, before = given.get("starting_after"), given.get("ending_before")
        if after and before:
            raise ApiError(400, "You cannot use both `starting_after` and `ending_before`.", param="starting_after")
        for name, cursor in (("starting_after", after), ("ending_before", before)):
            if cursor and session.find(kind, cursor) is None:
                raise no_such(LABELS[kind][0], cursor, param=name)
        found, more = session.store.page(
            session.account, kind, conditions=conditions, limit=given.get("limit", 10), after=after, before=before
        )
        return {
            "object": "list",
            "data": [session.public(body) for body in found],
            "has_more": more,
            "url": url.format(*owners),
        }

    return list_objects


def _expand(session: Session, body: Json, steps: list[str], path: str, kind: str | None = None) -> None:
    head, rest = steps[0], steps[1:]
    kind = kind or body.get("object", "")
    if kind == "list" and head == "data" and rest:
        for item in body["data"]:
            _expand(session, item, rest, path)
        return
    if kind == "charge" and head == "refunds":
        if not isinstance(body.get("refunds"), dict):
            found = [session.public(refund) for refund in session.all("refund", charge=body["id"])]
            url = f"/v1/refunds?charge={body['id']}"
            body["refunds"] = {"object": "list", "data": found, "has_more": False, "url": url}
        if rest:
            _expand(session, body["refunds"], rest, path)
        return
    inner = f"{kind}.{head}"
    if inner in _EXPANDABLE and rest:
        body[head] = dict(body[head])
        _expand(session, body[head], rest, path, kind=inner)
        return
    target = _EXPANDABLE.get(kind, {}).get(head)
    if target is None:
        raise ApiError(400, f"This property cannot be expanded ({path[:200]}).", param="expand", began=False)
    value = body[head]
    if isinstance(value, str):
        found_one = session.find(target, value)
        if found_one is None:
            return
        value = body[head] = session.public(found_one)
    if rest and value is not None:
        _expand(session, value, rest, path)


def _route(method: str, template: str, handler: Callable[..., Json], spec: Spec | None = None) -> Route:
    return Route(method, re.compile(template.replace(":id", "([^/]+)")), handler, spec or {})


def _list(template: str, kind: str, columns: Mapping[str, str] | None = None, extra: Spec | None = None) -> Route:
    columns = columns or {}
    spec = {**PAGE, **{name: text(512) for name in columns}, **(extra or {})}
    url = template.replace(":id", "{}")
    return _route("GET", template, lister(kind, url, columns), spec)


_METHODS = {"type": "label = ?"}
_OF_CHARGE = {"charge": "charge = ?", "payment_intent": "payment_intent = ?"}
_CUSTOMER = {"customer": "customer = ?"}

_ROUTES = (
    _list("/v1/customers", "customer", {"email": "label = ?"}),
    _route("POST", "/v1/customers", customers.create, customers.CREATE),
    _route("GET", "/v1/customers/:id", customers.retrieve),
    _route("POST", "/v1/customers/:id", customers.update, customers.UPDATE),
    _route("DELETE", "/v1/customers/:id", customers.delete),
    _list("/v1/customers/:id/payment_methods", "payment_method", _METHODS),
    _route("GET", "/v1/customers/:id/payment_methods/:id", payment_methods.retrieve_for_customer),
    _list("/v1/payment_methods", "payment_method", {**_METHODS, **_CUSTOMER}),
    _route("POST", "/v1/payment_methods", payment_methods.create, payment_methods.CREATE),
    _route("GET", "/v1/payment_methods/:id", payment_methods.retrieve),
    _route("POST", "/v1/payment_methods/:id", payment_methods.update, payment_methods.UPDATE),
    _route("POST", "/v1/payment_methods/:id/attach", payment_methods.attach, payment_methods.ATTACH),
    _route("POST", "/v1/payment_methods/:id/detach", payment_methods.detach),
    _list("/v1/payment_intents", "payment_intent", _CUSTOMER),
    _route("POST", "/v1/payment_intents", payment_intents.create, payment_intents.CREATE),
    _route("GET", "/v1/payment_intents/:id", payment_intents.retrieve, {"client_secret": text(255)}),
    _route("POST", "/v1/payment_intents/:id", payment_intents.update, payment_intents.UPDATE),
    _route("POST", "/v1/payment_intents/:id/confirm", payment_intents.confirm, payment_intents.CONFIRM),
    _route("POST", "/v1/payment_intents/:id/capture", payment_intents.capture, payment_intents.CAPTURE),
    _route("POST", "/v1/payment_intents/:id/cancel", payment_intents.cancel, payment_intents.CANCEL),
    _list(
        "/v1/setup_intents",
        "setup_intent",
        {**_CUSTOMER, "payment_method": "json_extract(body, '$.payment_method') = ?"},
    ),
    _route("POST", "/v1/setup_intents", setup_intents.create, setup_intents.CREATE),
    _route("GET", "/v1/setup_intents/:id", setup_intents.retrieve, {"client_secret": text(255)}),
    _route("POST", "/v1/setup_intents/:id", setup_intents.update, setup_intents.UPDATE),
    _route("POST", "/v1/setup_intents/:id/confirm", setup_intents.confirm, setup_intents.CONFIRM),
    _route("POST", "/v1/setup_intents/:id/cancel", setup_intents.cancel, setup_intents.CANCEL),
    _list("/v1/charges", "charge", {**_CUSTOMER, "payment_intent": "payment_intent = ?"}),
    _route("GET", "/v1/charges/:id", charges.retrieve),
    _route("POST", "/v1/charges/:id", charges.update, charges.UPDATE),
    _list("/v1/refunds", "refund", _OF_CHARGE),
    _route("POST", "/v1/refunds", refunds.create, refunds.CREATE),
    _route("GET", "/v1/refunds/:id", refunds.retrieve),
    _route("POST", "/v1/refunds/:id", refunds.update, refunds.UPDATE),
    _list("/v1/disputes", "dispute", _OF_CHARGE),
    _route("GET", "/v1/disputes/:id", disputes.retrieve),
    _route("POST", "/v1/disputes/:id", disputes.update, disputes.UPDATE),
    _route("POST", "/v1/disputes/:id/close", disputes.close),
    _list("/v1/events", "event", {"type": "label GLOB ?"}, {"types": many(text(100))}),
    _route("GET", "/v1/events/:id", lambda session, identifier, given: session.at("event", identifier)),
)
