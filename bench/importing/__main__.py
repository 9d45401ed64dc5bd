"""How long importing takes: `HOLDFAST_DATA=FOLDER python -m bench.importing [--only NAME]`.

Starts a PostgreSQL of its own on an empty folder and imports each file there is by the command, twice. Without HOLDFAST_DATA
it makes a file of its own, as large as New York's. Prints seconds, processor seconds and the greatest resident memory of the
command; ends with code 1 where rows are not accounted for, or where the second time writes anything.
"""

import argparse
import csv
import gzip
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.bookings.site import cpu_seconds
from bench.database import Database, running_database
from sandbox.configuration import process_environment
from sandbox.folder import ROOT

# In an order in which calendars and reviews find their listings.
FILES = [
    ("nyc_ab_2019.csv.gz", "airbnb-summary", []),
    ("boston_2024_listings.csv.gz", "airbnb-full", ["--city", "Boston"]),
    ("albany_2024_listings.csv.gz", "airbnb-full", ["--city", "Albany"]),
    ("albany_2024_calendar.csv.gz", "airbnb-calendar", []),
    ("albany_2024_reviews.csv.gz", "airbnb-reviews", []),
    ("nyc_meters.csv.gz", "nyc-meters", []),
    ("nyc_public_events_2026.json.gz", "nyc-events", []),
]
GENERATED = "generated.csv.gz"
GENERATED_ROWS = 48_895
SUMMARY = re.compile(
    r"(?P<read>\d+) rows in .*: (?P<accepted>\d+) accepted \((?P<new>\d+) new, (?P<changed>\d+) changed, "
    r"(?P<unchanged>\d+) unchanged\), (?P<refused>\d+) refused, (?P<repaired>\d+) repaired"
)


@dataclass(frozen=True)
class Run:
    """One call of the command."""

    seconds: float
    cpu: float
    database_cpu: float
    megabytes: float
    counts: Mapping[str, int]
    refusals_told: int


def import_once(path: Path, form: str, options: list[str], database: Database) -> Run:
    """Raises SystemExit where the command fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as told:
        environment = process_environment(database.settings)
        started, used = time.monotonic(), cpu_seconds(database.pid)
        command = [sys.executable, "manage.py", "import_listings", str(path), "--format", form, *options]
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=told)
        _, status, usage = os.wait4(child.pid, 0)
        seconds, used = time.monotonic() - started, cpu_seconds(database.pid) - used
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        told.seek(0)
        said, lines = out.read(), told.read().splitlines()
    found = SUMMARY.search(said)
    if child.returncode or not found:
        raise SystemExit(f"{path.name}: {said} {' '.join(lines[-3:])}")
    counts = {name: int(value) for name, value in found.groupdict().items()}
    refusals = sum(": refused: " in line for line in lines)
    return Run(seconds, usage.ru_utime + usage.ru_stime, used, usage.ru_maxrss / 1024, counts, refusals)


def problems(first: Run, second: Run) -> list[str]:
    """What is wrong with an import and its repetition."""
    wrong = []
    for run in (first, second):
        if run.counts["accepted"] + run.counts["refused"] != run.counts["read"]:
            wrong.append("accepted and refused are not what was read")
        if run.refusals_told != run.counts["refused"]:
            wrong.append(f"{run.refusals_told} lines told of {run.counts['refused']} refused rows")
    if second.counts["new"] or second.counts["changed"]:
        wrong.append("the second time wrote something")
    return wrong


def generate(path: Path) -> None:
    """A file in the shape of `airbnb-summary`; one row in a thousand has no price."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = ["id", "name", "host_id", "host_name", "neighbourhood_group", "neighbourhood", "latitude", "longitude"]
    writer.writerow([*names, "room_type", "price", "minimum_nights"])
    for number in range(GENERATED_ROWS):
        place = [f"{40.5 + number % 997 / 2500:.5f}", f"{-74.2 + number % 991 / 2000:.5f}"]
        about = ["Private room" if number % 2 else "Entire home/apt", number % 1000, 1 + number % 7]
        host = number // 3
        writer.writerow(
            [number, f"Home number {number}", host, f"Name{host % 900}", "North", "Hilltop", *place, *about]
        )
    path.write_bytes(gzip.compress(text.getvalue().encode()))


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.importing", description=__doc__)
    arguments.add_argument("--only", default="", help="only files whose name contains this")
    arguments.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk that is to be measured")
    options = arguments.parse_args()
    given = os.environ.get("HOLDFAST_DATA")
    with running_database(options.folder) as database, tempfile.TemporaryDirectory(dir=options.folder) as own:
        folder = Path(given or own)
        files = FILES
        if not given:
            generate(folder / GENERATED)
            files = [(GENERATED, "airbnb-summary", [])]
        print(
            "| file | format | rows | accepted | refused | s | CPU s | database CPU s | MB | again, s | again, written |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        wrong = []
        for name, form, extra in files:
            if options.only not in name or not (folder / name).is_file():
                continue
            first, second = (import_once(folder / name, form, extra, database) for _ in range(2))
            counts, written = first.counts, second.counts["new"] + second.counts["changed"]
            memory = max(first.megabytes, second.megabytes)
            print(
                f"| {name} | {form} | {counts['read']} | {counts['accepted']} | {counts['refused']} | {first.seconds:.1f} "
                f"| {first.cpu:.1f} | {first.database_cpu:.1f} | {memory:.0f} | {second.seconds:.1f} | {written} |",
                flush=True,
            )
            wrong += [f"{name}: {problem}" for problem in problems(first, second)]
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    print(f"\n{os.cpu_count()} processors, load {load}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
