"""What outages cost: `python -m bench.recovery [--clients 4] [--only NAME]`.

Starts the demo's processes, keeps clients booking, paying and canceling over HTTP, and strikes: one outage after the other, in
the middle of the traffic. Ends with code 1 where anything was lost, doubled or charged wrongly, or work stays undone.
"""

import argparse
import ast
import json
import os
import platform
import signal
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

from redis import Redis

from bench.bookings.ground import Ground
from bench.recovery.ledgers import seconds_until_done, wrongs
from bench.recovery.site import Site, running_demo
from bench.recovery.traffic import Traffic

BEFORE_SECONDS, AFTER_SECONDS = 4.0, 6.0
LONGEST_OUTAGE_SECONDS = 90.0
# How many bookings an outage may see.
NUMBERS = 4_000
STRIPE_TROUBLE = {
    "webhooks": {"delay": 0.2, "duplicate": 0.3, "reorder": 0.3, "drop": 0.3, "bad_signature": 0.2},
    "requests": {
        "timeout_after_success": 0.1, "hang_seconds": 0.2, "error_500": 0.1, "error_500_after_success": 0.05,
        "error_429": 0.1, "reads": True,
    },
    "seed": 1,
}  # fmt: skip


def flush(site: Site) -> None:
    with Redis.from_url(site.environment["REDIS_URL"]) as redis:
        redis.flushall()


def stripe_faults(site: Site, given: object | None) -> None:
    request = urllib.request.Request(
        f"{site.environment['STRIPE_API_BASE']}/_config/faults",
        json.dumps(given).encode() if given else None,
        {"Authorization": f"Bearer {site.environment['STRIPE_SECRET_KEY']}"},
        method="POST" if given else "DELETE",
    )
    urllib.request.urlopen(request, timeout=10).close()


OUTAGES: dict[str, Callable[[Site], None]] = {
    "nothing": lambda site: None,
    "broker killed -9": lambda site: site.kill("broker"),
    "Redis flushed": flush,
    "database stopped at once": lambda site: site.kill("database", signal.SIGQUIT),
    "database killed -9": lambda site: site.kill("database"),
    "worker killed -9": lambda site: site.kill("worker"),
    "a worker's child killed -9": lambda site: site.kill_one_of("worker"),
    "web killed -9": lambda site: site.kill("web"),
    "a web child killed -9": lambda site: site.kill_one_of("web"),
    "beat killed -9": lambda site: site.kill("beat"),
    "Stripe killed -9": lambda site: site.kill("stripe"),
    "Stripe in trouble": lambda site: stripe_faults(site, STRIPE_TROUBLE),
}
HEAD = f"{'outage':28}{'answers':>9}{'failed':>8}{'first good, s':>15}{'all done, s':>13}  wrongs"


def suffer(site: Site, ground: Ground, name: str, *, clients: int, first: int, since: datetime) -> tuple[str, bool]:
    """The line of one outage, and whether everything came out right."""
    traffic = Traffic(site.port, ground, clients=clients, first=first)
    heard = traffic.heard
    traffic.start()
    time.sleep(BEFORE_SECONDS)
    struck_at = time.monotonic()
    OUTAGES[name](site)
    time.sleep(AFTER_SECONDS)
    # A server that went away a moment later than it was struck is not yet away: good answers count after the last failure.
    while time.monotonic() - struck_at < LONGEST_OUTAGE_SECONDS:
        last_failure = max((at for at in heard.failed if at > struck_at), default=struck_at)
        if any(at > last_failure for at in heard.good) and time.monotonic() - last_failure > AFTER_SECONDS / 2:
            break
        time.sleep(0.2)
    if name == "Stripe in trouble":
        stripe_faults(site, None)
    traffic.stop()
    problem = ""
    try:
        done = f"{seconds_until_done(site):.1f}"
    except TimeoutError as error:
        done, problem = "never", str(error)
    failures = [at for at in heard.failed if at > struck_at]
    back = min((at for at in heard.good if at > max(failures)), default=0.0) - struck_at if failures else 0.0
    found = {what: count for what, count in wrongs(site, heard.bookings, since=since).items() if count}
    reasons = ", ".join(f"{reason} x{count}" for reason, count in (heard.reasons + heard.refusals).most_common(4))
    line = f"{name:28}{len(heard.good):>9}{len(failures):>8}{back:>15.1f}{done:>13}  {found or 0} {problem}"
    return f"{line}\n{'':28}  {reasons}" if reasons else line, not found and not problem


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--clients", type=int, default=4, help="how many clients (4)")
    parser.add_argument("--only", choices=list(OUTAGES), action="append", help="this outage; may be given again")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {given.clients} clients", flush=True)
    is_right = True
    with running_demo() as site:
        made = site.manage("shell", "-v", "0", "-c", "from bench.recovery.ground import make; print(make())")
        if made.returncode:
            raise SystemExit(made.stderr)
        ground = Ground(**ast.literal_eval(made.stdout.strip().splitlines()[-1]))
        print(HEAD, flush=True)
        since = datetime.now(UTC)
        for place, name in enumerate(given.only or OUTAGES):
            line, came_out_right = suffer(site, ground, name, clients=given.clients, first=place * NUMBERS, since=since)
            is_right = is_right and came_out_right
            print(line, flush=True)
        print("\nWhat the supervisor said:")
        print("\n".join(line for line in site.log.read_text().splitlines() if "starting it again" in line))
    return 0 if is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
