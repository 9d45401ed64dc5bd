"""Django settings, all of them from the environment (`.env.example` lists it)."""

import zoneinfo
from datetime import timedelta
from pathlib import Path

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from apps.core.timeouts import Timeouts
from apps.staff.look import LOOK
from booking.env import read_environment
from booking.queues import BULK, QUEUES, ROUTES
from booking.watching.logs import logging_settings
from booking.watching.values import keep_values_in

# One tzdata for every machine: the pinned package, not what the system happens to have.
zoneinfo.reset_tzpath(to=())

BASE_DIR = Path(__file__).resolve().parent.parent
try:
    ENV = read_environment(BASE_DIR)
except ImproperlyConfigured as problem:
    # Whoever starts a process is told in one line, whichever process it is.
    raise SystemExit(f"holdfast: {problem}") from None

MODE = ENV.mode
DEBUG = False
SECRET_KEY = ENV.secret_key
SECRET_KEY_FALLBACKS = ENV.secret_key_fallbacks
SIGNING_KEYS = ENV.signing_keys
PUBLIC_URL = ENV.public_url
ALLOWED_HOSTS = [*ENV.allowed_hosts, "testserver"] if MODE == "test" else ENV.allowed_hosts

# What is sold. Each is a folder of apps/kinds and a module of schema/kinds by that name, and nobody else names them all.
KINDS = ("property", "service", "event", "parking")

INSTALLED_APPS = [
    # The theme stands before the admin that it covers.
    "apps.staff",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "apps.staff.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "graphene_django_graphiql_static",
    "graphene_django",
    "apps.core",
    "apps.live",
    "apps.audit",
    "apps.users",
    "apps.listings",
    "apps.availability",
    "apps.payments",
    "apps.notifications",
    "apps.integrations",
    *(f"apps.kinds.{name}" for name in KINDS),
    "apps.bookings",
    "apps.hosting",
    "apps.reviews",
    "apps.accounts",
    "apps.importing",
    "schema",
    "booking.watching",
]

MIDDLEWARE = [
    "booking.watching.middleware.WatchMiddleware",
    "booking.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "booking.headers.CorsMiddleware",
    "apps.audit.origin.OriginMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# What posts to /graphql pass: no cookie signs anybody in there, no file is served, and HeadersMiddleware says all that Django's
# own two would. What is left to do of the common one, `booking.short_way` does.
NOT_FOR_API = {
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
}
API_MIDDLEWARE = [each for each in MIDDLEWARE if each not in NOT_FOR_API]

ROOT_URLCONF = "booking.urls"
WSGI_APPLICATION = "booking.wsgi.application"
# How many requests a process of `booking.asgi` answers at once.
HTTP_THREADS = ENV.http_threads
# How long a request may take, waiting in the queue included.
REQUEST_SECONDS = ENV.request_seconds
# A transaction does nothing for as long as a whole request may take only when its process is stuck.
WEB_TIMEOUTS = Timeouts(
    statement=ENV.statement_seconds, lock=ENV.lock_seconds, idle_transaction=ENV.request_seconds + ENV.statement_seconds
)
WORKER_TIMEOUTS = Timeouts(
    statement=ENV.worker_statement_seconds,
    lock=max(ENV.lock_seconds, ENV.worker_statement_seconds // 10),
    idle_transaction=2 * ENV.worker_statement_seconds,
)
MIGRATION_LOCK_SECONDS: float = ENV.migration_lock_seconds
MIGRATION_TRIES = ENV.migration_tries
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", ["apps.staff.patches.PatchingLoader"])],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "apps.core.postgres",
        **ENV.database,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 10,
            # The lowest likeness at which a word of a search finds a word of a listing: one typing error in five letters.
            # Compiling a plan takes longer than the pages of a search that it would be compiled for.
            # Nor is every order of joins tried out: of nine tables, as a booking is read with, that took ten times as long as to
            # join them as they are named, by what is asked for first.
            "options": "-c timezone=UTC -c pg_trgm.word_similarity_threshold=0.45 -c jit=off -c join_collapse_limit=6",
        },
    }
}
# What stands in between: "none", or a pool that lends a connection for a "session" or for a "transaction".
DATABASE_POOLER = ENV.database_pooler
# A cursor that is fetched from outlives its transaction.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_POOLER == "transaction"
PREPARED_STATEMENTS = ENV.prepared_statements
# Through `apps.core.reads`; else through Django's query sets.
COMPILED_READS = ENV.compiled_reads
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = ENV.redis_url
# What is kept, what is counted and who is woken may each be on a server of its own.
CACHE_REDIS_URL = ENV.cache_redis_url
LIMITS_REDIS_URL = ENV.limits_redis_url
LIVE_REDIS_URL = ENV.live_redis_url
# Codes of sign-ins and who sends to integrators: little, and not to be thrown out.
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "holdfast",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2},
    }
}

