"""What is read of each listing of a list: everything, or what its cards show."""

from django.db.models import QuerySet

from apps.core.columns import EVERYTHING, Columns
from apps.listings.kinds import all_kinds
from apps.listings.models import Listing
from apps.users.selectors import UNSHOWN

# By which it is known whose a listing is, and what it is. Its key is read always.
ALWAYS = ("host", "kind")


def with_columns(rows: QuerySet[Listing], shown: Columns, kinds: frozenset[str] | None) -> QuerySet[Listing]:
    """Listings with these columns, and with what is among them of their hosts and of the kinds' own rows.

    Of a listing of another kind than `kinds` its own row is not read; None stands for all of them.
    """
    relations = [kind.relation for kind in all_kinds() if kinds is None or kind.code in kinds]
    if shown == EVERYTHING:
        return rows.select_related("host", *relations).defer(*(f"host__{name}" for name in UNSHOWN))
    named = [(name.partition("__")[0] if "__" in name else None, name) for name in (*ALWAYS, *shown)]
    of_these = [(relation, name) for relation, name in named if relation in {None, "host", *relations}]
    along = {relation for relation, _ in of_these if relation is not None}
    rows = rows.only(*(name for _, name in of_these))
    return rows.select_related(*sorted(along)) if along else rows


def cards(shown: Columns, kinds: frozenset[str] | None) -> QuerySet[Listing]:
    """All listings, each with these columns."""
    return with_columns(Listing.objects.all(), shown, kinds)
