"""What is kept of sign-ins and links once they are over, and for how long."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession
from django.db.models import QuerySet

from apps.core.retention import Rule, days
from apps.users.models import MailToken, RefreshToken, Session, UsedAssertion

# Longer than anything that is counted by links, which is an hour.
LINK_MEMORY = timedelta(days=1)
# Longer than a clock can differ.
ASSERTION_MEMORY = timedelta(hours=1)


def _refresh_tokens(now: datetime) -> QuerySet[RefreshToken]:
    # One that was used is kept until it would have run out: until then it is noticed when it comes again.
    return RefreshToken.objects.filter(expires_at__lte=now)


def _sessions(now: datetime) -> QuerySet[Session]:
    # Until then one that is over still says from which network its owner once came.
    unused = timedelta(seconds=settings.REFRESH_TOKEN_SECONDS) + days("sessions")
    return Session.objects.filter(last_used_at__lte=now - unused)


def _links(now: datetime) -> QuerySet[MailToken]:
    return MailToken.objects.filter(expires_at__lte=now - LINK_MEMORY)


def _assertions(now: datetime) -> QuerySet[UsedAssertion]:
    return UsedAssertion.objects.filter(expires_at__lte=now - ASSERTION_MEMORY)


def _doors(now: datetime) -> QuerySet[BrowserSession]:
    return BrowserSession.objects.filter(expire_date__lte=now)


RULES = (
    Rule("refresh_tokens", "refresh tokens that have run out", _refresh_tokens),
    Rule("mail_links", "links in mails, a day after they ran out", _links),
    Rule("used_assertions", "words of trusted issuers that would be refused anyway", _assertions),
    Rule("sessions", "sessions that have been over for KEEP_SESSIONS_DAYS", _sessions),
    Rule("browser_sessions", "sign-ins to the admin that have run out", _doors),
)
