"""The client of the account tests, here too."""

from tests.schema.users.conftest import _no_limits, api

__all__ = ["_no_limits", "api"]
