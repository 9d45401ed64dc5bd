"""Which sessions go on, asked for many at once by whoever keeps connections open."""

from collections.abc import Mapping

from apps.users.models import Session, User
from apps.users.policies import is_good_enough


def viewers_still_in(*, token_versions: Mapping[int, int]) -> dict[int, User]:
    """The accounts whose session goes on and whose tokens of that version were not called back, by session.

    None without the second factor that it has to have. Each has `current_session` set, like an account whose token was just
    accepted. One query, none for nobody.
    """
    if not token_versions:
        return {}
    rows = Session.objects.select_related("user").filter(
        pk__in=list(token_versions), ended_at=None, user__is_active=True
    )
    found: dict[int, User] = {}
    for session in rows:
        user = session.user
        if user.token_version == token_versions[session.pk] and is_good_enough(session, user=user):
            user.current_session = session
            found[session.pk] = user
    return found
