"""The Django project: settings, entry points and nothing of the business."""

import gc

from apps.core.skipped_imports import without

# A start makes half a million objects that stay: looked through for garbage after every 700, it takes a fifth longer.
gc.set_threshold(50_000, 20, 50)

# It would load the SDK's metrics, which nobody here sends.
with without("opentelemetry.sdk.metrics"):
    import redis  # noqa: F401 - first here, since it looks once

from booking.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
