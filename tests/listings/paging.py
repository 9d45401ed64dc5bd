"""Walks a search to its end, as a client does."""

from apps.core.keyset import key_of
from apps.listings.selectors import FoundListings


def all_pages(found: FoundListings, *, size: int, backwards: bool) -> list[int]:
    """The keys of all pages, put together."""
    gathered: list[int] = []
    place = None
    while True:
        part = found.page(limit=size, place=place, backwards=backwards)
        assert len(part.rows) <= size
        own = [listing.pk for listing in part.rows]
        gathered = own + gathered if backwards else gathered + own
        if not part.has_more:
            return gathered
        assert len(own) == size
        place = key_of(part.rows[0 if backwards else -1], found.keys)
