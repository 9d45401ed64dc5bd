"""The processor's door: check the signature, keep the event, answer at once."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.bookings.actions import receive_event
from apps.payments.gateway import BadSignature, read_event

LARGEST_BODY = 512 * 1024


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """200 for what Stripe signed, new or seen before; 400 for anything else, and nothing changes."""
    # Never more than that is read, whatever the headers say of its length.
    payload = request.read(LARGEST_BODY + 1)
    if len(payload) > LARGEST_BODY:
        return HttpResponse("The body is too large.", status=413, content_type="text/plain")
    try:
        event = read_event(payload=payload, signature=request.headers.get("Stripe-Signature", ""))
    except BadSignature:
        return HttpResponse("The signature is missing or wrong.", status=400, content_type="text/plain")
    receive_event(event=event, now=timezone.now())
    return HttpResponse("Kept.", content_type="text/plain")
