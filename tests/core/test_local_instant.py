"""The database's `local_instant`, beside the house's rule in `apps.core.periods`, which tests of searches compare it with."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_it_is_null_of_null_and_says_so_by_itself() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT local_instant(NULL, 'Europe/Berlin'), local_instant('2030-01-01', NULL), local_instant(NULL, NULL)"
        )
        assert cursor.fetchone() == (None, None, None)


def test_it_is_put_in_place_where_it_is_called() -> None:
    # Called, it is parsed and planned anew by each statement.
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (VERBOSE) SELECT local_instant(day + time '15:00', time_zone)"
            " FROM listings_listing, generate_series('2030-01-01'::timestamp, '2030-01-02', '1 day') AS day"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "timezone" in plan.lower() or "at time zone" in plan.lower()
    assert "local_instant" not in plan
