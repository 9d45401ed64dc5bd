"""The GraphQL side of the kinds: one module for each of settings.KINDS, with its type and, as MUTATIONS, its mutations."""

from importlib import import_module
from typing import Any

from django.conf import settings

from schema.listings import types

# By their names: the types of the printed schema stay where they are when somebody puts KINDS in another order.
_modules = {name: import_module(f"{__name__}.{name}") for name in sorted(settings.KINDS)}

# Mixed into Mutation.
KindMutations: Any = type("KindMutations", tuple(_modules[name].MUTATIONS for name in settings.KINDS), {})


def kind_types() -> list[Any]:
    """The types of all kinds, which a schema cannot find by itself behind the interface."""
    return list(types.kind_types.values())
