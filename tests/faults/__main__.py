"""`python -m tests.faults [--runs N] [--seed S] [--only stories|steps]`: as many as wanted, on servers of their own."""

import argparse
import os
import sys
import time

import pytest

FILES = {"stories": "tests/faults/test_stories.py", "steps": "tests/faults/test_each_step.py"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="how many stories (500)")
    parser.add_argument("--seed", type=int, default=1, help="which stories (1)")
    parser.add_argument(
        "--only", choices=list(FILES), help="the stories, or each step cut off at each of its boundaries"
    )
    given = parser.parse_args()
    os.environ["FAULT_RUNS"], os.environ["FAULT_SEED"] = str(given.runs), str(given.seed)
    os.environ.setdefault("LOG_LEVEL", "error")
    chosen = [FILES[given.only]] if given.only else list(FILES.values())
    began = time.monotonic()
    code = int(pytest.main([*chosen, "-q", "-s", "-n0", "-p", "no:logging", "--no-header", "--tb=short"]))
    # Django is ready only now.
    from tests.faults.tally import TOTAL

    print(f"\nAll in all, seed {given.seed}, in {time.monotonic() - began:.0f} s: {TOTAL}")  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
