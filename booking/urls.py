"""Where each path goes."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, re_path
from django.views.static import serve

from apps.bookings.feeds import calendar_feed
from apps.bookings.views import after_payment_page, booking_page, receipt_page, ticket_picture
from apps.bookings.webhooks import stripe_webhook
from apps.core.views import mail, mails
from apps.hosting.views import listing_feed
from apps.notifications.views import unsubscribe
from apps.payments.gateway.attempts import RETURN_PATH
from apps.staff.desk.views import act_page, stuck_page, why_page
from apps.users.admin_password import own_password
from apps.users.views import (
    reset_password_page,
    sign_in_elsewhere,
    signed_in_elsewhere,
    signing_keys,
    verify_email_page,
)
from booking.limits import limited
from booking.watching.pages import watching_page
from schema.views import graphql_view


def to_graphql(request: HttpRequest) -> HttpResponse:
    """A browser that opens the bare address lands in GraphiQL."""
    return HttpResponseRedirect("/graphql")


def no_icon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for an icon beside every page. There is none, and that is no mistake to log."""
    return HttpResponse(status=204)


handler400 = "booking.refusals.bad_request"
handler404 = "booking.refusals.not_found"
handler500 = "booking.refusals.broken"

urlpatterns = [
    path("", to_graphql),
    path("favicon.ico", no_icon),
    path("graphql", graphql_view),
    re_path(r"^(?:healthz|readyz|metrics)$", watching_page),
    path("webhooks/stripe", stripe_webhook),
    path(RETURN_PATH.removeprefix("/"), after_payment_page),
    re_path(r"^receipts/(?P<address>[0-9a-f-]{1,100}(?:\.pdf)?)$", receipt_page),
    re_path(r"^bookings/(?P<reference>[0-9A-Za-z]{6,10})$", booking_page),
    re_path(r"^calendars/(?P<address>[0-9a-f-]{1,100})\.ics$", calendar_feed),
    re_path(r"^calendars/listings/(?P<address>[0-9a-f-]{1,100})\.ics$", listing_feed),
    re_path(r"^tickets/(?P<code>[0-9A-Za-z-]{1,60})\.(?P<form>svg|png)$", ticket_picture),
    re_path(
        r"^unsubscribe/(?P<who>u[1-9][0-9]{0,17}|a[0-9a-f]{64})/(?P<type>[A-Z_]{1,20})/(?P<secret>[0-9a-f]{64})$",
        unsubscribe,
    ),
    path(".well-known/jwks.json", signing_keys),
    path("auth/<str:name>/login", limited(sign_in_elsewhere)),
    path("auth/<str:name>/callback", limited(signed_in_elsewhere)),
    path("verify-email", limited(verify_email_page)),
    path("reset-password", limited(reset_password_page)),
    path("admin/mails/", admin.site.admin_view(mails), name="mails"),
    path("admin/mails/<str:name>", admin.site.admin_view(mail), name="mail"),
    path("admin/stuck/", admin.site.admin_view(stuck_page), name="stuck"),
    path("admin/why/", admin.site.admin_view(why_page), name="why"),
    path(
        "admin/act/<str:app_label>/<str:model_name>/<int:pk>/<str:name>/", admin.site.admin_view(act_page), name="act"
    ),
    path("admin/password_change/", admin.site.admin_view(own_password, cacheable=True)),
    path("admin/", admin.site.urls),
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
]
