"""What the mails about accounts say."""

from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings

from apps.core import mail
from apps.users.models import MailPurpose, MailToken

_SUBJECTS = {MailPurpose.VERIFY_EMAIL: "Verify your email address", MailPurpose.RESET_PASSWORD: "Set a new password"}
_PATHS = {MailPurpose.VERIFY_EMAIL: "verify-email", MailPurpose.RESET_PASSWORD: "reset-password"}
_TEXTS = {
    MailPurpose.VERIFY_EMAIL: """{greeting},

please confirm that this address is yours:

{link}

The link works once, within 3 days. If you have no account here, you need not do anything.
""",
    MailPurpose.RESET_PASSWORD: """{greeting},

somebody asked for a new password for your account. To set one, open:

{link}

The link works once, within an hour. If it was not you, you need not do anything: your password stays as it is.
""",
}


def send_link(*, token: MailToken, secret: str, now: datetime) -> None:
    """The mail whose link carries the secret."""
    purpose = MailPurpose(token.purpose)
    link = f"{settings.PUBLIC_URL}/{_PATHS[purpose]}?{urlencode({'token': secret})}"
    mail.send(
        to=token.email,
        subject=_SUBJECTS[purpose],
        text=_TEXTS[purpose].format(greeting=_greeting(token), link=link),
        now=now,
    )


def _greeting(token: MailToken) -> str:
    """By name only who is known to read this mailbox: to others the name would be a stranger's text, sent by us."""
    user = token.user
    is_known = user.email_verified_at is not None and user.email == token.email
    return f"Hello {user.first_name}" if is_known and user.first_name else "Hello"


def send_email_change_notice(*, email: str, now: datetime) -> None:
    """Tells the old address that another one is about to take its place. It does not say which."""
    mail.send(
        to=email,
        subject="Your email address is being changed",
        text="""Hello,

somebody who knows your password asked to use another email address for your account. The change takes effect when the new
address is confirmed.

If it was not you, change your password now: that ends every other session.
""",
        now=now,
    )
