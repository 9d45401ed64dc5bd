"""What a query costs: `python -m bench.cost [--make 50000] [--only NAME]`.

Starts a PostgreSQL of its own and fills it; where DATABASE_URL names a database, that one is used, and emptied only on `--make`.
"""

import os
import subprocess
import sys
from pathlib import Path

from bench.database import running_database
from sandbox.configuration import process_environment
from sandbox.folder import ROOT

LISTINGS = "50000"


def main() -> int:
    measure = [sys.executable, "-m", "bench.cost.measure", *sys.argv[1:]]
    if os.environ.get("DATABASE_URL"):
        return subprocess.run(measure, cwd=ROOT, check=False).returncode
    if {"-h", "--help", "--make"}.isdisjoint(sys.argv):
        measure += ["--make", LISTINGS]
    with running_database(Path("/var/tmp")) as database:
        environment = process_environment(database.settings)
        return subprocess.run(measure, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
