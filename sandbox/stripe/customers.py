"""Customers."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import payment_methods
from sandbox.stripe.errors import no_such
from sandbox.stripe.params import Spec, anything, integer, many, metadata, nested, one_of, text
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

_FIELDS: Spec = {
    "address": anything,
    "balance": integer(),
    "business_name": text(150),
    "description": text(),
    "email": text(512),
    "individual_name": text(150),
    "invoice_prefix": text(12),
    "invoice_settings": nested({"default_payment_method": text(255)}),
    "metadata": metadata,
    "name": text(256),
    "phone": text(20),
    "preferred_locales": many(text(20)),
    "shipping": anything,
    "tax_exempt": one_of("exempt", "none", "reverse"),
}
CREATE: Spec = {**_FIELDS, "payment_method": text(255)}
UPDATE: Spec = _FIELDS


def create(session: Session, given: Json) -> Json:
    """POST /v1/customers."""
    customer: Json = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": session.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("x", 8)[2:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    method = given.pop("payment_method", None)
    _apply(customer, given)
    session.add(customer)
    session.emit("customer.created", customer)
    if method:
        payment_methods.attach_to(session, payment_methods.resolve(session, method, "payment_method"), customer["id"])
    _check_default(session, customer)
    return customer


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/customers/:id; a deleted one is shown as such."""
    return session.at("customer", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/customers/:id."""
    customer = _living(session, identifier)
    before = dict(customer)
    _apply(customer, given)
    _check_default(session, customer)
    session.save(customer)
    session.emit("customer.updated", customer, before)
    return customer


def delete(session: Session, identifier: str, given: Json) -> Json:
    """DELETE /v1/customers/:id; its payment methods are detached."""
    customer = _living(session, identifier)
    session.emit("customer.deleted", customer)
    for method in session.all("payment_method", customer=identifier):
        payment_methods.detach_from(session, method)
    gone: Json = {"id": identifier, "object": "customer", "deleted": True}
    session.save(gone)
    return gone


def living(session: Session, identifier: str | None) -> str | None:
    """The id of the customer that a parameter names; raises ApiError 400 where there is none."""
    return session.named("customer", identifier, "customer")["id"] if identifier else None


def _living(session: Session, identifier: str) -> Json:
    customer = session.at("customer", identifier)
    if customer.get("deleted"):
        raise no_such("customer", identifier, param="id", status=404)
    return customer


def _apply(customer: Json, given: dict[str, Any]) -> None:
    if "metadata" in given:
        customer["metadata"] = merge_metadata(customer["metadata"], given["metadata"])
    if "invoice_settings" in given:
        customer["invoice_settings"] = customer["invoice_settings"] | (given["invoice_settings"] or {})
    for name, value in given.items():
        if name not in ("metadata", "invoice_settings"):
            customer[name] = value


def _check_default(session: Session, customer: Json) -> None:
    default = customer["invoice_settings"]["default_payment_method"]
    if default:
        session.named("payment_method", default, "invoice_settings[default_payment_method]")
