"""Light rows that stand in for instances of models, made of a statement's answer by generated code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from django.db.models import Model


class NotRead(LookupError):
    """The row was read without this column. No AttributeError: a default must not be taken for what is in the database."""


class Bounds(NamedTuple):
    """What is read of a range."""

    lower: Any
    upper: Any


class Row:
    """The base of all rows. Equal to a row of the same model with the same key, as instances are.

    It keeps in slots what was read; what is set later goes into a dict that most rows never have.
    """

    __slots__ = ("__dict__",)

    model: ClassVar[type[Model]]
    pk: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and other.model is self.model and bool(other.pk == self.pk)

    def __hash__(self) -> int:
        return hash(self.pk)

    def __repr__(self) -> str:
        return f"<{self.model.__name__} row {self.pk}>"


def model_of(instance: Any) -> type:
    """The class that tells what the instance is: of a row that of its model."""
    kind = type(instance)
    return kind.model if issubclass(kind, Row) else kind


def has_read(instance: Any, relation: str) -> bool:
    """Whether the related object came with the instance, so that looking at it costs no statement."""
    if isinstance(instance, Row):
        return hasattr(type(instance), relation)
    return relation in instance._state.fields_cache


@dataclass(slots=True)
class Layout:
    """How a row is made: of the model, with the values of these columns, and rows beside it.

    `columns` are (attribute, the index of its value); of a range the index is that of its lower bound and the upper one
    follows. `converters` turn what the driver returned into what the model has; `decoders` come before them, where something
    else brought the values, and see no null.
    """

    model: type[Model]
    columns: list[tuple[str, int]] = field(default_factory=list)
    ranges: set[int] = field(default_factory=set)
    relations: list[tuple[str, Layout]] = field(default_factory=list)
    converters: dict[int, Callable[[Any], Any]] = field(default_factory=dict)
    decoders: dict[int, Callable[[Any], Any]] = field(default_factory=dict)


def reader(layout: Layout, width: int) -> Callable[[Sequence[tuple[Any, ...]]], list[Any]]:
    """A function from the tuples of a statement with so many columns to rows."""
    names: dict[str, Any] = {"Bounds": Bounds}
    values = ", ".join(f"v{index}" for index in range(width))
    made = _expression(layout, names)
    source = f"def read(found):\n    return [{made} for {values}, in found]\n"
    exec(source, names)  # noqa: S102 - every word of it is a name of ours or a number
    read: Callable[[Sequence[tuple[Any, ...]]], list[Any]] = names["read"]
    return read


def _expression(layout: Layout, names: dict[str, Any]) -> str:
    attributes = tuple(name for name, _ in layout.columns)
    relations = tuple(name for name, _ in layout.relations)
    kind = f"Row{len(names)}"
    names[kind] = row_type(layout.model, attributes + relations)
    parts = []
    for _, index in layout.columns:
        value = decoded(index, layout.decoders, names)
        if index in layout.ranges:
            upper = decoded(index + 1, layout.decoders, names)
            value = f"None if v{index} is None else Bounds({value}, {upper})"
        elif index in layout.converters:
            converter = f"convert{len(names)}"
            names[converter] = layout.converters[index]
            value = f"{converter}({value})"
        parts.append(value)
    for _, inner in layout.relations:
        # A join that found nothing.
        key = dict(inner.columns)[key_name(inner.model)]
        parts.append(f"None if v{key} is None else {_expression(inner, names)}")
    return f"{kind}({', '.join(parts)})"


def decoded(index: int, decoders: dict[int, Callable[[Any], Any]], names: dict[str, Any]) -> str:
    """The expression of a value after its decoder, which is put among the names."""
    if index not in decoders:
        return f"v{index}"
    decoder = f"decode{len(names)}"
    names[decoder] = decoders[index]
    return f"(None if v{index} is None else {decoder}(v{index}))"


def key_name(model: type[Model]) -> str:
    """The attribute that holds the model's key."""
    return str(model._meta.pk.attname)


@lru_cache(maxsize=512)
def row_type(model: type[Model], attributes: tuple[str, ...]) -> type[Row]:
    """The class of rows of the model with these attributes, and what its class computes from them."""
    namespace: dict[str, Any] = {"__slots__": attributes, "model": model, "__module__": model.__module__}
    for base in reversed(model.__mro__[: model.__mro__.index(Model)]):
        namespace |= {
            name: value
            for name, value in vars(base).items()
            if name not in attributes and not name.startswith("__") and _is_own(value)
        }
    key = key_name(model)
    for name in {each.attname for each in model._meta.concrete_fields} - set(attributes):
        namespace[name] = property(_unread(f"{model.__name__}.{name}"))
    if key in attributes and key != "pk":
        namespace["pk"] = property(attrgetter(key))
    arguments = ", ".join(attributes)
    stores = "; ".join(f"self.{name} = {name}" for name in attributes) or "pass"
    exec(f"def __init__(self, {arguments}): {stores}", namespace)  # noqa: S102 - names of attributes
    return type(f"{model.__name__}Row", (Row,), namespace)


def _unread(name: str) -> Callable[[Any], Any]:
    def refuse(_row: Any) -> Any:
        raise NotRead(name)

    return refuse


def _is_own(value: Any) -> bool:
    return isinstance(value, property | cached_property) or inspect.isfunction(value)
