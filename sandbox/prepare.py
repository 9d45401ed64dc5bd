"""`python -m sandbox.prepare [NOTE]`: bring the database to the code, and fill an empty one with demo data.

Ends with code 78 and one line where a setting is wrong or a server given from outside does not answer. NOTE is a file that
tells the next time what was prepared, so that a database that is as it was left is found to be so without Django.
"""

import hashlib
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import NoReturn

from sandbox.emulator import KEY
from sandbox.folder import ROOT

WRONG_SETTING = 78


def refuse(line: str) -> NoReturn:
    print(" ".join(line.split()))
    raise SystemExit(WRONG_SETTING)


def main(note: Path | None = None) -> None:
    import redis

    try:
        from booking import settings
    except SystemExit as wrong_setting:
        refuse(str(wrong_setting).removeprefix("holdfast: "))
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        refuse(f"REDIS_URL cannot be used: {error}")
    left = note.read_text() if note is not None and note.is_file() else ""
    if left and left == present_state():
        return
    bring_up()
    if note is not None:
        note.write_text(present_state())


def bring_up() -> None:
    """Migrate, and seed."""
    import django
    from django.conf import settings
    from django.core.management import call_command, get_commands
    from django.db import OperationalError, connection

    django.setup()
    try:
        connection.ensure_connection()
    except OperationalError as error:
        refuse(f"DATABASE_URL cannot be used: {error}")
    print("migrating", flush=True)
    call_command("migrate", interactive=False, verbosity=1)
    if "seed_demo" in get_commands():
        print("filling with demo data", flush=True)
        is_emulated = settings.STRIPE_SECRET_KEY == KEY and settings.STRIPE_API_BASE != ""
        call_command("seed_demo", paid=is_emulated)
        if is_emulated:
            give_past_payments(settings.STRIPE_API_BASE)
    sys.stdout.flush()


def give_past_payments(emulator: str) -> int:
    """Let the emulator know the payments of the demo's past; those that it knows stay as they are. Returns how many it made."""
    from apps.importing.demo.ledger import past_payments

    body = json.dumps({"payments": past_payments()}).encode()
    headers = {"Authorization": f"Bearer {os.environ['STRIPE_SECRET_KEY']}", "Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{emulator}/_config/past", body, headers), timeout=60
    ) as answer:
        return int(json.load(answer)["made"])


def present_state() -> str:
    """What the code wants of a database, and what the database has; "" for one that has nothing yet."""
    import psycopg2

    digest = hashlib.sha256()
    for path in [Path(__file__), ROOT / "Pipfile.lock", *sorted(ROOT.glob("apps/**/migrations/*.py"))]:
        digest.update(path.read_bytes())
    try:
        with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*), max(id) FROM django_migrations")
            migrated = cursor.fetchone()
            cursor.execute("SELECT count(*) FROM users_user WHERE email = 'guest@example.com'")
            seeded = cursor.fetchone()
    except psycopg2.Error:
        return ""
    return f"{digest.hexdigest()} {migrated} {seeded}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
