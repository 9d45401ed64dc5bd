"""What a statement touches, and how others are told what a transaction has changed."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from apps.core import versions
from apps.core.families import AVAILABILITY, LISTINGS, PEOPLE, REVIEWS, UNSEEN, families_of_tables, statement_of
from apps.core.models import OutboxMessage
from apps.core.prepared import Prepared
from apps.core.tasks import tell_versions
from apps.core.versions import Recording, changed, key_of, may_read, only, read, recording
from apps.listings.models import Listing
from apps.reviews.models import Review
from tests.recipes import make_property

GONE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("text", "reads", "writes", "is_covered"),
    [
        ('SELECT "listings_listing"."id" FROM "listings_listing"', {LISTINGS}, set(), True),
        ("SELECT 1 FROM listings_listing WHERE id = %s FOR NO KEY UPDATE", {LISTINGS}, set(), True),
        ('SELECT 1 FROM "users_user" FOR UPDATE OF "users_user"', {PEOPLE}, set(), True),
        ("SELECT * FROM service_slots(%s, %s)", {LISTINGS, AVAILABILITY}, set(), True),
        ('SELECT 1 FROM "reviews_review", "bookings_booking"', {REVIEWS}, set(), False),
        ("SELECT last_value FROM live_position", set(), set(), True),
        ('UPDATE "availability_stock" SET "taken" = 1 WHERE 1', {AVAILABILITY}, {AVAILABILITY}, True),
        ("WITH a AS (DELETE FROM ONLY reviews_review RETURNING id) SELECT 1", {REVIEWS}, {REVIEWS}, True),
        ('INSERT INTO "listings_image" ("id") SELECT 1 FROM "users_user"', {LISTINGS, PEOPLE}, {LISTINGS}, True),
        ('TRUNCATE "reviews_review", "users_user" CASCADE', {REVIEWS, PEOPLE}, {REVIEWS, PEOPLE}, True),
        ('UPDATE "users_user" SET "last_login" = %s, "updated_at" = %s WHERE "id" = 1', {PEOPLE}, set(), True),
        ('UPDATE "users_user" SET "last_login" = %s, "first_name" = %s WHERE 1', {PEOPLE}, {PEOPLE}, True),
        ('UPDATE "users_user" SET "last_login" = (SELECT 1 WHERE 1), "first_name" = %s', {PEOPLE}, {PEOPLE}, True),
        ('INSERT INTO "users_user" ("first_name") VALUES (%s)', {PEOPLE}, set(), True),
        ("INSERT INTO users_user (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1", {PEOPLE}, {PEOPLE}, True),
        ("COPY listings_listing (id) FROM STDIN", {LISTINGS}, {LISTINGS}, True),
    ],
)
def test_a_statement_names_what_it_touches(text: str, reads: set[str], writes: set[str], is_covered: bool) -> None:
    found = statement_of(text)
    assert (set(found.reads), set(found.writes), found.is_covered) == (reads, writes, is_covered)


@pytest.mark.django_db
def test_the_families_name_real_tables_and_all_that_strangers_are_shown() -> None:
    tables = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'public'"
        )
        functions = {name for (name,) in cursor.fetchall()}
    families = families_of_tables()
    assert families.keys() <= tables.keys() | functions
    shown = {"listings", "availability", "reviews", "property", "service", "event", "parking"}
    assert {name for name, model in tables.items() if model._meta.app_label in shown} <= families.keys()
    for table, columns in UNSEEN.items():
        assert columns <= {field.column for field in tables[table]._meta.local_fields}


def test_tags_of_some_and_of_all() -> None:
    assert changed("f", [1, 2]) == {"f", "f:1", "f:2"}
    assert changed("f", []) == changed("f", range(101)) == {"f", "f:*"}
    assert read("f", [1]) == {"f:*", "f:1"}
    assert read("f", []) == read("f", range(101)) == {"f"}
    # Whoever changes anything meets whoever read it.
    for written in ([], [1], range(200)):
        for seen in ([], [1], range(150)):
            assert changed("f", written) & read("f", seen)


@pytest.fixture
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[set[str]]]:
    settings.CACHE_SECONDS = 60
    found: list[set[str]] = []
    monkeypatch.setattr(versions, "outage", versions._Outage())
    monkeypatch.setattr(versions, "raise_versions", lambda tags: found.append(set(tags)))
    yield found
    settings.CACHE_SECONDS = 0


@pytest.mark.django_db(transaction=True)
def test_a_transaction_tells_once_what_it_changed_of_whom(told: list[set[str]]) -> None:
    home = make_property()
    told.clear()
    with transaction.atomic():
        with only(LISTINGS, home.pk):
            Listing.objects.filter(pk=home.pk).update(title="A")
            Listing.objects.filter(pk=home.pk).update(title="B")
        with only(REVIEWS) as those:
            Review.objects.filter(listing=home).update(comment="C")
            those.add(home.pk)
        assert told == []
    assert told == [{"listings", f"listings:{home.pk}", "reviews", f"reviews:{home.pk}"}]
    told.clear()
    with only(LISTINGS, 5), only(LISTINGS, home.pk):
        Listing.objects.filter(pk=home.pk).update(title="D")
    assert told == [{"listings", f"listings:{home.pk}"}]


@pytest.mark.django_db
def test_a_prepared_statement_is_what_it_carries_out(settings: Settings) -> None:
    settings.CACHE_SECONDS = 60
    settings.PREPARED_STATEMENTS = True
    counted = Prepared(
        "count_reviews", "SELECT count(*) FROM reviews_review WHERE listing_id = %(listing)s", listing="bigint"
    )
    into = Recording()
    counted.rows(listing=1)
    with recording(into):
        counted.rows(listing=1)
    assert (into.tags, into.is_covered) == ({"reviews"}, True)


@pytest.mark.django_db(transaction=True)
def test_a_block_that_names_nobody_changes_all(told: list[set[str]]) -> None:
    with only(LISTINGS):
        Listing.objects.update(title="A")
    assert told == [{"listings", "listings:*"}]


@pytest.mark.django_db
def test_what_is_read_is_written_down(settings: Settings) -> None:
    settings.CACHE_SECONDS = 60
    into = Recording()
    with recording(into):
        list(Review.objects.all())
        with only(LISTINGS, 5):
            list(Listing.objects.filter(pk=5))
    list(Listing.objects.all())
    assert (into.tags, into.is_covered) == ({"reviews", "listings:*", "listings:5"}, True)
    with recording(into):
        list(OutboxMessage.objects.all())
    assert not into.is_covered


@pytest.mark.django_db(transaction=True)
def test_without_redis_the_write_stands_and_is_told_later(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "outage", versions._Outage())
    home = make_property()
    here = settings.CACHE_REDIS_URL
    redis = versions.redis_of(here)
    settings.CACHE_SECONDS = 60
    try:
        settings.CACHE_REDIS_URL = GONE
        with only(LISTINGS, home.pk):
            Listing.objects.filter(pk=home.pk).update(title="A")
        with only(LISTINGS, home.pk):
            Listing.objects.filter(pk=home.pk).update(title="B")
        assert Listing.objects.get(pk=home.pk).title == "B"
        assert not may_read()
        # In this process: nothing is read of what is kept until it has told.
        settings.CACHE_REDIS_URL = here
        assert not may_read()
        assert redis.get(key_of(f"listings:{home.pk}")) is None
        monkeypatch.setattr(versions.outage, "_until", 0.0)
        assert may_read()
        assert int(redis.get(key_of(f"listings:{home.pk}")) or 0) > 0
        # And should it end before: the outbox.
        left = list(OutboxMessage.objects.filter(task=versions.TELL).order_by("pk"))
        assert [set(message.arguments["tags"]) for message in left] == [{"listings", f"listings:{home.pk}"}] * 2
        redis.delete(key_of(f"listings:{home.pk}"))
        tell_versions(**left[0].arguments)
        assert int(redis.get(key_of(f"listings:{home.pk}")) or 0) > 0
    finally:
        settings.CACHE_SECONDS = 0
