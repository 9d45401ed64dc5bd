"""What a session has to have been opened with for what its account may do."""

from django.conf import settings

from apps.users.models import Session, User, UserRole


def needs_second_factor(user: User) -> bool:
    """Whether the account does nothing without a second factor, set up or not."""
    return settings.STAFF_TWO_FACTOR == "required" and user.role == UserRole.STAFF


def is_good_enough(session: Session, *, user: User) -> bool:
    """Whether what opened the session is enough for what its account may do by now. Asks the database nothing."""
    return session.second_factor_at is not None or not needs_second_factor(user)
