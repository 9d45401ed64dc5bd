"""The import: the benchmark's rows, copied into the tables of the product."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import psycopg2
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from bench.peers.steps import SAME, STEPS

# Those that number their rows themselves, be it that the import numbered them.
SEQUENCES = [step.table for step in STEPS if step.table != "property_property"]


class NotLoaded(Exception):
    """It cannot be imported; the message says why, in one line."""


def load(*, source: str, replace: bool) -> dict[str, int]:
    """Fill the product's database from the benchmark's. Returns how many rows each table got.

    Raises NotLoaded where the source is away or holds no data of the benchmark, where the product's database is not
    migrated, and where it holds accounts already, unless they are to be replaced; then nothing was changed.
    """
    with _reading(source) as theirs, transaction.atomic(), connection.cursor() as ours:
        _make_room(ours, replace=replace)
        counts = {}
        for step in STEPS:
            copy = f"COPY ({step.source}) TO STDOUT", f"COPY {step.table} ({step.columns}) FROM STDIN"
            counts[step.table] = _stream(theirs, copy[0], ours, copy[1])
        for table, model in SAME:
            expected = _one(theirs, f"SELECT count(*) FROM {model}")
            if counts[table] != expected:
                raise NotLoaded(f"{table} got {counts[table]} rows of {expected}.")
        for table in SEQUENCES:
            ours.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        ours.execute("SELECT setval('availability_holder', max(holder)) FROM availability_allocation")
    with connection.cursor() as ours:
        ours.execute(f"VACUUM ANALYZE {', '.join(step.table for step in STEPS)}")
    return counts


@contextmanager
def _reading(source: str) -> Iterator[Any]:
    try:
        session = psycopg2.connect(source, connect_timeout=10)
    except psycopg2.Error as error:
        raise NotLoaded(f"the source cannot be read: {_first_line(error)}") from error
    try:
        with session.cursor() as cursor:
            # What is asked of it is not seen to change meanwhile.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT to_regclass('bk_listing'), to_regclass('bk_review')")
            if None in cursor.fetchone():
                raise NotLoaded("the source has no tables of the benchmark (bk_listing and others).")
            yield cursor
    finally:
        session.close()


def _make_room(ours: Any, *, replace: bool) -> None:
    ours.execute("SELECT to_regclass('users_user')")
    if ours.fetchone() == (None,):
        raise NotLoaded("the database is not migrated: run manage.py migrate first.")
    ours.execute("SELECT EXISTS (SELECT FROM users_user)")
    if ours.fetchone() == (True,):
        if not replace:
            raise NotLoaded("the database has accounts in it already; --replace empties it first.")
        ours.execute("TRUNCATE users_user, listings_word, payments_bill CASCADE")


def _stream(theirs: Any, out: str, ours: Any, into: str) -> int:
    """Copy from the one to the other through a pipe, so that neither side is ever held in memory. Returns the rows."""
    reading, writing = os.pipe()
    failed: list[Exception] = []

    def send(pipe: BinaryIO) -> None:
        try:
            with pipe:
                theirs.copy_expert(out, pipe)
        except Exception as error:
            failed.append(error)

    sender = threading.Thread(target=send, args=(os.fdopen(writing, "wb"),))
    sender.start()
    try:
        with os.fdopen(reading, "rb") as pipe:
            ours.copy_expert(into, pipe)
    finally:
        sender.join()
    if failed:
        raise failed[0]
    return int(ours.rowcount)


def _one(cursor: Any, statement: str) -> int:
    cursor.execute(statement)
    return int(cursor.fetchone()[0])


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def main(*, source: str, replace: bool) -> int:
    """Print what was imported; a refusal in one line, with code 2."""
    try:
        counts = load(source=source, replace=replace)
    except (NotLoaded, ImproperlyConfigured, psycopg2.Error) as problem:
        print(f"peers: {_first_line(problem)}", file=sys.stderr)
        return 2
    for table, count in counts.items():
        print(f"{table:26} {count:>8,}")
    return 0
