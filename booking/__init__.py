"""The Django project: settings, entry points and nothing of the business."""

from booking.celery import app as celery_app

__all__ = ["celery_app"]
