"""The `Node` interface and the registry behind `node` and `nodes`.

    class Review(graphene.ObjectType):
        class Meta:
            interfaces = (Node,)

    register_node(Review, reviews_for_node, model=ReviewModel)

`reviews_for_node(context, pks) -> {pk: row}` fetches *and authorises* in one batch: a row that the caller may not see
is left out. Where one model is shown as several types, name the type of a row:

    register_model(ListingModel, lambda row: kinds[row.kind].graphene_type)

`NodeQueries` is the mixin with the two root fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import graphene

from apps.core.ids import global_id_reader
from apps.core.rows import model_of
from schema.core.default_resolvers import from_object, told_by
from schema.core.errors import BadUserInput
from schema.core.ids import split_global_id, to_global_id
from schema.core.lookahead import expect
from schema.core.permissions import RootField, anyone

if TYPE_CHECKING:
    from schema.core.context import Context, Info

Fetch = Callable[["Context", list[int]], Mapping[int, Any]]

MOST_NODES = 100

_fetches: dict[str, Fetch] = {}
_types: dict[type, Callable[[Any], Any]] = {}
# The same by the classes of the instances that were met: of rows there are several of one model.
_shown: dict[type, Callable[[Any], Any]] = {}


def graphene_type_of(instance: Any) -> Any:
    """The graphene type that shows the instance. Raises TypeError when its class was not registered."""
    to_type = _shown.get(instance.__class__)
    if to_type is None:
        to_type = _shown[instance.__class__] = _registered(instance)
    return to_type(instance)


def _registered(instance: Any) -> Callable[[Any], Any]:
    for base in model_of(instance).__mro__:
        if base in _types:
            return _types[base]
    raise TypeError(f"No GraphQL type is registered for {type(instance).__name__}.")


class Node(graphene.Interface):
    """Anything that has a global id."""

    id = graphene.ID(required=True, description="The id of the object, unique among all objects of all types.")

    @from_object(global_id_reader)
    def resolve_id(parent: Any, info: Info) -> str:
        return to_global_id(info.parent_type.name, parent.pk)

    @classmethod
    @told_by(graphene_type_of)
    def resolve_type(cls, instance: Any, info: Info) -> Any:
        return graphene_type_of(instance)


def register_node(graphene_type: Any, fetch: Fetch, *, model: type | None = None) -> None:
    """Makes ids of the type resolvable. With `model`, rows of that class are shown as this type wherever an interface
    is asked for.
    """
    name = graphene_type._meta.name
    if _fetches.setdefault(name, fetch) is not fetch:
        raise ValueError(f"{name} is already registered.")
    if model is not None:
        register_model(model, lambda _row: graphene_type)


def register_model(model: type, to_type: Callable[[Any], Any]) -> None:
    """Tells the graphene type of a row of the class."""
    _types[model] = to_type
    _shown.clear()


def registered_nodes() -> set[str]:
    """The names of all types whose ids can be resolved."""
    return set(_fetches)


def _rows(context: Context, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Any]:
    """One fetch per type. A row is found only under the type that shows it."""
    wanted: dict[str, list[int]] = {}
    for name, pk in keys:
        wanted.setdefault(name, []).append(pk)
    return {
        (name, pk): row
        for name, pks in wanted.items()
        for pk, row in _fetches[name](context, pks).items()
        if row is not None and graphene_type_of(row)._meta.name == name
    }


def find_node(context: Context, global_id: str, shown_by: Info | None = None) -> Any:
    """The object with the id, deferred; None when there is none that the caller may see.

    `shown_by` is the info of the field that shows it: whoever fetches it learns from it what will be asked of the object.
    """
    parts = split_global_id(global_id)
    if parts is None or parts[0] not in _fetches:
        return None
    if shown_by is not None:
        expect(shown_by, *parts)
    return context.load(_rows, parts)


class NodeQueries:
    """`node` and `nodes`. Mix into Query."""

    node = RootField(
        Node,
        id=graphene.ID(required=True, description="The global id."),
        permission=anyone,
        description="The object with this id; null when there is none that you may see.",
    )
    nodes = RootField(
        graphene.NonNull(graphene.List(Node)),
        ids=graphene.List(
            graphene.NonNull(graphene.ID), required=True, description=f"At most {MOST_NODES} global ids."
        ),
        permission=anyone,
        description="The objects with these ids, in their order; null at the place of an id that nothing has.",
    )

    def resolve_node(root: None, info: Info, id: str) -> Any:  # noqa: A002
        return find_node(info.context, id, shown_by=info)

    def resolve_nodes(root: None, info: Info, ids: list[str]) -> list[Any]:
        if len(ids) > MOST_NODES:
            raise BadUserInput(f"At most {MOST_NODES} ids can be asked for at once.")
        return [find_node(info.context, each, shown_by=info) for each in ids]
