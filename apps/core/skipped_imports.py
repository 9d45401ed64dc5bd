"""Imports to skip: what libraries load at every start in case somebody uses it with them, and nobody here does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """What is imported inside goes on as if these modules were not installed; afterwards whoever imports them has them.

    A module that is loaded already is found as ever.
    """
    hidden = [name for name in modules if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
