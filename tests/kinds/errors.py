"""Reading typed errors in tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.core.errors import InputErrors


@contextmanager
def refused(*expected: tuple[str, str]) -> Iterator[None]:
    """The block raises exactly these (code, dotted field)s, in any order."""
    with pytest.raises(InputErrors) as caught:
        yield
    told = [(error.code.value, ".".join(error.field)) for error in caught.value.errors]
    assert sorted(told) == sorted(expected)
