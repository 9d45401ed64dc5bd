"""What is saved by answers that were kept: `python -m bench.caching [--listings N]`.

Starts a PostgreSQL and a Valkey of its own and fills them; RESULTS.md has the last figures.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.database import running_database
from sandbox.configuration import process_environment
from sandbox.folder import ROOT
from sandbox.processes import Watcher
from sandbox.servers import start_all, stop_all
from sandbox.valkey import Valkey


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.caching", description=__doc__)
    parser.add_argument("--listings", type=int, default=5_000, help="how many are generated")
    given = parser.parse_args()
    place, watcher = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir="/var/tmp")), Watcher()
    watcher.remove(place)
    redis = Valkey(place / "valkey", log=place / "valkey.log", password="bench", watcher=watcher, keep=False)
    try:
        with running_database(Path("/var/tmp")) as database:
            start_all([redis])
            settings = {**database.settings, **redis.settings(), "RATE_LIMITS": "off"}
            measure = [sys.executable, "-m", "bench.caching.measure", str(given.listings)]
            return subprocess.run(measure, cwd=ROOT, env=process_environment(settings), check=False).returncode
    finally:
        stop_all([redis])
        watcher.close()


if __name__ == "__main__":
    sys.exit(main())
