"""The pages of listings that are no GraphQL: opened by their secret address alone."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.hosting.addresses import listing_of_feed
from apps.hosting.listing_feed import feed_of


@require_safe
def listing_feed(request: HttpRequest, address: str) -> HttpResponse:
    """`/calendars/listings/<address>.ics`: when the listing is taken. 404 for what was never given out."""
    listing = listing_of_feed(address)
    if listing is None:
        response = HttpResponse("There is no such calendar.", status=404, content_type="text/plain")
    else:
        response = HttpResponse(feed_of(listing, now=timezone.now()), content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="listing.ics"'
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
