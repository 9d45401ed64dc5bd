"""What beat asks for again and again."""

from typing import Any, cast

from celery.schedules import crontab
from django.conf import settings


def test_sweeps_that_nobody_carried_out_do_not_pile_up() -> None:
    # A payment waits behind no more of them than came in this time.
    longest = 3 * settings.SWEEP_SECONDS
    schedule = cast(dict[str, dict[str, Any]], settings.CELERY_BEAT_SCHEDULE)
    sweeps = {name: entry for name, entry in schedule.items() if not isinstance(entry["schedule"], crontab)}
    assert {"send-outbox", "expire-holds", "resume"} <= sweeps.keys()
    assert {name: entry["options"]["expires"] for name, entry in sweeps.items()} == dict.fromkeys(sweeps, longest)
