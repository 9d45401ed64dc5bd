"""What a query costs: `python -m bench.cost [--make 50000] [--only NAME]`.

Starts a PostgreSQL of its own and fills it; where DATABASE_URL names a database, that one is used, and emptied only on `--make`.
"""

import sys

from bench.database import run_measure

if __name__ == "__main__":
    sys.exit(run_measure("bench.cost.measure"))
