"""The environment, read once, typed and checked.

A wrong value stops the start with one line that names the variable; nothing is guessed. Defaults are those of production:
what makes development easier has to be asked for.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from apps.core.providers import MailProvider, read_provider
from apps.users.keys import SigningKey, derived_key, read_signing_keys
from apps.users.signin.issuers import TrustedIssuer, read_issuers
from apps.users.signin.return_urls import ReturnUrl, read_return_urls
from schema.core.manifests import read_manifest

MODES = ("production", "development", "test")
REDIS = ("redis", "rediss", "unix")
# What stands between us and PostgreSQL, by how long a connection of its is ours.
POOLERS = ("none", "session", "transaction")
ON = {"1", "on", "true", "yes"}
OFF = {"0", "off", "false", "no"}
OPERATION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
MOST_OPERATION_NAMES = 500

RATE = re.compile(r"[1-9][0-9]{0,8}/(?:second|minute|hour|day)")
# Reads are in points of a tenth of a millisecond, all else in times.
RATES = {
    "reads": "120000/minute",
    "requests": "600/minute",
    "sign_ins": "10/minute",
    "sign_ups": "20/hour",
    "resets": "20/hour",
    "bookings": "30/minute",
    "payments": "120/minute",
    "uploads": "200/hour",
}

# For how many days each sort of rows is kept unless something else is said, and at least.
KEEP_DAYS = {
    "webhooks": (30, 1),
    # The card processor shows its own for thirty days.
    "processor_events": (365, 30),
    "notifications": (365, 1),
    "letters": (365, 7),
    "sessions": (180, 1),
    # The database deletes none that is younger.
    "audit": (730, 90),
}

Value = TypeVar("Value")


class Reader:
    """Reads single variables. Raises ImproperlyConfigured with the variable's name and what was expected."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environ.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set; see .env.example.")
        return default

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        value = self.text(name, default).lower()
        if value not in options:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, not {value!r}.")
        return value

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name, "on" if default else "off").lower()
        if value in ON:
            return True
        if value in OFF:
            return False
        raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")

    def seconds(self, name: str, default: int, *, smallest: int = 1, largest: int = 10**9) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not value.isascii() or not smallest <= int(value) <= largest:
            bounds = f"at least {smallest}" if largest == 10**9 else f"{smallest} to {largest}"
            raise ImproperlyConfigured(f"{name} must be a whole number of {bounds}, not {value!r}.")
        return int(value)

    def port(self, name: str, default: int, *, smallest: int = 0) -> int:
        port = self.seconds(name, default, smallest=smallest)
        if port > 65535:
            raise ImproperlyConfigured(f"{name} must be at most 65535, not {port}.")
        return port

    def secret(self, name: str, *, smallest: int) -> str:
        """A text that nobody guesses; "" where it is not set. It is not shown when it is wrong."""
        value = self.text(name, "")
        if value and (len(value) < smallest or not value.isascii() or not value.isprintable() or " " in value):
            raise ImproperlyConfigured(f"{name} must have at least {smallest} letters, digits or signs, and no spaces.")
        return value

    def operation_names(self, name: str) -> tuple[str, ...]:
        """Names of GraphQL operations."""
        names = tuple(self.names(name))
        for each in names:
            if not OPERATION_NAME.fullmatch(each):
                raise ImproperlyConfigured(f"{name}: {each!r} is no name of an operation.")
        if len(names) > MOST_OPERATION_NAMES:
            raise ImproperlyConfigured(f"{name} has more than {MOST_OPERATION_NAMES} names.")
        return names

    def sentry_dsn(self, name: str) -> str:
        """Where errors are reported, https://key@host/project; "" where it is not set."""
        value = self.url(name, ("http", "https"), "")
        if value:
            url = urlsplit(value)
            if not (url.username and url.hostname and url.path.rpartition("/")[2].isdecimal()):
                raise ImproperlyConfigured(f"{name} must look like https://key@host/project.")
        return value

    def rate(self, name: str, default: str) -> str:
        """How often something may be done: a number, a stroke and a second, minute, hour or day, as 600/minute."""
        value = self.text(name, default)
        if not RATE.fullmatch(value):
            raise ImproperlyConfigured(f"{name} must look like 600/minute, 20/hour or 5/second, not {value!r}.")
        return value

    def names(self, name: str, default: str = "") -> list[str]:
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def table(self, name: str, check: Callable[[Any], Value], default: Value) -> Value:
        raw = self.text(name, "")
        if not raw:
            return default
        try:
            return check(json.loads(raw))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is not the JSON it should be: {error}.") from error

    def database(self, name: str) -> dict[str, Any]:
        """The connection as Django wants it, from postgresql://user:password@host:port/name?option=value."""
        url = urlsplit(self.text(name))
        try:
            port = url.port or 5432
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} has a port that is no number.") from error
        if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/"):
            raise ImproperlyConfigured(f"{name} must look like postgresql://user:password@host:port/database.")
        return {
            "NAME": unquote(url.path.strip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname or "",
            "PORT": str(port),
        }

    def mail_server(self, name: str) -> dict[str, Any]:
        """The server as Django wants it, from smtp://user:password@host:port; smtps:// for TLS from the start.

        A login over smtp:// is only ever sent after STARTTLS. Without the variable there is no server, and HOST is "".
        """
        url = urlsplit(self.url(name, ("smtp", "smtps"), ""))
        try:
            port = url.port or (465 if url.scheme == "smtps" else 587)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} has a port that is no number.") from error
        if url.scheme and not url.hostname:
            raise ImproperlyConfigured(f"{name} must look like smtp://user:password@host:port.")
        return {
            "HOST": url.hostname or "",
            "PORT": port,
            "HOST_USER": unquote(url.username or ""),
            "HOST_PASSWORD": unquote(url.password or ""),
            "USE_SSL": url.scheme == "smtps",
            "USE_TLS": url.scheme == "smtp" and url.username is not None,
        }

    def files(self, name: str) -> tuple[Path, ...]:
        """The files that the variable names, which must be there."""
        paths = tuple(Path(part) for part in self.names(name))
        for path in paths:
            if not path.is_file():
                raise ImproperlyConfigured(f"{name}: there is no file {path}.")
        return paths

    def manifest(self, name: str) -> dict[str, str] | None:
        """The registered operations of the file that the variable names; None without it."""
        path = self.text(name, "")
        if not path:
            return None
        try:
            return read_manifest(Path(path))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}.") from error

    def mail_provider(self) -> MailProvider | None:
        """The company whose API takes the mails; None where none is named, or a mail server is."""
        name, key = self.text("EMAIL_PROVIDER", "").lower(), self.text("EMAIL_API_KEY", "")
        no_options: dict[str, Any] = {}
        options = self.table("EMAIL_OPTIONS", _object, no_options)
        if not name:
            if key or options:
                raise ImproperlyConfigured("EMAIL_API_KEY or EMAIL_OPTIONS is set, and EMAIL_PROVIDER is not.")
            return None
        if self.text("EMAIL_URL", ""):
            raise ImproperlyConfigured("EMAIL_PROVIDER and EMAIL_URL are both set: mails leave one way.")
        try:
            return read_provider(name, key=key, options=options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{error}.") from error

    def url(self, name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value and urlsplit(value).scheme not in schemes:
            raise ImproperlyConfigured(f"{name} must be a URL that begins with {' or '.join(schemes)}://.")
        return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it must be an object")
    return value


@dataclass(frozen=True, slots=True)
class Environment:
    """All settings that a process takes from outside. Durations are in seconds."""

    mode: str
    secret_key: str
    secret_key_fallbacks: list[str]
    signing_keys: tuple[SigningKey, ...]
    database: dict[str, Any]
    database_pooler: str
    redis_url: str
    cache_redis_url: str
    limits_redis_url: str
    live_redis_url: str
    broker_url: str
    port: int
    public_url: str
    allowed_hosts: list[str]
    allowed_origins: list[str]
    stripe_secret_key: str
    stripe_webhook_secret: str
    stripe_api_base: str
    mail_dir: Path | None
    mail_server: dict[str, Any]
    mail_provider: MailProvider | None
    mail_from: str
    media_dir: Path
    static_dir: Path
    trusted_issuers: dict[str, TrustedIssuer]
    sign_in_return_urls: tuple[ReturnUrl, ...]
    receipt_fonts: tuple[Path, ...]
    registered_operations: dict[str, str] | None
    rate_limits: bool
    rates: dict[str, str]
    prepared_statements: bool
    trusted_proxies: int
    require_verified_email: bool
    staff_two_factor: str
    hold_seconds: int
    sweep_seconds: int
    keep_days: dict[str, int]
    cache_seconds: int
    http_threads: int
    request_seconds: int
    statement_seconds: int
    lock_seconds: int
    worker_statement_seconds: int
    migration_lock_seconds: int
    migration_tries: int
    access_token_seconds: int
    refresh_token_seconds: int
    log_level: str
    log_format: str
    access_log: bool
    metrics_token: str
    metrics_dir: Path
    metrics_port: int
    metrics_operations: tuple[str, ...]
    traces_url: str
    sentry_dsn: str
    compiled_reads: bool

    @classmethod
    def read(cls, environ: Mapping[str, str], *, base: Path) -> "Environment":
        """Raises ImproperlyConfigured where a variable is missing or wrong."""
        read = Reader(environ)
        mode = read.choice("MODE", MODES, "production")
        secret_key = read.text("SECRET_KEY")
        if len(secret_key) < 32:
            raise ImproperlyConfigured("SECRET_KEY must have at least 32 characters.")
        before = read.names("SECRET_KEY_FALLBACKS")
        if any(len(key) < 32 for key in before):
            raise ImproperlyConfigured("SECRET_KEY_FALLBACKS: each key must have at least 32 characters, and no comma.")
        derived = tuple(derived_key(key) for key in dict.fromkeys([secret_key, *before]))
        port = read.port("PORT", 8000, smallest=1)
        mail_dir = read.text("MAIL_DIR", "")
        pooler = read.choice("DATABASE_POOLER", POOLERS, "none")
        is_prepared = read.switch("PREPARED_STATEMENTS", default=pooler != "transaction")
        if is_prepared and pooler == "transaction":
            raise ImproperlyConfigured(
                "PREPARED_STATEMENTS is on, and DATABASE_POOLER is transaction: the next transaction finds nothing prepared."
            )
        no_issuers: dict[str, TrustedIssuer] = {}
        issuers = read.table("TRUSTED_ISSUERS", read_issuers, no_issuers)
        try:
            return_urls = read_return_urls(read.names("SIGN_IN_RETURN_URLS"))
        except ValueError as error:
            raise ImproperlyConfigured(f"SIGN_IN_RETURN_URLS: {error}.") from error
        if not return_urls and any(issuer.client for issuer in issuers.values()):
            raise ImproperlyConfigured(
                "SIGN_IN_RETURN_URLS is not set, and an issuer of TRUSTED_ISSUERS has a client_id."
            )
        return cls(
            mode=mode,
            secret_key=secret_key,
            secret_key_fallbacks=before,
            signing_keys=read.table("SIGNING_KEYS", read_signing_keys, derived),
            database=read.database("DATABASE_URL"),
            database_pooler=pooler,
            redis_url=(redis := read.url("REDIS_URL", REDIS)),
            cache_redis_url=read.url("CACHE_REDIS_URL", REDIS, redis),
            limits_redis_url=read.url("LIMITS_REDIS_URL", REDIS, redis),
            live_redis_url=read.url("LIVE_REDIS_URL", REDIS, redis),
            broker_url=read.url("BROKER_URL", ("amqp", "amqps", "redis", "rediss"), ""),
            port=port,
            public_url=read.url("PUBLIC_URL", ("http", "https"), f"http://127.0.0.1:{port}").rstrip("/"),
            allowed_hosts=read.names("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]"),
            allowed_origins=read.names("ALLOWED_ORIGINS"),
            stripe_secret_key=read.text("STRIPE_SECRET_KEY"),
            stripe_webhook_secret=read.text("STRIPE_WEBHOOK_SECRET"),
            stripe_api_base=read.url("STRIPE_API_BASE", ("http", "https"), ""),
            mail_dir=Path(mail_dir) if mail_dir else None,
            mail_server=read.mail_server("EMAIL_URL"),
            mail_provider=read.mail_provider(),
            mail_from=read.text("MAIL_FROM", "Holdfast <no-reply@localhost>"),
            media_dir=Path(read.text("MEDIA_DIR", str(base / "media"))),
            static_dir=Path(read.text("STATIC_DIR", str(base / "staticfiles"))),
            trusted_issuers=issuers,
            sign_in_return_urls=return_urls,
            receipt_fonts=read.files("RECEIPT_FONTS"),
            registered_operations=read.manifest("REGISTERED_OPERATIONS"),
            rate_limits=read.switch("RATE_LIMITS", default=True),
            rates={name: read.rate(f"RATE_{name.upper()}", rate) for name, rate in RATES.items()},
            prepared_statements=is_prepared,
            trusted_proxies=read.seconds("TRUSTED_PROXIES", 0, smallest=0),
            require_verified_email=read.switch("REQUIRE_VERIFIED_EMAIL", default=True),
            staff_two_factor=read.choice("STAFF_TWO_FACTOR", ("off", "optional", "required"), "optional"),
            hold_seconds=read.seconds("HOLD_SECONDS", 900),
            sweep_seconds=read.seconds("SWEEP_SECONDS", 5),
            keep_days={
                name: read.seconds(f"KEEP_{name.upper()}_DAYS", usual, smallest=least, largest=36_500)
                for name, (usual, least) in KEEP_DAYS.items()
            },
            cache_seconds=read.seconds("CACHE_SECONDS", 10, smallest=0, largest=3600),
            http_threads=read.seconds("HTTP_THREADS", 1),
            request_seconds=read.seconds("REQUEST_SECONDS", 30),
            statement_seconds=read.seconds("STATEMENT_SECONDS", 15),
            lock_seconds=read.seconds("LOCK_SECONDS", 8),
            worker_statement_seconds=read.seconds("WORKER_STATEMENT_SECONDS", 300),
            migration_lock_seconds=read.seconds("MIGRATION_LOCK_SECONDS", 3),
            migration_tries=read.seconds("MIGRATION_TRIES", 30),
            access_token_seconds=read.seconds("ACCESS_TOKEN_SECONDS", 300),
            refresh_token_seconds=read.seconds("REFRESH_TOKEN_SECONDS", 2_592_000),
            compiled_reads=read.switch("COMPILED_READS", default=True),
            log_level=read.choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info").upper(),
            log_format=read.choice("LOG_FORMAT", ("line", "json"), "line"),
            access_log=read.switch("ACCESS_LOG", default=True),
            metrics_token=read.secret("METRICS_TOKEN", smallest=16),
            metrics_dir=Path(read.text("METRICS_DIR", str(Path(tempfile.gettempdir()) / f"holdfast-metrics-{port}"))),
            metrics_port=read.port("METRICS_PORT", 0),
            metrics_operations=read.operation_names("METRICS_OPERATIONS"),
            traces_url=read.url("OTEL_EXPORTER_OTLP_ENDPOINT", ("http", "https"), "").rstrip("/"),
            sentry_dsn=read.sentry_dsn("SENTRY_DSN"),
        )


def read_environment(base: Path) -> Environment:
    """The environment of this process."""
    return Environment.read(os.environ, base=base)