AUTH_USER_MODEL = "users.User"
# Emails are unique by a constraint that leaves out deleted and imported accounts; those cannot sign in.
# The proxy in front turns http into https, and probes come without; what else lies below the domain is its owner's to say.
SILENCED_SYSTEM_CHECKS = ["auth.W004", "security.W005", "security.W008", "security.W021"]
AUTHENTICATION_BACKENDS = ["apps.users.backends.StaffRoleBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "first_name", "last_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

UNFOLD = LOOK
STAFF_TWO_FACTOR = ENV.staff_two_factor

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = ENV.static_dir
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
MEDIA_URL = "media/"
MEDIA_ROOT = ENV.media_dir
FILE_UPLOAD_PERMISSIONS = 0o644
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

# What helps developers is open to everybody outside production, and to staff in it.
INTROSPECTION_OPEN = GRAPHIQL_OPEN = MODE != "production"
# How many proxies of ours stand in front and add to X-Forwarded-For.
TRUSTED_PROXIES = ENV.trusted_proxies
GRAPHENE = {"SCHEMA": "schema.root.schema", "SCHEMA_OUTPUT": "schema/schema.graphql"}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PUBLIC_URL.startswith("https://") else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CORS_ALLOWED_ORIGINS = ENV.allowed_origins
CORS_EXPOSE_HEADERS = ["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"]
CORS_URLS_REGEX = r"^/graphql$"
CSRF_TRUSTED_ORIGINS = ENV.allowed_origins

CELERY_BROKER_URL = ENV.broker_url or REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# RabbitMQ confirms what it has taken: the outbox forgets a job once it is sent.
OF_RABBITMQ = {"confirm_publish": True}
OF_REDIS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "global_keyprefix": "holdfast:",
    # A worker of several queues takes from the second only while the first is empty.
    "queue_order_strategy": "priority",
}
CELERY_BROKER_TRANSPORT_OPTIONS = OF_RABBITMQ if CELERY_BROKER_URL.startswith("amqp") else OF_REDIS
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
CELERY_TASK_ROUTES = ROUTES
CELERY_TASK_DEFAULT_QUEUE = BULK
# A publisher that cannot reach the broker gives up at once: the outbox keeps the job and beat sends it later.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Sweeps that nobody came to carry out are forgotten, since later ones do the same: a worker that was away begins with what
# is new.
SWEEP = {"schedule": ENV.sweep_seconds, "options": {"expires": 3 * ENV.sweep_seconds}}
CELERY_BEAT_SCHEDULE = {
    "publish-live-events": {"task": "live.publish_waiting", **SWEEP},
    "send-outbox": {"task": "core.send_outbox", **SWEEP},
    "expire-holds": {"task": "bookings.expire_holds", **SWEEP},
    "complete-bookings": {"task": "bookings.complete_ended", **SWEEP},
    "resume": {"task": "bookings.resume", **SWEEP},
    "remind": {"task": "bookings.remind", **SWEEP},
    "sync-calendars": {"task": "hosting.sync_calendars", **SWEEP},
    "send-letters": {"task": "notifications.send_letters", **SWEEP},
    "deliver-webhooks": {"task": "integrations.deliver", **SWEEP},
    "collect-debts": {"task": "bookings.collect_debts", **SWEEP},
    "reconcile": {"task": "bookings.reconcile", "schedule": crontab(hour="3", minute="17")},
    "look-for-oversold": {"task": "availability.look_for_oversold", "schedule": crontab(minute="7")},
    "forget": {"task": "core.forget", "schedule": crontab(minute="23")},
}

STRIPE_SECRET_KEY = ENV.stripe_secret_key
STRIPE_WEBHOOK_SECRET = ENV.stripe_webhook_secret
STRIPE_API_BASE = ENV.stripe_api_base

MAIL_DIR = ENV.mail_dir
EMAIL_HOST = ENV.mail_server["HOST"]
EMAIL_PORT = ENV.mail_server["PORT"]
EMAIL_HOST_USER = ENV.mail_server["HOST_USER"]
EMAIL_HOST_PASSWORD = ENV.mail_server["HOST_PASSWORD"]
EMAIL_USE_SSL = ENV.mail_server["USE_SSL"]
EMAIL_USE_TLS = ENV.mail_server["USE_TLS"]
EMAIL_TIMEOUT = 20
ANYMAIL = ENV.mail_provider.anymail if ENV.mail_provider else {}
EMAIL_BACKEND = ENV.mail_provider.backend if ENV.mail_provider else "django.core.mail.backends.smtp.EmailBackend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.mail_from
TRUSTED_ISSUERS = ENV.trusted_issuers
SIGN_IN_RETURN_URLS = ENV.sign_in_return_urls
RECEIPT_FONTS = ENV.receipt_fonts
REGISTERED_OPERATIONS = ENV.registered_operations
RATE_LIMITS_ENABLED = ENV.rate_limits
RATES = ENV.rates
REQUIRE_VERIFIED_EMAIL = ENV.require_verified_email
HOLD_SECONDS = ENV.hold_seconds
SWEEP_SECONDS = ENV.sweep_seconds
KEEP_DAYS = ENV.keep_days
CACHE_SECONDS = ENV.cache_seconds
ACCESS_TOKEN_SECONDS = ENV.access_token_seconds
REFRESH_TOKEN_SECONDS = ENV.refresh_token_seconds
GRAPHQL_JWT = {
    "JWT_ALGORITHM": "HS256",
    "JWT_VERIFY_EXPIRATION": True,
    "JWT_EXPIRATION_DELTA": timedelta(seconds=ACCESS_TOKEN_SECONDS),
    "JWT_LONG_RUNNING_REFRESH_TOKEN": True,
    "JWT_REFRESH_EXPIRATION_DELTA": timedelta(seconds=REFRESH_TOKEN_SECONDS),
    "JWT_AUTH_HEADER_PREFIX": "Bearer",
    "JWT_ENCODE_HANDLER": "apps.users.tokens.encode",
    "JWT_DECODE_HANDLER": "apps.users.tokens.decode",
}

LOGGING = logging_settings(level=ENV.log_level, form=ENV.log_format, access=ENV.access_log)

METRICS_TOKEN = ENV.metrics_token
METRICS_DIR = ENV.metrics_dir
METRICS_PORT = ENV.metrics_port
METRICS_OPERATIONS = ENV.metrics_operations
TRACES_URL = ENV.traces_url
SENTRY_DSN = ENV.sentry_dsn
if METRICS_TOKEN:
    try:
        keep_values_in(METRICS_DIR)
    except OSError as problem:
        raise SystemExit(f"holdfast: METRICS_DIR: {problem}") from None
