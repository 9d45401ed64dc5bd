"""The code is read once for the tests that look at it."""

from collections.abc import Iterator

import pytest

from tests.architecture.test_code import forget_modules


@pytest.fixture(scope="package", autouse=True)
def _forgotten_in_the_end() -> Iterator[None]:
    yield
    forget_modules()
