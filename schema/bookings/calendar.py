"""The signed-in person's bookings for their calendar program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import graphene

from apps.bookings.feeds import feed_url
from schema.core.errors import Forbidden

if TYPE_CHECKING:
    from apps.users.models import User
    from schema.core.context import Info


class ViewerCalendar:
    """Mixed into Viewer. `parent` is the account."""

    calendar_url = graphene.String(
        required=True,
        description="The secret iCal feed of this person's live bookings; another password makes another address.",
    )

    def resolve_calendar_url(parent: User, info: Info) -> str:
        # Whoever follows the link of a mail is shown the account without being signed in; the feed's secret outlives the link.
        if info.context.require_user().pk != parent.pk:
            raise Forbidden
        return feed_url(parent)
