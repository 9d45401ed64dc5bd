"""docs/growth.md: PostgreSQL takes and refuses what the page says that it does."""

import re

import pytest
from django.db import DatabaseError, connection, transaction

from booking.env import Environment
from tests.deploy.linters import ROOT
from tests.readme.test_env_example import REQUIRED

PAGE = ROOT / "docs" / "growth.md"
BLOCK = re.compile(r"^```sql( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What each refused block is refused for, in their order.
REFUSALS = (
    "unique constraint on partitioned table must include all partitioning columns",
    "conflicting key value violates exclusion constraint",
    "unique constraint on partitioned table must include all partitioning columns",
    "there is no unique constraint matching given keys",
)


@pytest.mark.django_db
def test_what_can_be_cut_and_what_cannot() -> None:
    refusals = iter(REFUSALS)
    with connection.cursor() as cursor:
        for refused, text in BLOCK.findall(PAGE.read_text()):
            if refused:
                with pytest.raises(DatabaseError, match=next(refusals)), transaction.atomic():
                    cursor.execute(text)
            else:
                cursor.execute(text)
        # The stays that meet across the end of the month were both taken.
        cursor.execute("SELECT count(*) FROM growth_calendar one JOIN growth_calendar other USING (unit_id) "
                       "WHERE one.period && other.period AND one.holder < other.holder")  # fmt: skip
        assert cursor.fetchone() == (1,)
    assert next(refusals, None) is None


def test_its_settings_are_there() -> None:
    names = set(re.findall(r"`([A-Z][A-Z_]+(?:_URL|_POOLER|_SECONDS|_STATEMENTS|_THREADS))[`=]", PAGE.read_text()))
    assert names > {"DATABASE_POOLER", "CACHE_REDIS_URL", "PREPARED_STATEMENTS"}
    example = (ROOT / ".env.example").read_text()
    assert {name for name in names if f"\n{name}=" not in example} == set()
    assert Environment.read(REQUIRED, base=ROOT).database_pooler == "none"
