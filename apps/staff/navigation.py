"""The groups of the navigation. Everybody is shown what they may open, and a group that would be empty is left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from apps.core import mailbox


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

    def entry(self, request: HttpRequest) -> dict[str, Any] | None:
        if not self.is_open(request):
            return None
        return {"title": self.title, "icon": self.icon, "link": reverse(self.view)}


def mails_are_kept(request: HttpRequest) -> bool:
    """The mails of the demo are read by anybody of the staff."""
    return mailbox.is_open()


def everybody(request: HttpRequest) -> bool:
    return True


GROUPS: tuple[tuple[str, tuple[Table | Page, ...]], ...] = (
    ("", (Page("admin:index", "space_dashboard", "Dashboard", everybody),)),
    (
        "Bookings",
        (
            Table("bookings.Booking", "event_available"),
            Table("availability.Allocation", "calendar_month", "Calendar"),
            Table("availability.Block", "event_busy", "Blocks"),
        ),
    ),
    (
        "Money",
        (
            Table("payments.Bill", "receipt_long"),
            Table("payments.Charge", "credit_card"),
            Table("payments.Refund", "undo"),
            Table("payments.Dispute", "gavel"),
            Table("payments.WebhookEvent", "webhook", "Processor events"),
        ),
    ),
    ("Catalogue", (Table("listings.Listing", "storefront"), Table("reviews.Review", "reviews"))),
    (
        "People",
        (
            Table("users.User", "group", "Accounts"),
            Table("users.Session", "devices"),
            Table("auth.Group", "admin_panel_settings", "Staff roles"),
        ),
    ),
    (
        "Messages",
        (
            Table("notifications.Letter", "mail"),
            Table("notifications.Notification", "notifications"),
            Page("mails", "drafts", "Mails of the demo", mails_are_kept),
        ),
    ),
    (
        "Integrations",
        (
            Table("integrations.WebhookEndpoint", "hub", "Endpoints"),
            Table("integrations.WebhookDelivery", "outbound", "Deliveries"),
        ),
    ),
    ("Audit", (Table("audit.AuditEvent", "policy", "Audit events"),)),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What the theme draws at the side."""
    shown = []
    for title, items in GROUPS:
        entries = [entry for item in items if (entry := item.entry(request)) is not None]
        if entries:
            shown.append({"title": title, "separator": False, "collapsible": False, "items": entries})
    return shown
