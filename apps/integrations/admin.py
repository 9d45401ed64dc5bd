"""Webhooks in Django admin: looked through, sent again, turned off. Nobody is shown a secret: none is stored."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline
from apps.integrations.actions import replay_delivery, update_endpoint
from apps.integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.integrations.payloads import body_of, encoded


class AttemptInline(ReadOnlyInline):
    model = WebhookAttempt
    fields = ("at", "status_code", "milliseconds", "answer", "error")
    ordering = ("pk",)
    show_change_link = False


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Owners write their endpoints; staff turns off what does harm, and on again."""

    list_display = (
        "id",
        "owner",
        "url",
        "is_for_all",
        "disabled_at",
        "disabled_reason",
        "failing_since",
        "last_delivered_at",
    )
    list_filter = ("disabled_reason", "is_for_all", ("failing_since", admin.EmptyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("=id", "=owner__email", "url")
    fields = (
        "owner", "url", "description", "types", "is_for_all", "created_at", "updated_at", "disabled_at", "disabled_reason",
        "failing_since", "failures", "paused_until", "last_tried_at", "last_delivered_at", "previous_secret_until",
    )  # fmt: skip
    actions = ("turn_off", "turn_on")

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.change_webhookendpoint")

    @admin.action(description="Turn the selected endpoints off", permissions=["switch"])
    def turn_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._switch(request, queryset, is_enabled=False)

    @admin.action(description="Turn the selected endpoints on", permissions=["switch"])
    def turn_on(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._switch(request, queryset, is_enabled=True)

    def _switch(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint], *, is_enabled: bool) -> None:
        self.do_each(
            request,
            queryset,
            lambda row, viewer, now: update_endpoint(viewer=viewer, endpoint_id=row.pk, is_enabled=is_enabled, now=now),
            done="Turned on" if is_enabled else "Turned off",
        )


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """The log of what was sent, with every try."""

    list_display = ("public_id", "endpoint", "kind", "status", "tries", "created_at", "next_try_at", "delivered_at")
    list_display_links = ("public_id",)
    list_filter = ("status", "event__type")
    list_select_related = ("endpoint", "event")
    search_fields = ("=public_id", "=event__public_id", "=event__topic", "=endpoint__id", "=endpoint__owner__email")
    fields = (
        "public_id", "endpoint", "event", "kind", "status", "tries", "created_at", "started_at", "next_try_at",
        "delivered_at", "message",
    )  # fmt: skip
    readonly_fields = ("kind", "message")
    inlines = (AttemptInline,)
    actions = ("replay",)

    @admin.display(description="type", ordering="event__type")
    def kind(self, delivery: WebhookDelivery) -> str:
        return delivery.event.type

    @admin.display(description="message")
    def message(self, delivery: WebhookDelivery) -> str:
        return encoded(body_of(delivery)).decode()

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.change_webhookdelivery")

    @admin.action(description="Send the selected messages again", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        self.do_each(
            request,
            queryset,
            lambda row, viewer, now: replay_delivery(viewer=viewer, delivery_id=str(row), now=now),
            done="Sent again",
        )


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """What happened that integrators wanted to know."""

    list_display = ("public_id", "type", "topic", "host_id", "at", "fanned_out_at")
    list_display_links = ("public_id",)
    list_filter = ("type",)
    search_fields = ("=public_id", "=topic", "=host_id")


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    """Every single try to deliver."""

    list_display = ("id", "delivery", "at", "status_code", "milliseconds", "error")
    list_select_related = ("delivery",)
    list_filter = ("status_code",)
    search_fields = ("=delivery__public_id",)
