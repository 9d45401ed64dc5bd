"""The groups of the navigation. Everybody is shown what they may open, and a group that would be empty is left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from apps.core import mailbox
from apps.staff.desk.views import count_of_stuck, sees_money


@dataclass(frozen=True, slots=True)
class Table:
    """The list of a model, which is named "app.Model". `icon` is a name of Material Symbols."""

    model: str
    icon: str
    title: str = ""

    def entry(self, request: HttpRequest) -> dict[str, Any] | None:
        model = apps.get_model(self.model)
        if not admin.site._registry[model].has_view_or_change_permission(request):
            return None
        link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        title = self.title or str(model._meta.verbose_name_plural).capitalize()
        return {"title": title, "icon": self.icon, "link": link}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that stands on no table, for those of whom `is_open` is true. `view` is the name of its address."""

    view: str
    icon: str
    title: str
    is_open: Callable[[HttpRequest], bool]
    # How much waits there; nothing is shown beside the title where it is 0.
    count: Callable[[HttpRequest], int] | None = None

    def entry(self, request: HttpRequest) -> dict[str, Any] | None:
        if not self.is_open(request):
            return None
        entry: dict[str, Any] = {"title": self.title, "icon": self.icon, "link": reverse(self.view)}
        waiting = 0 if self.count is None else self.count(request)
        return {**entry, "badge": waiting} if waiting else entry


def mails_are_kept(request: HttpRequest) -> bool:
    """Mails hold the links that open accounts, so a superuser alone reads them."""
    return mailbox.is_open() and request.user.is_superuser


def sees_listings(request: HttpRequest) -> bool:
    """Who looks after listings may ask why they cannot be booked."""
    return request.user.has_perm("listings.view_listing")


def everybody(request: HttpRequest) -> bool:
    return True


GROUPS: tuple[tuple[str, tuple[Table | Page, ...]], ...] = (
    ("", (Page("admin:index", "space_dashboard", "Dashboard", everybody),)),
    (
        "Bookings",
        (
            Table("bookings.Booking", "event_available"),
            Table("bookings.BookingEvent", "history", "Moves"),
            Table("bookings.BookingLine", "list_alt", "Lines"),
            Table("availability.Allocation", "calendar_month", "Calendar"),
            Table("availability.Block", "event_busy", "Blocks"),
            Page("why", "help_center", "Why unavailable?", sees_listings),
        ),
    ),
    (
        "Money",
        (
            Page("stuck", "hourglass_disabled", "Stuck money", sees_money, count_of_stuck),
            Table("payments.Bill", "receipt_long"),
            Table("payments.Charge", "credit_card"),
            Table("payments.Refund", "undo"),
            Table("payments.Dispute", "gavel"),
            Table("payments.WebhookEvent", "webhook", "Processor events"),
            Table("payments.Discrepancy", "difference"),
            Table("payments.DealtWith", "task_alt", "Dealt with"),
            Table("payments.Card", "wallet"),
            Table("payments.Customer", "badge"),
            Table("payments.ReceiptCounter", "pin"),
        ),
    ),
    (
        "Catalogue",
        (
            Table("listings.Listing", "storefront"),
            Table("property.Property", "cottage"),
            Table("service.Service", "spa"),
            Table("service.OpeningHours", "schedule", "Opening hours"),
            Table("event.Event", "local_activity"),
            Table("parking.ParkingSpot", "local_parking"),
            Table("availability.Unit", "meeting_room"),
            Table("availability.Stock", "confirmation_number", "Tickets"),
            Table("listings.Image", "photo_library", "Pictures"),
            Table("reviews.Review", "reviews"),
            Table("hosting.ImportedCalendar", "sync_alt"),
            Table("hosting.ListingFeed", "rss_feed"),
            Table("listings.Word", "spellcheck", "Words of searches"),
        ),
    ),
    (
        "People",
        (
            Table("users.User", "group", "Accounts"),
            Table("users.Session", "devices"),
            Table("auth.Group", "admin_panel_settings", "Staff roles"),
            Table("auth.Permission", "lock_open"),
            Table("staff.SecondFactor", "phonelink_lock"),
            Table("staff.BackupCode", "password"),
            Table("users.TrustedIdentity", "verified_user"),
            Table("users.RefreshToken", "key"),
            Table("users.MailToken", "link", "Mailed links"),
            Table("users.UsedAssertion", "task_alt"),
        ),
    ),
    (
        "Messages",
        (
            Table("notifications.Letter", "mail"),
            Table("notifications.Notification", "notifications"),
            Table("notifications.Announcement", "campaign"),
            Table("notifications.Reminder", "alarm"),
            Table("notifications.NotificationSettings", "tune"),
            Table("notifications.MutedAddress", "notifications_off"),
            Page("mails", "drafts", "Mails of the demo", mails_are_kept),
        ),
    ),
    (
        "Integrations",
        (
            Table("integrations.WebhookEndpoint", "hub", "Endpoints"),
            Table("integrations.WebhookDelivery", "outbound", "Deliveries"),
            Table("integrations.WebhookAttempt", "replay", "Tries"),
            Table("integrations.WebhookEvent", "bolt", "Events for integrators"),
        ),
    ),
    (
        "Audit",
        (
            Table("audit.AuditEvent", "policy", "Audit events"),
            Table("admin.LogEntry", "edit_note", "Admin log"),
            Table("core.OutboxMessage", "outbox", "Outbox"),
            Table("core.PromisedJob", "update", "Promised jobs"),
            Table("core.IdempotencyKey", "fingerprint", "Idempotency keys"),
            Table("live.LiveEvent", "sensors", "Live events"),
        ),
    ),
)
# Closed unless somebody is in them: what is looked at now and then.
FOLDED = {"Catalogue", "People", "Messages", "Integrations", "Audit"}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What the theme draws at the side."""
    shown = []
    for title, items in GROUPS:
        entries = [entry for item in items if (entry := item.entry(request)) is not None]
        if entries:
            shown.append({"title": title, "separator": False, "collapsible": title in FOLDED, "items": entries})
    return shown


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """What stands behind somebody's own name, beside the password."""
    if settings.STAFF_TWO_FACTOR == "off" or not request.user.is_authenticated:
        return []
    if getattr(request.user, "otp_device", None) is None:
        return [{"title": "Set up a second factor", "link": reverse("admin:second_factor_set_up")}]
    return [{"title": "New backup codes", "link": reverse("admin:backup_codes")}]
