"""What guests say of listings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import graphene

from apps.core.families import REVIEWS
from apps.core.rows import has_read
from apps.core.versions import only
from apps.reviews.models import Review as ReviewRow
from apps.reviews.selectors import SHOWN, visible_reviews
from apps.users.selectors import users_by_id
from schema.core.lookahead import Coming
from schema.core.nodes import Node, register_node
from schema.core.pagination import Connection, Page, connection_type, paginate_each, read_page
from schema.core.scalars import DateTime
from schema.core.selections import asked_below
from schema.listings.loaders import listings_by_id

if TYPE_CHECKING:
    from apps.users.models import User
    from schema.core.context import Context, Info
    from schema.core.loaders import Deferred


def authors_by_id(context: Context, user_ids: list[int]) -> dict[int, User]:
    """The accounts that wrote; what of them is shown, their type decides. Deleted accounts are nobody."""
    return {pk: user for pk, user in users_by_id(ids=user_ids).items() if user.deleted_at is None}


class Review(graphene.ObjectType):
    """What somebody who was there says of a listing."""

    class Meta:
        interfaces = (Node,)

    listing = graphene.Field("schema.listings.types.Listing", required=True, description="What it is about.")
    author = graphene.Field("schema.users.types.User", description="Who wrote it; null when the account is gone.")
    rating = graphene.Int(required=True, description="From 1 to 5; 0 for an imported review without one.")
    comment = graphene.String(required=True, description="What they say.")
    reply = graphene.String(description="What the host answers; null without an answer.")
    replied_at = DateTime(description="When the host answered.")
    created_at = DateTime(required=True, description="When it was written.")
    updated_at = DateTime(required=True, description="When it was last changed.")

    def resolve_listing(review: ReviewRow, info: Info) -> Any:
        return info.context.load(listings_by_id, review.listing_id)

    def resolve_author(review: ReviewRow, info: Info) -> Any:
        if review.author_id is None or not has_read(review, "author"):
            return None if review.author_id is None else info.context.load(authors_by_id, review.author_id)
        return review.author if review.author is not None and review.author.deleted_at is None else None

    def resolve_rating(review: ReviewRow, info: Info) -> int:
        return review.rating or 0

    def resolve_reply(review: ReviewRow, info: Info) -> str | None:
        return review.reply or None


ReviewConnection = connection_type(Review)
Pages = dict[tuple[int, Page], Connection]

# What is shown with no more than BRIEF of each review, wherever below the list it is asked for.
BRIEF_FIELDS = frozenset({
    "__typename", "pageInfo", "hasNextPage", "hasPreviousPage", "startCursor", "endCursor", "totalCount", "edges",
    "cursor", "node", "id", "rating", "comment", "createdAt", "author", "displayName",
})  # fmt: skip


def reviews_along(info: Info, **arguments: object) -> Coming | None:
    """The reviews that a listing is asked for, where it is their first page."""
    page = read_page(info, arguments)
    if not page.is_first:
        return None

    is_brief = asked_below(info) <= BRIEF_FIELDS

    def pages(found: dict[int, Any], _listings: list[Any]) -> Pages:
        return paginate_each(SHOWN, [(pk, page) for pk in found], is_brief, came=found)

    batch = brief_review_pages if is_brief else review_pages
    return Coming(batch, SHOWN.along(is_brief, limit=page.limit), pages, families=(REVIEWS,))


def load_reviews(info: Info, listing_id: int, arguments: Mapping[str, Any]) -> Deferred[Connection | None]:
    """The page of a listing's reviews that a field is asked for."""
    batch = brief_review_pages if asked_below(info) <= BRIEF_FIELDS else review_pages
    return info.context.load(batch, (listing_id, read_page(info, arguments)))


def review_pages(context: Context, keys: list[tuple[int, Page]]) -> Pages:
    """The pages of reviews of many listings, newest first."""
    return _pages(keys, is_brief=False)


def brief_review_pages(context: Context, keys: list[tuple[int, Page]]) -> Pages:
    """The same where nothing is asked for but BRIEF_FIELDS."""
    return _pages(keys, is_brief=True)


def _pages(keys: list[tuple[int, Page]], *, is_brief: bool) -> Pages:
    with only(REVIEWS, *(listing_id for listing_id, _ in keys)):
        return paginate_each(SHOWN, keys, is_brief)


def reviews_for_node(context: Context, pks: list[int]) -> dict[int, ReviewRow]:
    """Those of the reviews that the caller sees: of listings they see, and their own."""
    return visible_reviews(viewer=context.user, ids=pks)


register_node(Review, reviews_for_node, model=ReviewRow)
