"""Look-ahead: what will be asked of an object is read with it, its children's rows in its own statement (`apps.core.along`).

    def payments_along(info: Info) -> Coming:
        return Coming(payments_by_bill, charges_along(is_brief=False))

    ALONG = {"payments": payments_along}

    ahead = Lookahead(asked_of_nodes(info, "Booking", ALONG), ALONG)
    rows = ...                                      read with `along=ahead.along`
    ahead.hand_over(info.context, rows)

What came is handed to the loaders, so that the children's resolvers find it there and do what they always do. What did not come,
they load. Of each loader one read comes along: a second page of reviews under another alias is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.core.along import Along
from apps.core.versions import only
from schema.core.errors import BadUserInput
from schema.core.selections import asked_of

if TYPE_CHECKING:
    from schema.core.context import Context, Info

EXPECTED = "core.expected"


@dataclass(frozen=True, slots=True)
class Coming:
    """A read that comes along, and the loader that it is for.

    `values` makes what the loader would have found, of what came for the rows that were read; it is what came unless said.
    `families` are those of the tables that it reads, where what it reads of them is of the listing that it comes with.
    """

    batch: Any
    along: Along
    values: Callable[[dict[Any, list[Any]], list[Any]], Mapping[Any, Any]] | None = None
    families: tuple[str, ...] = ()


# By the name of a field what comes along for it, from its info and its arguments; None for what is better loaded.
Fields = Mapping[str, Callable[..., Coming | None]]


class Lookahead:
    """What comes along with rows that are about to be read, for the fields that will be asked of them."""

    __slots__ = ("_coming", "along")

    def __init__(self, asked: Iterable[tuple[Info, dict[str, Any]]], fields: Fields) -> None:
        coming: dict[Any, Coming] = {}
        for info, arguments in asked:
            try:
                one = fields[info.field_name](info, **arguments)
            except BadUserInput:
                # The field's own resolver says so, at its place.
                continue
            if one is not None:
                coming.setdefault(one.batch, one)
        self._coming = list(coming.values())
        self.along: Sequence[Along] = [each.along for each in self._coming]

    def reading(self, listing_ids: Sequence[int]) -> AbstractContextManager[object]:
        """A block in which what is read, of what comes along, is of these listings alone."""
        scopes = [only(family, *listing_ids) for each in self._coming for family in each.families]
        if len(scopes) == 1:
            return scopes[0]
        several = ExitStack()
        for each in scopes:
            several.enter_context(each)
        return several

    def hand_over(self, context: Context, rows: list[Any]) -> None:
        """Give the loaders what came along with the rows, all of which the caller may see."""
        for each in self._coming:
            found = each.along.found
            if not rows or found is None:
                continue
            try:
                values = found if each.values is None else each.values(found, rows)
            except Exception:  # noqa: BLE001, S112, RUF100 - it comes again where the field is resolved, and is told there
                continue
            context.loaders.prime(each.batch, values)


NOTHING_ALONG = Lookahead((), {})


def expect(info: Info, type_name: str, pk: int) -> None:
    """Tell whoever fetches the object, later in this request, which field will show it."""
    info.context.state.setdefault(EXPECTED, {}).setdefault((type_name, pk), []).append(info)


def lookahead_of(context: Context, type_name: str, pk: int, fields: Fields) -> Lookahead:
    """What comes along with the object, for all fields that will show it."""
    infos = context.state.get(EXPECTED, {}).get((type_name, pk), ())
    return (
        Lookahead([asked for info in infos for asked in asked_of(info, type_name, fields)], fields)
        if infos
        else NOTHING_ALONG
    )
