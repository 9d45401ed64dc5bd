"""Filling an empty house: accounts, listings, bookings and reviews of the demo."""

from datetime import datetime

from django.db import connection

from apps.core.db import unit_of_work
from apps.importing.demo.catalogue import GUEST, HOST, SOURCE, STAFF, Catalogue, make_cast
from apps.importing.demo.stories import Stories
from apps.importing.problems import ImportProblem
from apps.users.models import User

# Two at once: the second waits, and finds everything there.
LOCK = 7_160_411


@unit_of_work
def seed_demo(*, now: datetime, paid: bool = True) -> int:
    """Make the demo's data, whole or not at all. Returns how many listings were made: 0 where it is there already.

    Past visits are `paid` for with payments that the card processor has to be given (`ledger.past_payments`), or presents.

    Raises ImportProblem when somebody else has the address of a demo account, whose password everybody knows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if User.objects.filter(source=SOURCE, external_id="host").exists():
        return 0
    for email in (GUEST, HOST, STAFF):
        if User.objects.with_email(email).exists():
            raise ImportProblem(f"{email} is an account here already, and not the demo's")
    # Whole seconds: the demo's moments are compared with those that clients send.
    now = now.replace(microsecond=0)
    cast = make_cast(now=now)
    catalogue = Catalogue(cast, now=now)
    catalogue.make()
    Stories(cast, catalogue, now=now, paid=paid).make()
    return len(catalogue.listings)
