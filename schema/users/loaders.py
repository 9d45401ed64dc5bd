"""Batches for what hangs off an account."""

from __future__ import annotations

from apps.bookings.selectors import are_sides
from apps.core.keyset import keys as order_by
from apps.listings.selectors import visible_to, with_relations
from apps.reviews.selectors import visible_to as reviews_visible_to
from apps.users.models import User
from apps.users.selectors import visible_users
from schema.core.context import Context
from schema.core.pagination import NEWEST, Connection, Page, paginate_many

NEWEST_ACCOUNTS = order_by("-joined_at", "-id")


def profiles_by_id(context: Context, keys: list[int]) -> dict[int, User]:
    """The accounts whose profile the caller may open."""
    return visible_users(viewer=context.user, ids=keys)


def deals_with_viewer(context: Context, keys: list[int]) -> dict[int, bool]:
    """Whether each account is the other side of a booking of the caller's."""
    sides = are_sides(viewer=context.user, user_ids=keys)
    return {pk: pk in sides for pk in keys}


def listing_pages(context: Context, keys: list[tuple[int, Page]]) -> dict[tuple[int, Page], Connection]:
    """The listings of many hosts, newest first, as far as the caller may see them."""
    return paginate_many(with_relations(visible_to(context.user)), NEWEST, keys, parent="host_id")


def written_review_pages(context: Context, keys: list[tuple[int, Page]]) -> dict[tuple[int, Page], Connection]:
    """The reviews that many people wrote, newest first, of listings that the caller may see."""
    return paginate_many(reviews_visible_to(context.user), NEWEST, keys, parent="author_id")
