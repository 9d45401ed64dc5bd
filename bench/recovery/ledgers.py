"""What the clients were told, our ledger and the processor's: all three must say the same."""

import json
import re
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg2

from bench.recovery.site import Site
from bench.recovery.traffic import Booked

SETTLE_SECONDS = 180.0
# What is still to be done, each a question that is answered with 0 in the end.
PENDING = """
    SELECT (SELECT count(*) FROM core_outboxmessage),
        (SELECT count(*) FROM payments_charge WHERE status IN ('PENDING', 'PROCESSING')),
        (SELECT count(*) FROM payments_refund WHERE status = 'PENDING'),
        (SELECT count(*) FROM payments_webhookevent WHERE handled_at IS NULL)
"""
OURS = """
    SELECT booking.email, booking.reference, booking.status, bill.captured_minor, bill.refunded_minor
    FROM bookings_booking booking JOIN payments_bill bill ON bill.id = booking.bill_id
    WHERE booking.email = ANY(%s)
"""
SUMS = """
    SELECT coalesce(sum(captured_minor), 0)::bigint, coalesce(sum(refunded_minor), 0)::bigint
    FROM payments_bill WHERE created_at >= %s
"""
UNPAID = """
    SELECT count(*) FROM bookings_booking booking JOIN payments_bill bill ON bill.id = booking.bill_id
    WHERE booking.status = 'CONFIRMED' AND bill.timing = 'NOW' AND bill.total_minor > bill.settled_minor
"""


def rows(site: Site, query: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(site.environment["DATABASE_URL"], connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()
    finally:
        connection.close()


def pending(site: Site) -> int | None:
    """How much is still to be done; None while nobody can say."""
    with suppress(psycopg2.Error):
        return sum(rows(site, PENDING)[0])
    return None


def seconds_until_done(site: Site) -> float:
    """Waits until nothing is left to be done. Raises TimeoutError, with what is left."""
    began = time.monotonic()
    while (left := pending(site)) != 0:
        if time.monotonic() - began > SETTLE_SECONDS:
            raise TimeoutError(f"{left} pieces of work are still to be done: {rows(site, PENDING)}")
        time.sleep(0.1)
    return time.monotonic() - began


def listed(site: Site, kind: str) -> list[dict[str, Any]]:
    """All of the processor's objects of a kind."""
    found: list[dict[str, Any]] = []
    while True:
        after = f"&starting_after={found[-1]['id']}" if found else ""
        request = urllib.request.Request(
            f"{site.environment['STRIPE_API_BASE']}/v1/{kind}?limit=100{after}",
            headers={"Authorization": f"Bearer {site.environment['STRIPE_SECRET_KEY']}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            page = json.load(answer)
        found += page["data"]
        if not page["has_more"]:
            return found


def wrongs(site: Site, told: list[Booked], *, since: datetime) -> dict[str, int]:
    """How much of each wrong there is. What the demo itself has paid, before, is left out on both sides."""
    ours = rows(site, OURS, [each.email for each in told])
    per_client = Counter(row[0] for row in ours)
    known = {row[1]: row for row in ours}
    taken: Counter[str] = Counter()
    intents, refunds = (
        [each for each in listed(site, kind) if each["created"] >= int(since.timestamp())]
        for kind in ("payment_intents", "refunds")
    )
    for intent in intents:
        if intent["status"] == "succeeded":
            taken[intent["metadata"].get("holdfast_charge", "")] += 1
    given_back = sum(refund["amount"] for refund in refunds if refund["status"] != "failed")
    captured = sum(intent["amount_received"] for intent in intents)
    (sums,) = rows(site, SUMS, since)
    reconciled = site.manage("reconcile", "--since", since.isoformat()).stdout
    drift = re.search(r"drift (\d+)", reconciled)
    return {
        "lost bookings": sum(each.reference not in known for each in told),
        "doubled bookings": sum(count - 1 for count in per_client.values()),
        "lost payments": sum(
            each.is_paid and (each.reference not in known or known[each.reference][3] == 0) and not each.is_canceled
            for each in told
        ),
        "lost cancelations": sum(
            each.is_canceled and (each.reference not in known or known[each.reference][2] != "CANCELED")
            for each in told
        ),
        "canceled and not given back": sum(row[2] == "CANCELED" and row[3] != row[4] for row in ours),
        "charged twice": sum(count - 1 for count in taken.values()),
        "confirmed and unpaid": rows(site, UNPAID)[0][0],
        "minor units apart": abs(captured - sums[0]) + abs(given_back - sums[1]),
        "drift": int(drift.group(1)) if drift else -1,
    }
