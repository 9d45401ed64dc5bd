"""The mails about accounts: one may arrive twice, its link still works once."""

from datetime import timedelta
from functools import partial
from smtplib import SMTPException

from celery import shared_task
from django.utils import timezone

from apps.core.promises import KeptTask
from apps.users import mails
from apps.users.actions.credentials import mail_reset_link
from apps.users.actions.mail_tokens import secret_of
from apps.users.models import MailToken

# Later nobody waits for it any more, and who gets it takes fright.
USEFUL_FOR = timedelta(days=1)

# A mail server that is away for an hour costs no mail: 10 s, 20 s, 40 s ... 10 min.
persistent_task = partial(
    shared_task,
    base=KeptTask,
    useful_for=USEFUL_FOR,
    autoretry_for=(OSError, SMTPException),
    retry_backoff=10,
    retry_backoff_max=600,
    max_retries=12,
)


@persistent_task(name="users.mail_link")
def mail_link(*, token_id: int) -> None:
    now = timezone.now()
    token = MailToken.objects.select_related("user").filter(pk=token_id, used_at=None).first()
    if token is not None and token.expires_at > now:
        mails.send_link(token=token, secret=secret_of(token), now=now)


@shared_task(name="users.mail_password_reset", base=KeptTask, useful_for=USEFUL_FOR)
def mail_password_reset(*, email: str) -> None:
    mail_reset_link(email=email, now=timezone.now())


@persistent_task(name="users.mail_email_change_notice")
def mail_email_change_notice(*, email: str) -> None:
    mails.send_email_change_notice(email=email, now=timezone.now())
