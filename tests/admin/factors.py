"""Second factors of accounts, and codes as their apps make them."""

from django.utils import timezone

from apps.staff import actions, codes
from apps.staff.models import SecondFactor
from apps.users.models import User


def secret_of(user: User) -> str:
    return SecondFactor.objects.get(user=user).secret


def step_now() -> int:
    return int(timezone.now().timestamp()) // codes.STEP_SECONDS


def code_now(user: User) -> str:
    """What the app shows."""
    return codes.code_at(secret_of(user), step_now())


def with_factor(user: User) -> list[str]:
    """Set up a minute ago, so that the codes of now are new. Returns the backup codes."""
    now = timezone.now()
    actions.begin_second_factor(user=user, now=now)
    _, backup = actions.confirm_second_factor(user=user, code=codes.code_at(secret_of(user), step_now() - 1), now=now)
    return backup
