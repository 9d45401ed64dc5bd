"""Fills the database of DATABASE_URL, which must be one of its own: everything in it goes."""

import argparse
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from bench.scale.market import make  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale make", description=__doc__)
    parser.add_argument("--listings", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.listings < 1_000:
        parser.error("a market has at least 1,000 listings")
    make(listings=options.listings)


if __name__ == "__main__":
    main()
