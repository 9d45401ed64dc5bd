"""Disputes: a test card's customer takes the money back through the bank."""

from __future__ import annotations

from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Spec, anything, boolean, metadata
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

UPDATE: Spec = {"evidence": anything, "metadata": metadata, "submit": boolean}

_DAYS_TO_ANSWER = 9
_OVER = frozenset(("won", "lost", "warning_closed"))


def open_dispute(session: Session, charge: Json, reason: str) -> Json:
    """A dispute over the whole charge; the money is withdrawn at once."""
    dispute: Json = {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": session.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": session.now + _DAYS_TO_ANSWER * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "chargeback",
                "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
            },
        },
        "reason": reason,
        "status": "needs_response",
    }
    session.add(dispute)
    session.emit("charge.dispute.created", dispute)
    session.emit("charge.dispute.funds_withdrawn", dispute)
    before = dict(charge)
    charge["disputed"] = True
    session.save(charge)
    session.emit("charge.updated", charge, before)
    return dispute


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/disputes/:id."""
    return session.at("dispute", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """
    POST /v1/disputes/:id. Evidence whose `uncategorized_text` is `winning_evidence` or `losing_evidence` decides it,
    as in Stripe's test mode.
    """
    dispute = session.at("dispute", identifier)
    before = dict(dispute)
    if "metadata" in given:
        dispute["metadata"] = merge_metadata(dispute["metadata"], given["metadata"])
    evidence = given.get("evidence")
    if evidence:
        _refuse_over(dispute)
        if not isinstance(evidence, dict):
            raise ApiError(400, "Invalid hash: evidence", param="evidence", began=False)
        dispute["evidence"] = dispute["evidence"] | evidence
        dispute["evidence_details"] = dispute["evidence_details"] | {"has_evidence": True}
        if given.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            dispute["status"] = "under_review"
    session.save(dispute)
    session.emit("charge.dispute.updated", dispute, before)
    if dispute["status"] == "under_review" and evidence:
        verdict = {"winning_evidence": "won", "losing_evidence": "lost"}.get(str(evidence.get("uncategorized_text")))
        if verdict is not None:
            _decide(session, dispute, verdict)
    return dispute


def close(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/disputes/:id/close: gives in."""
    dispute = session.at("dispute", identifier)
    _refuse_over(dispute)
    _decide(session, dispute, "lost")
    return dispute


def _decide(session: Session, dispute: Json, status: str) -> None:
    dispute["status"] = status
    session.save(dispute)
    session.emit("charge.dispute.closed", dispute)
    if status == "won":
        session.emit("charge.dispute.funds_reinstated", dispute)


def _refuse_over(dispute: Json) -> None:
    if dispute["status"] in _OVER:
        raise ApiError(400, "This dispute is already closed", code="dispute_already_closed", param="dispute")
