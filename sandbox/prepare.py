"""`python -m sandbox.prepare`: bring the database to the code, and fill an empty one with demo data.

Ends with code 78 and one line where a setting is wrong or a server given from outside does not answer.
"""

import sys
from typing import NoReturn

WRONG_SETTING = 78


def refuse(line: str) -> NoReturn:
    print(" ".join(line.split()))
    raise SystemExit(WRONG_SETTING)


def main() -> None:
    import django
    import redis
    from django.core.management import call_command, get_commands
    from django.db import OperationalError, connection

    try:
        django.setup()
        from django.conf import settings
    except SystemExit as wrong_setting:
        refuse(str(wrong_setting).removeprefix("holdfast: "))
    try:
        connection.ensure_connection()
    except OperationalError as error:
        refuse(f"DATABASE_URL cannot be used: {error}")
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        refuse(f"REDIS_URL cannot be used: {error}")
    print("migrating", flush=True)
    call_command("migrate", interactive=False, verbosity=1)
    if "seed_demo" in get_commands():
        print("filling with demo data", flush=True)
        call_command("seed_demo")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
