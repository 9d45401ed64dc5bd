"""Texts of people who were there, under other names. They carry no stars and count in no average."""

from collections.abc import Sequence
from datetime import datetime, time

from apps.core.db import unit_of_work
from apps.core.periods import instant
from apps.importing.listings import Outcome
from apps.importing.mapping import Mapping
from apps.importing.people import People
from apps.importing.records import Record
from apps.importing.staging import upsert
from apps.listings.models import Listing
from apps.reviews.models import Review

COLUMNS = (
    "source", "external_id", "listing_id", "author_id", "rating", "comment", "reply", "created_at", "updated_at",
)  # fmt: skip
# The source tells the day; at noon of the listing's zone it is that day nearly everywhere.
NOON = time(12)


@unit_of_work
def load_reviews(records: Sequence[Record], *, mapping: Mapping, people: People, now: datetime) -> Outcome:
    """Attach the reviews to their listings, writing only what differs. One of a listing that is not there is refused."""
    outcome = Outcome()
    listings = {
        external_id: (pk, zone)
        for external_id, pk, zone in Listing.objects.filter(
            source=mapping.source, external_id__in={record.values["listing"] for record in records}
        ).values_list("external_id", "pk", "time_zone")
    }
    good = []
    for record in records:
        if record.values["listing"] in listings:
            good.append(record)
        else:
            outcome.refused.append((record.line, f"there is no listing {record.values['listing']}"))
    authors = people.accounts(record.person for record in good)
    rows = []
    for record in good:
        pk, zone = listings[record.values["listing"]]
        written_at = instant(record.values["day"], NOON, zone)
        rows.append(
            [
                mapping.source,
                record.values["external_id"],
                pk,
                authors[record.person],
                None,
                record.values["comment"],
                "",
                written_at,
                now,
            ]
        )
    written = upsert(
        Review,
        COLUMNS,
        rows,
        key=("source", "external_id"),
        condition="NOT external_id = ''",
        only_new=("rating", "reply"),
        stamped="updated_at",
        answer="external_id",
    )
    outcome.new = len(written.inserted)
    outcome.changed = len(written.changed)
    outcome.unchanged = len(good) - outcome.new - outcome.changed
    return outcome
