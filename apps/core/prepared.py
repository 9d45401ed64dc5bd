"""Statements that PostgreSQL plans once for each connection.

    RUN_OUT = Prepared("run_out", "SELECT count(*) FROM bookings_booking WHERE expires_at <= %(now)s", now="timestamptz")
    RUN_OUT.rows(now=now)                                   [(3,)]

For what is asked with every request: planning a statement costs several times what carrying it out does. Those of query sets are
declared as `apps.core.reads`.

With PREPARED_STATEMENTS=off the same texts are sent whole each time, as a connection pool that hands every transaction another
connection demands.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError, NotSupportedError
from psycopg2.errors import InvalidSqlStatementName

from apps.core.postgres.own import own_connection

if TYPE_CHECKING:
    from apps.core.postgres.base import DatabaseWrapper

PLACE = re.compile(r"%\((\w+)\)s")

# Two statements with one name never get into each other's way.
_numbers = itertools.count(1)
# What each connection to the database has been told; it forgets with the connection.
_known: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
# What is meant by each EXECUTE that is sent.
_texts: dict[str, str] = {}


class Prepared:
    """One statement. Its text has psycopg2's named places, `%(name)s`; `types` are their PostgreSQL types.

    `name` is for whoever reads the logs. Raises ValueError for places and types that do not fit each other.
    """

    # Carried out just before, with values for its own places: see `after`.
    _first: Prepared | None = None
    # Said just behind it, once it has been carried out: see `ending_with`.
    _rest = ""

    def __init__(self, name: str, text: str, /, **types: str) -> None:
        places = set(PLACE.findall(text))
        if places != set(types):
            raise ValueError(f"{name}: places and types differ in {', '.join(sorted(places ^ set(types)))}")
        order = list(types)
        self._title = name
        self._numbered = PLACE.sub(lambda found: f"${order.index(found[1]) + 1}", text).replace("%%", "%")
        self._whole = PLACE.sub(lambda found: f"CAST({found[0]} AS {types[found[1]]})", text)
        self._types = _listed(types.values())
        # An array says nothing of its type where it is empty or holds nothing but null.
        given = (f"%({place})s{'::' + types[place] if types[place].endswith('[]') else ''}" for place in order)
        self._given = _listed(given)
        self.places = tuple(order)
        self._name_anew()

    def after(self, first: Prepared) -> Self:
        """This statement behind another one, sent in one message. What the first brings is seen by nobody.

        Each sees the database as it is when it begins: what is read behind a lock is what the lock was waited for.
        """
        both = copy.copy(self)
        both._first = first
        both._name_anew()
        return both

    def ending_with(self, rest: str) -> Self:
        """This statement, a COMMIT and what is said behind that, sent in one message; what is said last answers.

        `rest` must be nothing that can fail: the COMMIT stands. Until the transaction is left nothing else is carried out.
        """
        whole = copy.copy(self)
        whole._rest = rest
        whole._name_anew()
        return whole

    def _name_anew(self) -> None:
        name = f"{self._title}_{next(_numbers)}"
        execute = f"EXECUTE {name} {self._given}"
        _texts[execute] = self._numbered
        # At once: another thread may be about to say it.
        self._naming = name, execute

    @property
    def name(self) -> str:
        """By which sessions know it. Another one after a migration."""
        return self._naming[0]

    @property
    def _parts(self) -> list[Prepared]:
        return [*(self._first._parts if self._first is not None else ()), self]

    def text(self, database: DatabaseWrapper) -> str:
        """What to execute with the values for the places, on this connection."""
        own = self._own_text(database)
        if self._first is None and not self._rest:
            return own
        before = f"{self._first.text(database)}; " if self._first else ""
        behind = f"; COMMIT; {self._rest}" if self._rest else ""
        whole = f"{before}{own}{behind}"
        if whole not in _texts:
            _texts[whole] = f"{meant(before[:-2]) + '; ' if before else ''}{meant(own)}{behind}"
        return whole

    def _own_text(self, database: DatabaseWrapper) -> str:
        if not settings.PREPARED_STATEMENTS:
            return self._whole
        session = database.session()
        name, execute = self._naming
        if name not in _known.get(session, ()):
            with database.wrap_database_errors:
                self._tell(session, name)
        return execute

    def told_to(self, session: Any) -> str:
        """The name by which the session knows it, which is told it where it does not yet. Raises what the driver raises."""
        name = self.name
        if name not in _known.get(session, ()):
            self._tell(session, name)
        return name

    def _tell(self, session: Any, name: str) -> None:
        session.prepare(f"PREPARE {name} {self._types} AS {self._numbered}")
        _known.setdefault(session, set()).add(name)

    def unknown_to(self, session: Any, refusal: Exception) -> None:
        """Have the session told anew next time, if the refusal says that it does not know this name.

        Of several in one message it may know the others, and would not hear of them again.
        """
        name = self.name
        if re.search(rf"\b{name}\b", str(refusal)):
            _known.get(session, set()).discard(name)

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """Carry it out, in the transaction if one is open. Returns all rows; none where it returns nothing."""
        database = own_connection()
        try:
            found = database.rows(self.text(database), values)
        except NotSupportedError:
            # A migration has changed the type of a column meanwhile, and what was prepared holds no more, on any connection.
            for each in self._parts:
                each._name_anew()
            if database.in_atomic_block:
                raise
            return database.rows(self.text(database), values)
        except DatabaseError as error:
            if isinstance(error.__cause__, InvalidSqlStatementName):
                # Whatever lies between has given us another connection: the next one is told again.
                for each in self._parts:
                    each.unknown_to(database.connection, error)
            raise
        if self._rest:
            database.connection.note_end()
        return found

    def row(self, **values: Any) -> tuple[Any, ...] | None:
        """The same for at most one row."""
        found = self.rows(**values)
        return found[0] if found else None


def meant(text: str) -> str:
    """The statement that a text carries out: itself, but for the EXECUTE of a prepared one."""
    return _texts.get(text, text)


def _listed(parts: Iterable[str]) -> str:
    listed = ", ".join(parts)
    return f"({listed})" if listed else ""
