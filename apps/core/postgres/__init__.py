"""Django's PostgreSQL backend with fewer round trips: ENGINE is `apps.core.postgres`."""
