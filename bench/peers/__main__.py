"""The product beside other booking backends.

    python -m bench.peers load --source DSN [--replace]
    python -m bench.peers profile --op Q1 [--repeat 200] [--rounds 7] [--top 30] [--statements] [--answer]
    python -m bench.peers compare NAME=CHECKOUT[=DATABASE_URL] ... [--ops Q1,M1] [--repeat 50] [--rounds 7]

All work on the database that DATABASE_URL names. See README.md.
"""

import argparse
import os
import sys

from bench.database import UNUSED
from sandbox.folder import ROOT

OPERATIONS = ("Q1", "Q2", "Q3", "M1")


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 1,000,000, not {text!r}")
    return int(text)


def _operations(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(OPERATIONS):
        raise argparse.ArgumentTypeError(f"must be some of {','.join(OPERATIONS)}, not {text!r}")
    return names


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description="The product beside other booking backends."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", help="copy the benchmark's rows into the migrated database of DATABASE_URL")
    load.add_argument("--source", required=True, metavar="DSN", help="the benchmark's database, in libpq's words")
    load.add_argument("--replace", action="store_true", help="empty the product's database first")
    profile = commands.add_parser("profile", help="what one request of ours costs, inside this process")
    profile.add_argument("--op", choices=OPERATIONS, required=True, help="which request")
    profile.add_argument("--repeat", type=_whole, default=200, help="requests of a round; 200 unless said")
    profile.add_argument("--rounds", type=_whole, default=7, help="rounds, of which the best counts; 7 unless said")
    profile.add_argument("--top", type=_whole, default=30, help="how many functions are shown; 30 unless said")
    profile.add_argument("--sort", choices=("tottime", "cumtime"), default="tottime", help="by what they are sorted")
    profile.add_argument("--statements", action="store_true", help="show the statements of one request")
    profile.add_argument("--answer", action="store_true", help="show the answer to one request")
    compare = commands.add_parser("compare", help="what the same requests cost in several checkouts, in turns")
    compare.add_argument(
        "checkouts", nargs="+", metavar="NAME=CHECKOUT[=DATABASE_URL]", help="each has this folder in it"
    )
    compare.add_argument("--ops", type=_operations, default=OPERATIONS, help="which requests, separated by commas")
    compare.add_argument("--repeat", type=_whole, default=50, help="requests of a round; 50 unless said")
    compare.add_argument("--rounds", type=_whole, default=7, help="rounds; 7 unless said")
    commands.add_parser("answer", help="a process of compare")
    return parser.parse_args()


def _set_up(*, needs_database: bool) -> None:
    """Settings of the comparison, where the environment says nothing else."""
    defaults = {
        "MODE": "production",
        "RATE_LIMITS": "off",
        "CACHE_SECONDS": "0",
        "ACCESS_LOG": "off",
        "SECRET_KEY": "x" * 32,
        "DJANGO_SETTINGS_MODULE": "booking.settings",
    }
    for name, value in {**UNUSED, **defaults}.items():
        os.environ.setdefault(name, value)
    if needs_database and not os.environ.get("DATABASE_URL"):
        raise SystemExit("peers: DATABASE_URL must name the product's database.")
    os.chdir(ROOT)


def main() -> int:
    given = arguments()
    _set_up(needs_database=given.command != "compare")
    if given.command == "load":
        import django

        django.setup()
        from bench.peers.load import main as load

        return load(source=given.source, replace=given.replace)
    if given.command == "compare":
        from bench.peers.compare import main as compare

        return compare(checkouts=given.checkouts, ops=given.ops, repeat=given.repeat, rounds=given.rounds)
    if given.command == "answer":
        from bench.peers.compare import answer

        return answer(commands=sys.stdin, answers=sys.stdout)
    from bench.peers.profile import main as profile

    return profile(
        op=given.op,
        repeat=given.repeat,
        rounds=given.rounds,
        top=given.top,
        sort=given.sort,
        shows_statements=given.statements,
        shows_answer=given.answer,
    )


if __name__ == "__main__":
    sys.exit(main())
