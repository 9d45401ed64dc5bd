"""Log lines, for people or for a log store: what happened, in which request, and nothing personal.

Names of people are in no message to begin with; `redacted` takes out what gets into messages through errors: addresses,
tokens, keys, and the rows that PostgreSQL quotes.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.core import correlation

ACCESS = "holdfast.access"

_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    # What PostgreSQL tells of the row that it refused, however many lines the row has.
    (
        re.compile(r"DETAIL:.*?(?=\n(?:HINT:|CONTEXT:|Traceback |The above |During |\n)|\Z)", re.DOTALL),
        "DETAIL: [hidden]",
    ),
    (re.compile(r"(?<=://)[^\s/@]+@"), "[hidden]@"),
    (re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "[token]"),
    (re.compile(r"\b(Bearer|Basic|JWT) +[\w.~+/=-]+", re.IGNORECASE), r"\1 [hidden]"),
    (re.compile(r"\b(?:[sr]k_(?:test|live)|whsec|(?:pi|seti)_\w+?_secret)_\w+"), "[key]"),
    (re.compile(r"\b[0-9a-f]{40,}\b"), "[secret]"),
)
_SUSPICIOUS = re.compile(r"@|eyJ|DETAIL:|bearer|basic|jwt|[sr]k_|whsec_|_secret_|[0-9a-f]{40}", re.IGNORECASE)

# The trace that the line belongs to, "" outside of one; set where traces are on.
trace_id: Callable[[], str] | None = None


# What every record has, where it says nothing.
_EMPTY = {
    **dict.fromkeys(("pathname", "filename", "module", "funcName", "threadName", "processName", "taskName"), ""),
    **dict.fromkeys(("lineno", "thread", "process", "relativeCreated"), 0),
    **dict.fromkeys(("args", "exc_info", "exc_text", "stack_info")),
    "name": ACCESS,
    "levelno": logging.INFO,
    "levelname": "INFO",
}


class AccessRecord(logging.LogRecord):
    """A line of the access log. To find out which line of code wrote it, and in which thread of which process, as other
    records do, takes several times longer than to write it.
    """

    def __init__(self, said: str, fields: dict[str, Any], *, at: float) -> None:
        self.__dict__.update(_EMPTY)
        self.msg = said
        self.fields = fields
        self.created = at
        self.msecs = at % 1 * 1000


def redacted(text: str) -> str:
    """The text without addresses, tokens, keys and rows.

    >>> redacted("Ada <ada@example.com> sent Bearer abc.def")
    'Ada <[email]> sent Bearer [hidden]'
    """
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, instead in _REDACTIONS:
        text = pattern.sub(instead, text)
    return text


def _ids() -> dict[str, Any]:
    """Which work the line belongs to."""
    ids: dict[str, Any] = {}
    present = correlation.current()
    if present is not None:
        ids["request"] = present.request_id
        if present.operation:
            ids["operation"] = present.operation
        if present.user_id is not None:
            ids["user"] = present.user_id
    if trace_id is not None and (trace := trace_id()):
        ids["trace"] = trace
    return ids


class LineFormatter(logging.Formatter):
    """A line for people: the moment in UTC, the level, who says it, the request, what is said."""

    def format(self, record: logging.LogRecord) -> str:
        present = correlation.current()
        request = f" [{present.request_id}]" if present is not None else ""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(" ", "milliseconds")[:23]
        line = f"{moment} {record.levelname} {record.name}{request} {_said(record)}"
        if record.exc_info or record.stack_info:
            return f"{line}\n{_trace(self, record)}"
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with `fields` of the record beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _said(record),
            **_ids(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info or record.stack_info:
            entry["exception"] = _trace(self, record)
        return orjson.dumps(entry, default=str, option=orjson.OPT_UTC_Z).decode()


def _said(record: logging.LogRecord) -> str:
    # What the access log says is made of parts that are harmless each.
    return str(record.msg) if isinstance(record, AccessRecord) else redacted(record.getMessage())


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return redacted("\n".join(parts))


class WithoutPaths(logging.Filter):
    """For Django's own log of answers, which names whole paths: some open what is secret. The access log has the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return False
        record.msg, record.args = "A page could not be answered", ()
        return True


def logging_settings(*, level: str, form: str, access: bool) -> dict[str, Any]:
    """What LOGGING is to be."""
    formatter = {"line": "LineFormatter", "json": "JsonFormatter"}[form]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: {"()": f"{__name__}.{formatter}"}},
        "filters": {"without_paths": {"()": f"{__name__}.WithoutPaths"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            ACCESS: {"level": "INFO" if access else "CRITICAL"},
            "django.request": {"filters": ["without_paths"]},
            # It tells each job's id and how long it took, of thousands of sweeps too; the metrics do.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
        },
    }
