"""All that is held about one person, in one document."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apps.audit.models import AuditEvent
from apps.availability.models import Block
from apps.bookings.models import Booking, BookingEvent
from apps.bookings.selectors import history_of, lines_of
from apps.bookings.states import Actor
from apps.core.money import Money
from apps.hosting.models import ImportedCalendar
from apps.integrations.models import WebhookEndpoint
from apps.integrations.selectors import endpoints_of
from apps.listings.models import Listing
from apps.notifications.models import Notification
from apps.notifications.preferences import locale_of, preferences_of
from apps.payments.models import Card, Charge, Refund
from apps.reviews.models import Review
from apps.users.models import Session, TrustedIdentity, User


def export_of(*, viewer: User, now: datetime) -> dict[str, Any]:
    """Everything about the viewer and nothing about anybody else, as JSON's own types.

    Of a booking or a review only this person's side: neither the other side's name nor what it wrote. No secret is in it: no
    password, token, or card beyond what is printed on a receipt.
    """
    return {
        "exportedAt": _instant(now),
        "profile": _profile(viewer),
        "signInsThrough": [
            {"issuer": row.issuer, "subject": row.subject, "since": _instant(row.created_at)}
            for row in TrustedIdentity.objects.filter(user=viewer).order_by("pk")
        ],
        "sessions": [_session(row) for row in Session.objects.filter(user=viewer).order_by("pk")],
        "listings": [_listing(row) for row in Listing.objects.filter(host=viewer, deleted_at=None).order_by("pk")],
        "calendars": [
            {"listing": row.listing.title, "name": row.name, "url": row.url, "since": _instant(row.created_at)}
            for row in ImportedCalendar.objects.select_related("listing").filter(listing__host=viewer).order_by("pk")
        ],
        "blocks": [
            {
                "listing": row.listing.title,
                "startsAt": _instant(row.period.lower),
                "endsAt": _instant(row.period.upper),
                "reason": row.reason,
            }
            for row in Block.objects.select_related("listing")
            .filter(listing__host=viewer, source="HOST")
            .order_by("pk")
        ],
        "bookings": _bookings(viewer),
        "payments": _payments(viewer),
        "cards": [
            {"brand": row.brand, "last4": row.last4, "expMonth": row.exp_month, "expYear": row.exp_year}
            for row in Card.objects.filter(user=viewer).order_by("pk")
        ],
        "reviews": [
            _review(row) for row in Review.objects.select_related("listing").filter(author=viewer).order_by("pk")
        ],
        "repliesToReviews": [
            {"listing": row.listing.title, "reply": row.reply, "repliedAt": _instant(row.replied_at)}
            for row in Review.objects.select_related("listing")
            .filter(listing__host=viewer)
            .exclude(reply=None)
            .order_by("pk")
        ],
        "notificationPreferences": {
            "locale": locale_of(user_id=viewer.pk),
            "muted": [
                {"type": each.type.value, "channel": each.channel.value}
                for each in preferences_of(viewer=viewer)
                if not each.enabled
            ],
        },
        "securityEvents": [
            {"at": _instant(row.at), "kind": row.kind, "address": row.address if row.actor_id == viewer.pk else None}
            for row in AuditEvent.objects.filter(user_id=viewer.pk).order_by("pk")
        ],
        "webhookEndpoints": [_endpoint(row) for row in endpoints_of(owner=viewer)],
        "notifications": [_notification(row) for row in Notification.objects.filter(recipient=viewer).order_by("pk")],
    }


def _profile(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "emailVerifiedAt": _instant(user.email_verified_at),
        "firstName": user.first_name,
        "lastName": user.last_name,
        "phoneNumber": user.phone_number,
        "profilePicture": user.profile_picture.url if user.profile_picture else None,
        "role": user.role,
        "joinedAt": _instant(user.joined_at),
        "updatedAt": _instant(user.updated_at),
        "lastSignInAt": _instant(user.last_login),
    }


def _session(row: Session) -> dict[str, Any]:
    return {
        "device": row.device,
        "createdAt": _instant(row.created_at),
        "lastUsedAt": _instant(row.last_used_at),
        "endedAt": _instant(row.ended_at),
    }


def _listing(row: Listing) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "status": row.status,
        "title": row.title,
        "description": row.description,
        "address": row.address,
        "city": row.city,
        "region": row.region,
        "country": row.country,
        "price": _money(row.price),
        "createdAt": _instant(row.created_at),
        "updatedAt": _instant(row.updated_at),
    }


def _bookings(viewer: User) -> list[dict[str, Any]]:
    rows = list(Booking.objects.select_related("listing", "bill").filter(guest=viewer).order_by("pk"))
    ids = [row.pk for row in rows]
    lines, history = lines_of(ids), history_of(ids)
    return [
        {
            "reference": row.reference,
            "status": row.status,
            "listing": row.listing.title,
            "email": row.email,
            "firstName": row.first_name,
            "lastName": row.last_name,
            "startsAt": _instant(row.period.lower),
            "endsAt": _instant(row.period.upper),
            "checkIn": _day(row.check_in),
            "checkOut": _day(row.check_out),
            "tickets": row.tickets,
            "guests": row.guests,
            "total": _money(row.bill.total),
            "paid": _money(row.bill.paid),
            "lines": [
                {"label": line.label, "quantity": str(line.quantity), "amount": _money(line.amount)}
                for line in lines[row.pk]
            ],
            "history": _history(history[row.pk]),
            "createdAt": _instant(row.created_at),
        }
        for row in rows
    ]


def _history(events: Iterable[BookingEvent]) -> list[dict[str, Any]]:
    """What happened; in their own words only what the guest said."""
    return [
        {"at": _instant(event.at), "type": event.type, "actor": event.actor}
        | ({"data": event.data} if event.actor == Actor.GUEST and event.data else {})
        for event in events
    ]


def _payments(viewer: User) -> list[dict[str, Any]]:
    rows = list(Charge.objects.filter(payer=viewer).order_by("pk"))
    references = dict(
        Booking.objects.filter(bill__in=[row.bill_id for row in rows]).values_list("bill_id", "reference")
    )
    refunds: dict[int, list[dict[str, Any]]] = {row.pk: [] for row in rows}
    for refund in Refund.objects.filter(charge__in=rows).order_by("pk"):
        refunds[refund.charge_id].append(
            {"amountMinor": refund.amount_minor, "status": refund.status, "createdAt": _instant(refund.created_at)}
        )
    return [
        {
            "booking": references.get(row.bill_id),
            "status": row.status,
            "amount": _money(row.amount),
            "refunded": _money(row.refunded),
            "refunds": refunds[row.pk],
            "cardBrand": row.card_brand,
            "cardLast4": row.card_last4,
            "receiptNumber": row.receipt_number,
            "createdAt": _instant(row.created_at),
            "paidAt": _instant(row.paid_at),
        }
        for row in rows
    ]


def _review(row: Review) -> dict[str, Any]:
    return {
        "listing": row.listing.title,
        "rating": row.rating,
        "comment": row.comment,
        "createdAt": _instant(row.created_at),
        "updatedAt": _instant(row.updated_at),
    }


def _endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    return {
        "url": row.url,
        "description": row.description,
        "events": row.types,
        "createdAt": _instant(row.created_at),
        "updatedAt": _instant(row.updated_at),
        "disabledAt": _instant(row.disabled_at),
        "lastDeliveredAt": _instant(row.last_delivered_at),
    }


def _notification(row: Notification) -> dict[str, Any]:
    return {
        "type": row.type,
        "title": row.title,
        "body": row.body,
        "createdAt": _instant(row.created_at),
        "readAt": _instant(row.read_at),
    }


def _money(amount: Money) -> dict[str, Any]:
    return {"amountMinor": amount.minor, "currency": amount.currency}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _day(day: Any) -> str | None:
    return None if day is None else str(day.isoformat())
