"""`booking.asgi`, all on one port as the demo serves it, with the horizon of the comparison."""

import bench.peers.wsgi  # noqa: F401 - moves the horizon
from booking.asgi import application

__all__ = ["application"]
