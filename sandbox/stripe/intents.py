"""What PaymentIntents and SetupIntents share: choosing the PaymentMethod, asking for authentication, wrong moves."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.stripe import payment_methods
from sandbox.stripe.cards import Decline
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Spec, anything, boolean, gone, many, nested, one_of, text
from sandbox.stripe.session import Json, Session
from sandbox.stripe.store import new_id

AUTOMATIC: Spec = {"enabled": boolean, "allow_redirects": one_of("always", "never")}
AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this {label} again."
)

# What Stripe shows where nothing was asked for.
OPTIONS: Json = {"card": {"request_three_d_secure": "automatic"}}

CONFIRMING: Spec = {
    "allowed_payment_method_types": many(text(50)),
    "excluded_payment_method_types": many(text(50)),
    "mandate_data": anything,
    "payment_method": text(255),
    "payment_method_types": gone,
    "payment_method_data": nested(payment_methods.CREATE),
    "payment_method_options": anything,
    "return_url": text(2_048),
    "use_stripe_sdk": boolean,
}


def chosen_method(session: Session, given: Json) -> Json | None:
    """The PaymentMethod that the parameters name or describe, or None; raises ApiError 400 or 402."""
    if given.get("payment_method_data"):
        return payment_methods.create(session, given["payment_method_data"])
    if given.get("payment_method"):
        return payment_methods.resolve(session, given["payment_method"], "payment_method")
    return None


def check_owner(method: Json, customer: str | None, label: str) -> None:
    """Raises ApiError 400 where the PaymentMethod is another customer's, or spent."""
    if method["customer"] != customer and method["customer"] is not None:
        if customer is None:
            message = (
                f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please include the "
                f"Customer in the `customer` parameter on the {label}."
            )
        else:
            message = (
                f"The customer {customer} does not match the expected customer {method['customer']} of the "
                f"PaymentMethod {method['id']}."
            )
        raise ApiError(400, message, param="payment_method")
    payment_methods.refuse_spent(method)


def check_type(method: Json, intent: Json) -> None:
    """Raises ApiError 400 where the intent does not take PaymentMethods of this type."""
    allowed, excluded = intent["allowed_payment_method_types"], intent["excluded_payment_method_types"]
    if (allowed and method["type"] not in allowed) or (excluded and method["type"] in excluded):
        label = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise ApiError(
            400,
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {label}. Please attach a "
            "PaymentMethod of a type that it takes.",
            code="payment_method_unexpected_type",
            param="payment_method",
        )


def return_url(given: Json) -> str | None:
    """The return_url of the parameters; raises ApiError 400 unless it is an absolute web address."""
    url: str | None = given.get("return_url")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or (parts.scheme in ("http", "https") and not parts.netloc):
        raise ApiError(400, f"Not a valid URL: {url[:100]}", code="url_invalid", param="return_url", began=False)
    if parts.scheme in ("javascript", "data", "vbscript") or any(ord(letter) < 33 for letter in url):
        raise ApiError(400, f"Not a valid URL: {url[:100]}", code="url_invalid", param="return_url", began=False)
    return url


def require_return_url(intent: Json, label: str) -> None:
    """Raises ApiError 400 where a payment method might redirect the customer and there is nowhere to come back to."""
    automatic = intent["automatic_payment_methods"]
    if not automatic or automatic["allow_redirects"] == "never" or intent["_hidden"].get("return_url"):
        return
    raise ApiError(
        400,
        f"This {label} is configured to accept payment methods enabled in your Dashboard. Because some of these "
        "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you "
        "don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
    )


def automatic(given: Json) -> Json | None:
    """The `automatic_payment_methods` of a new intent: on unless its types are given."""
    asked = given.get("automatic_payment_methods")
    exclusive = ("allowed_payment_method_types", "automatic_payment_methods", "excluded_payment_method_types")
    named = [name for name in exclusive if given.get(name)]
    if "allowed_payment_method_types" in named and len(named) > 1:
        raise ApiError(
            400, f"You may only specify one of these parameters: {', '.join(named)}.", param=named[0], began=False
        )
    if asked is not None:
        if "enabled" not in asked:
            raise ApiError(
                400,
                "Missing required param: automatic_payment_methods[enabled].",
                code="parameter_missing",
                param="automatic_payment_methods[enabled]",
                began=False,
            )
        if not asked["enabled"]:
            return None
        return {"allow_redirects": asked.get("allow_redirects", "always"), "enabled": True}
    if given.get("allowed_payment_method_types"):
        return None
    return {"allow_redirects": "always", "enabled": True}


def ask_for_authentication(session: Session, intent: Json) -> None:
    """Moves the intent to `requires_action`, with the page on which the customer finishes it."""
    token = new_id("x", 32)[2:]
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": intent["_hidden"].get("return_url"),
            "url": f"/redirect/authenticate/{intent['id']}/{token}",
        },
    }
    intent["_hidden"] = intent["_hidden"] | {"challenge": token}
    session.save(intent)
    session.emit(f"{intent['object']}.requires_action", intent)


def failure(session: Session, decline: Decline, method: Json, charge: str | None = None) -> Json:
    """The `last_payment_error` or `last_setup_error` of a refusal."""
    error = payment_methods.card_error(decline).error
    if charge is not None:
        error = {"charge": charge, **error}
    return error | {"payment_method": session.public(method)}


def failed_authentication(session: Session, intent: Json, method: Json) -> Json:
    """The `last_payment_error` or `last_setup_error` of an authentication that failed."""
    payment = intent["object"] == "payment_intent"
    code = "payment_intent_authentication_failure" if payment else "setup_intent_authentication_failure"
    return {
        "code": code,
        "doc_url": f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}",
        "message": AUTHENTICATION_FAILED.format(label="PaymentIntent" if payment else "SetupIntent"),
        "payment_method": session.public(method),
        "type": "invalid_request_error",
    }


def wrong_move(session: Session, intent: Json, message: str) -> ApiError:
    """The 400 for a move that the intent's status does not allow, with the intent inside."""
    name = intent["object"]
    error = ApiError(400, message, code=f"{name}_unexpected_state")
    error.error[name] = session.public(intent)
    return error
