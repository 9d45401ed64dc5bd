"""Cache tags: what public answers are made of, in families; and which of them a statement of SQL reads or writes.

The names of tables are looked for in the text, so nobody has to say what a query set, a function of the database or a raw
statement touches, and nobody can forget to.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from django.apps import apps

# What is offered, and how it is found.
LISTINGS = "listings"
# What of it is taken.
AVAILABILITY = "availability"
REVIEWS = "reviews"
# Hosts and authors, as everybody sees them.
PEOPLE = "people"

# By the name of a table, or of a function of the database that reads tables; those of the kinds come to it.
FAMILIES: dict[str, frozenset[str]] = {
    "listings_listing": frozenset({LISTINGS}),
    "listings_image": frozenset({LISTINGS}),
    "listings_word": frozenset({LISTINGS}),
    "availability_unit": frozenset({AVAILABILITY}),
    "availability_stock": frozenset({AVAILABILITY}),
    "availability_allocation": frozenset({AVAILABILITY}),
    "availability_block": frozenset({AVAILABILITY}),
    "service_slots": frozenset({LISTINGS, AVAILABILITY}),
    "reviews_review": frozenset({REVIEWS}),
    "users_user": frozenset({PEOPLE}),
}
# Columns that no stranger is shown: each sign-in writes some of them.
UNSEEN = {
    "users_user": frozenset(
        {
            "password",
            "last_login",
            "email",
            "email_verified_at",
            "phone_number",
            "role",
            "is_superuser",
            "token_version",
            "updated_at",
        }
    )
}
# A new row here is shown nowhere before a row of another table names it.
UNSEEN_WHEN_NEW = {"users_user"}

# What the apps of all kinds begin with.
KINDS = "apps.kinds."

NAME = re.compile(r"[a-z_][a-z0-9_]*")
# Locks are no writes.
LOCK = re.compile(r"\bfor\s+(?:no\s+key\s+)?update\b")
WRITE = re.compile(
    r"\b(insert\s+into|merge\s+into|update|delete\s+from|copy)\s+(?:only\s+)?(?:\"?public\"?\.)?\"?([a-z_][a-z0-9_]*)"
)
EMPTYING = re.compile(r"\btruncate\b")
UPDATED = re.compile(r"^\s*update\s+\"(\w+)\"\s+set\s+(.*?)(?:\s+where\s.*)?$", re.DOTALL)
ASSIGNED = re.compile(r"(?:^|,\s*)\"(\w+)\"\s*=")


@dataclass(frozen=True, slots=True)
class Statement:
    """The families that a statement reads and writes. `is_covered`: it looks at no table that is in no family."""

    reads: frozenset[str]
    writes: frozenset[str]
    is_covered: bool


@functools.lru_cache(maxsize=1024)
def statement_of(text: str) -> Statement:
    """What the text touches."""
    lowered = text.lower()
    named = set(NAME.findall(lowered))
    families = families_of_tables()
    known = named & families.keys()
    reads = frozenset[str]().union(*(families[name] for name in known))
    return Statement(reads, _written(lowered, named), is_covered=not (named & _tables()) - known)


def _written(text: str, named: set[str]) -> frozenset[str]:
    tables = {
        table
        for verb, table in WRITE.findall(LOCK.sub(" ", text))
        if table not in UNSEEN_WHEN_NEW or not verb.startswith("insert") or "on conflict" in text
    }
    if EMPTYING.search(text):
        tables |= named
    if _is_unseen(text):
        return frozenset()
    families = families_of_tables()
    return frozenset[str]().union(*(families[table] for table in tables & families.keys()))


def _is_unseen(text: str) -> bool:
    """Whether the statement only gives columns other values that no public answer shows."""
    found = UPDATED.match(text)
    if found is None or found.group(1) not in UNSEEN or "select" in text:
        return False
    columns = set(ASSIGNED.findall(found.group(2)))
    return bool(columns) and columns <= UNSEEN[found.group(1)]


@functools.cache
def families_of_tables() -> dict[str, frozenset[str]]:
    """All of them: whatever a kind keeps of its listings is what is offered."""
    of_kinds = (app for app in apps.get_app_configs() if app.name.startswith(KINDS))
    return FAMILIES | {model._meta.db_table: frozenset({LISTINGS}) for app in of_kinds for model in app.get_models()}


@functools.cache
def _tables() -> frozenset[str]:
    """The tables of all models, and of what joins them."""
    return frozenset(model._meta.db_table for model in apps.get_models(include_auto_created=True))
