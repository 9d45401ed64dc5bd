"""Stripe's library, without the clients of HTTP that it looks for and that are not those of `client`."""

from apps.core.skipped_imports import without

with without("httpx", "aiohttp", "pycurl"):
    import stripe

__all__ = ["stripe"]
