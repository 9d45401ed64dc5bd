"""Where one click ends mails of a sort. The address is the authority: nobody signs in to get less mail."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.core.secret_pages import closed, closed_page
from apps.notifications.models import NotificationType
from apps.notifications.preferences import is_subscribed, is_unsubscribe_path, subscribe

SORTS = {
    NotificationType.BOOKING_REMINDER: "reminders of what is about to begin or to end",
    NotificationType.BOOKING_ENDED: "invitations to review",
    NotificationType.REVIEW_RECEIVED: "reviews of your listings",
    NotificationType.REVIEW_REPLIED: "answers to your reviews",
    NotificationType.CALENDAR_CONFLICT: "calendars of yours that are at odds",
}


# A mail program posts here by itself, and has no cookie of ours.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, who: str, type: str, secret: str) -> HttpResponse:  # noqa: A002 - as in the address
    """`/unsubscribe/<who>/<type>/<secret>`: POST turns the mails off (RFC 8058), or with `again` on; GET asks first.

    Programs that follow every link of a mail change nothing. 404 for what was never given out.
    """
    if not is_unsubscribe_path(who=who, type=type, secret=secret):
        return closed(HttpResponse("There is no such page.", status=HTTPStatus.NOT_FOUND, content_type="text/plain"))
    sort = NotificationType(type)
    if request.method == "POST":
        subscribe(who=who, type=sort, wanted="again" in request.POST, now=timezone.now())
    told = {"sort": SORTS[sort], "is_subscribed": is_subscribed(who=who, type=sort)}
    return closed_page(request, "notifications/unsubscribe.html", told, has_form=True)
