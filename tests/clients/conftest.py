from collections.abc import Iterator

import pytest

from tests.clients.driver import Clients
from tests.serving import Site


@pytest.fixture(scope="module")
def clients(_processes: Site) -> Iterator[Clients]:
    """The npm clients in one process, for the tests of a module."""
    with Clients(_processes.url) as running:
        yield running
