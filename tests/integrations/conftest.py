"""What tests of webhooks begin with."""

from collections.abc import Iterator

import pytest

from tests.integrations.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running
