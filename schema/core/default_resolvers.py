"""The default resolver: a field without one of its own shows the attribute of its name, or the item of a dict.

A value that is missing shows the field's default, as graphene has it. A property that fails is no missing value: to show null
for it would hide the failure, also the one of a property that looks for an attribute which is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from graphene.types.resolver import set_default_resolver

MISSING = object()


def read(source: Any, name: str, default: Any) -> Any:
    """The attribute of the source. Raises what a property of it raises."""
    value = getattr(source, name, MISSING)
    return absent(source, name, default) if value is MISSING else value


def absent(source: Any, name: str, default: Any) -> Any:
    """What stands for an attribute that `getattr` does not find. Raises AttributeError where it is there and failed."""
    if not hasattr(type(source), name):
        return default
    try:
        return getattr(source, name)
    except ObjectDoesNotExist:
        # The other side of a relation to one row, where there is none.
        return default


def from_object(make: Callable[..., Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Says of a resolver that it only computes from its object: `make(type_name)` gives a function of the object alone that does so
    for a field of the type of this name, and may be called in its stead. It gets what a partial of the resolver holds, too.
    """

    def marked(resolve: Any) -> Any:
        resolve.from_object = make
        return resolve

    return marked


def told_by(type_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Says of the `resolve_type` of an abstract type that it tells what this function does, of the object alone."""

    def marked(resolve_type: Any) -> Any:
        resolve_type.type_of = type_of
        return resolve_type

    return marked


def attribute_or_item(name: str, default: Any, source: Any, _info: Any, **_arguments: Any) -> Any:
    """The default resolver of all types."""
    return source.get(name, default) if isinstance(source, dict) else read(source, name, default)


set_default_resolver(attribute_or_item)
