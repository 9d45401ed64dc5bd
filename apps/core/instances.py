"""Fast construction of model instances, as Django makes them: what they hold is put down at once, not field by field.

    booking = new(Booking, listing=listing, created_at=now)         as Booking(listing=listing, created_at=now)
    Quick(Booking).from_db("default", ["id", "status"], (5, "PENDING"))         as Booking.from_db(...)

For what every request makes. A model that does something of its own when an instance begins is left to Django.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import ForeignKey, Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from apps.core.rows import Layout, key_name

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an instance of the model begins with. `relations`: the field by its name."""

    columns: frozenset[str]
    constants: dict[str, Any]
    made: list[tuple[str, Callable[[], Any]]]
    relations: dict[str, ForeignKey[Any, Any]]
    key: str


def is_plain(model: type[Model]) -> bool:
    """Whether an instance of the model is what its fields are, and nobody looks on when it begins."""
    own = (model.__init__, model.from_db.__func__)  # type: ignore[attr-defined]
    if own != (Model.__init__, Model.from_db.__func__):  # type: ignore[attr-defined]
        return False
    return not (pre_init.has_listeners(model) or post_init.has_listeners(model))


@functools.cache
def _plan(model: type[Model]) -> _Plan | None:
    if not is_plain(model):
        return None
    constants: dict[str, Any] = {}
    made: list[tuple[str, Callable[[], Any]]] = []
    columns, relations = set(), {}
    for field in model._meta.fields:
        if field.column is None or field.generated:
            continue
        columns.add(field.attname)
        if field.has_default() and callable(field.default):
            made.append((field.attname, field.get_default))
        else:
            constants[field.attname] = field.get_default()
        if isinstance(field, ForeignKey):
            relations[field.name] = field
    key = model._meta.pk
    assert key is not None
    return _Plan(frozenset(columns), constants, made, relations, key.attname)


def new(model: type[M], /, **values: Any) -> M:
    """The instance that `model(**values)` is. Raises TypeError for what is no field, ValueError for another model's row."""
    plan = _plan(model)
    if plan is None:
        return model(**values)
    instance = model.__new__(model)
    state = ModelState()
    held = instance.__dict__
    held["_state"] = state
    held.update(plan.constants)
    for name, make in plan.made:
        if name not in values:
            held[name] = make()
    columns = plan.columns
    for name, value in values.items():
        if name in columns:
            held[name] = value
        elif name == "pk":
            held[plan.key] = value
        else:
            _relate(instance, plan, name, value)
    return instance


def _relate(instance: Model, plan: _Plan, name: str, value: Any) -> None:
    field = plan.relations.get(name)
    if field is None:
        raise TypeError(f"{type(instance).__name__}() got an unexpected keyword argument: {name!r}")
    if value is not None and not isinstance(value, field.remote_field.model):
        raise ValueError(f"{name} of a {type(instance).__name__} cannot be {value!r}")
    instance.__dict__[field.attname] = None if value is None else getattr(value, field.target_field.attname)
    instance._state.fields_cache[name] = value
    if value is not None:
        instance._state.db = instance._state.db or value._state.db or DEFAULT_DB_ALIAS
        if not field.remote_field.multiple:
            value._state.fields_cache[field.remote_field.cache_name] = instance


class Quick(Generic[M]):
    """Makes instances of what a statement returned."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._is_plain = is_plain(model)

    def from_db(self, alias: str, names: Sequence[str], values: Sequence[Any]) -> M:
        """The model's own, for the columns of these names."""
        return self.holding(alias, dict(zip(names, values, strict=True)))

    def holding(self, alias: str, columns: dict[str, Any]) -> M:
        """The same, of the columns by their names. What is given stays as it is."""
        if not self._is_plain:
            return self._model.from_db(alias, list(columns), list(columns.values()))
        instance = self._model.__new__(self._model)
        state = ModelState()
        state.adding = False
        state.db = alias
        held = instance.__dict__
        held["_state"] = state
        held.update(columns)
        return instance


def instances_of(layout: Layout, width: int) -> Callable[[Sequence[tuple[Any, ...]]], list[Any]]:
    """A function from the tuples of a statement to instances, with what was selected along: for a layout without ranges."""
    make = _maker(layout)

    def converted(row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place, converter in layout.converters.items():
            values[place] = converter(values[place])
        return values

    if not layout.converters:
        return lambda rows: [make(row) for row in rows]
    return lambda rows: [make(converted(row)) for row in rows]


def _values_at(places: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What gives the values at these places of a row."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: [row[place] for place in places]


def _maker(layout: Layout) -> Callable[[Sequence[Any]], Any]:
    model, from_db = layout.model, Quick(layout.model).from_db
    own = {field.attname for field in model._meta.concrete_fields}
    names = [name for name, _ in layout.columns if name in own]
    values_of = _values_at([place for name, place in layout.columns if name in own])
    annotations = [(name, place) for name, place in layout.columns if name not in own]
    relations: list[tuple[Any, int, Callable[[Sequence[Any]], Any]]] = [
        (model._meta.get_field(name), dict(inner.columns)[key_name(inner.model)], _maker(inner))
        for name, inner in layout.relations
    ]

    def make(row: Sequence[Any]) -> Any:
        instance = from_db(DEFAULT_DB_ALIAS, names, values_of(row))
        for name, place in annotations:
            setattr(instance, name, row[place])
        for field, key, make_related in relations:
            related = None if row[key] is None else make_related(row)
            field.set_cached_value(instance, related)
            if field.one_to_one and related is not None:
                field.remote_field.set_cached_value(related, instance)
        return instance

    return make
