"""The WSGI entry point that serves HTTP."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")

whole = get_wsgi_application()

from django.conf import settings  # noqa: E402 - the settings are there now

from apps.core.timeouts import bound_sessions  # noqa: E402
from booking.short_way import with_short_way  # noqa: E402
from schema.views import engine  # noqa: E402

bound_sessions(settings.WEB_TIMEOUTS)
application = with_short_way(whole)
# The schema is made here, and not for the first who asks.
engine()
# All that is served is loaded, and stays: see booking.watching.apps.
gc.freeze()
