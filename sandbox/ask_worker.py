"""`python -m sandbox.ask_worker`: wait until a Celery worker answers through the broker; code 1 when none does."""

import time

ANSWER_SECONDS = 90.0


def main() -> None:
    from booking.celery import app

    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        if app.control.ping(timeout=0.5, limit=1):
            return
    raise SystemExit(1)


if __name__ == "__main__":
    main()
