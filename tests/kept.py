"""Rows that are made once for all tests of a module.

    @pytest.fixture(scope="module")
    def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
        with undone_in_the_end(django_db_blocker):
            yield make_world()

No test of the module may be one that commits: what each writes, it writes in a savepoint of this transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def undone_in_the_end(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Whatever is written inside is there until the block ends, and then it never was."""
    with blocker.unblock():
        whole = transaction.atomic()
        # As a test's own transaction: units of work may begin inside.
        whole._from_testcase = True  # type: ignore[attr-defined]
        with whole:
            yield
            transaction.set_rollback(True)
