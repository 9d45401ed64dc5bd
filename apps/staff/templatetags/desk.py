"""What the pages of the desk write again and again."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.acting import act_named, act_path
from apps.core.money import Money

register = template.Library()

TONES = {
    "SUCCEEDED": "good", "CONFIRMED": "good", "COMPLETED": "good", "CHECKED_IN": "good", "DELIVERED": "good", "won": "good",
    "FAILED": "bad", "EXPIRED": "bad", "NO_SHOW": "bad", "lost": "bad", "needs_response": "bad",
    "PENDING": "warn", "PROCESSING": "warn", "REQUIRES_ACTION": "warn", "PARTIALLY_REFUNDED": "warn", "REFUNDED": "warn",
    "CANCELED": "warn",
}  # fmt: skip


@register.filter
def path_of(row: Model | None) -> str:
    """The admin's page of the row; "" where it has none."""
    if row is None:
        return ""
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def linked(context: Any, row: Model | None, text: Any = "") -> SafeString | str:
    """The text, or the row's name, leading to the row's page where whoever reads may open that."""
    if row is None:
        return str(text)
    meta = row._meta
    path = path_of(row)
    if not path or not context["request"].user.has_perm(f"{meta.app_label}.view_{meta.model_name}"):
        return str(text or row)
    return format_html('<a href="{}">{}</a>', path, text or row)


@register.filter
def badge(status: str) -> SafeString:
    """A status, coloured."""
    shown = str(status).replace("_", " ").lower()
    return format_html('<span class="badge {}">{}</span>', TONES.get(str(status), ""), shown)


@register.filter
def at(moment: datetime | None) -> SafeString | str:
    """An instant in UTC, to the second."""
    if moment is None:
        return "-"
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S}")


@register.filter
def minor(row: Any) -> str:
    """The amount of a row of the ledger that keeps it in minor units."""
    currency = getattr(row, "currency", "") or row.charge.currency
    return str(Money(row.amount_minor, currency))


@register.filter
def age(since: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says something."""
    passed: timedelta = now - since
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if passed >= 2 * length:
            return f"{passed // length} {unit}"
    return "1 minute" if passed >= timedelta(minutes=1) else "now"


@register.simple_tag(takes_context=True)
def act_button(context: Any, row: Model, name: str, query: str = "") -> SafeString | str:
    """A way to an act on the row, for who may do it."""
    act = act_named(row._meta.label, name)
    if act is None or not context["request"].user.has_perm(act.permission):
        return ""
    path = act_path(row, name) + (f"?{query}" if query else "")
    return format_html('<a class="button small" href="{}">{}</a>', path, act.title)
