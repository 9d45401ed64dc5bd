"""What is kept of sign-ins and links once they are over, and for how long."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession

from apps.core.tidying import delete_in_batches
from apps.users.models import MailToken, RefreshToken, Session, UsedAssertion

# How long a session that is over still says from which network its owner once came.
SESSION_MEMORY = timedelta(days=180)
# Longer than anything that is counted by links, which is an hour.
LINK_MEMORY = timedelta(days=1)
# Longer than a clock can differ.
ASSERTION_MEMORY = timedelta(hours=1)


def forget_expired(*, now: datetime) -> None:
    """Delete tokens and links that have run out, and sessions that were over long ago.

    A refresh token that was used is kept until it would have run out: until then it is noticed when it comes again.
    """
    delete_in_batches(RefreshToken.objects.filter(expires_at__lte=now))
    delete_in_batches(MailToken.objects.filter(expires_at__lte=now - LINK_MEMORY))
    delete_in_batches(UsedAssertion.objects.filter(expires_at__lte=now - ASSERTION_MEMORY))
    unused = timedelta(seconds=settings.REFRESH_TOKEN_SECONDS) + SESSION_MEMORY
    delete_in_batches(Session.objects.filter(last_used_at__lte=now - unused))
    delete_in_batches(BrowserSession.objects.filter(expire_date__lte=now))
