"""How long searches take: `python -m bench.search [--make 50000] [--plans] [--only NAME]`.

Starts a PostgreSQL of its own on an empty folder and fills it; where DATABASE_URL names a database, that one is used, and
emptied only on `--make`.
"""

import sys

from bench.database import run_measure

if __name__ == "__main__":
    sys.exit(run_measure("bench.search.measure"))
