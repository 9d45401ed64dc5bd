"""Telling a database that is away, which comes back, from a bug, which does not go away."""

from django.db import InterfaceError, OperationalError

# PostgreSQL ends the session, is starting, or takes no more sessions. Time-outs and deadlocks are not among them: whoever
# tries again waits for those as long again.
AWAY = frozenset({"57P01", "57P02", "57P03", "53300"})
CONNECTION_CLASS = "08"


def is_outage(error: BaseException | None) -> bool:
    """Whether the error says that the database cannot be reached for a while."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.__cause__, "pgcode", None)
    # Without a code it was not the database that spoke: the connection broke.
    return code is None or code in AWAY or code.startswith(CONNECTION_CLASS)
