"""`python -m tests.faults [--runs N] [--seed S]`: as many stories as wanted, on servers of their own."""

import argparse
import os
import sys

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="how many stories (500)")
    parser.add_argument("--seed", type=int, default=1, help="which stories (1)")
    given = parser.parse_args()
    os.environ["FAULT_RUNS"], os.environ["FAULT_SEED"] = str(given.runs), str(given.seed)
    return int(pytest.main(["tests/faults", "-q", "-s", "-n0", "-p", "no:logging", "--no-header"]))


if __name__ == "__main__":
    sys.exit(main())
