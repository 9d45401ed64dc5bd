"""Statements that PostgreSQL plans once for each connection, and querysets that Django compiles once for each process.

    RUN_OUT = Prepared("run_out", "SELECT count(*) FROM bookings_booking WHERE expires_at <= %(now)s", now="timestamptz")
    RUN_OUT.rows(now=now)                                   [(3,)]

    MINE = PreparedQuery(
        "bookings_of_guest",
        lambda: Booking.objects.select_related("bill").filter(guest=Given("guest", BigIntegerField())),
    )
    MINE.all(guest=user.pk)                                 the same instances as the queryset's

For what is asked with every request: building a queryset, compiling it and planning what comes of it cost several times what
carrying it out does. The queryset stays the source: columns that a model gets are in it by themselves.

With PREPARED_STATEMENTS=off the same texts are sent whole each time, as a connection pool that hands every transaction another
connection demands.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, NotSupportedError, connection, connections
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import get_related_populators
from psycopg2.errors import InvalidSqlStatementName

from apps.core.instances import Quick

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

    from apps.core.postgres.base import DatabaseWrapper

M = TypeVar("M", bound=Model)

PLACE = re.compile(r"%\((\w+)\)s")
LENGTH = re.compile(r"\([0-9, ]+\)")

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
        if self._first is not None:
            self._first._name_anew()
        self.name = f"{self._title}_{next(_numbers)}"
        self._execute = f"EXECUTE {self.name} {self._given}"
        _texts[self._execute] = self._numbered

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
        if self.name not in _known.get(session, ()):
            with database.wrap_database_errors:
                self.told_to(session)
        return self._execute

    def told_to(self, session: Any) -> str:
        """The name by which the session knows it, which is told it where it does not yet. Raises what the driver raises."""
        known = _known.get(session)
        if known is None:
            known = _known[session] = set()
        if self.name not in known:
            session.prepare(f"PREPARE {self.name} {self._types} AS {self._numbered}")
            known.add(self.name)
        return self.name

    def unknown_to(self, session: Any) -> None:
        """Have the session told anew next time: it does not know the name that it was told."""
        _known.get(session, set()).discard(self.name)

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """Carry it out, in the transaction if one is open. Returns all rows; none where it returns nothing."""
        database = own_connection()
        try:
            found = database.rows(self.text(database), values)
        except NotSupportedError:
            # A migration has changed the type of a column meanwhile, and what was prepared holds no more, on any connection.
            self._name_anew()
            if database.in_atomic_block:
                raise
            return database.rows(self.text(database), values)
        except DatabaseError as error:
            if isinstance(error.__cause__, InvalidSqlStatementName):
                # Whatever lies between has given us another connection: the next one is told again.
                self.unknown_to(database.connection)
                if self._first is not None:
                    self._first.unknown_to(database.connection)
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


def own_connection() -> DatabaseWrapper:
    """The connection of this thread. To be asked for once in a call: to find out whose it is takes longer than to use it."""
    return cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])


class Given(Expression):
    """A value that a prepared query is given each time, in a queryset wherever an expression may stand."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]

    def __repr__(self) -> str:
        return f"Given({self.name})"


class PreparedQuery(Generic[M]):
    """A queryset with `Given` places, compiled when it is first asked. Follows `select_related` and annotations.

    What it brings are instances as the queryset brings them; prefetches and `values` are not for it. `after` is a statement
    to be carried out just before it, in the same message: see `Prepared.after`.
    """

    def __init__(self, name: str, build: Callable[[], QuerySet[M]], *, after: Prepared | None = None) -> None:
        self.name = name
        self._build = build
        self._after = after
        self._compiled: _Compiled | None = None
        self._compiling = threading.Lock()

    def all(self, **values: Any) -> list[M]:
        """All rows, in the queryset's order."""
        compiled = self._compiled
        if compiled is None:
            with self._compiling:
                compiled = self._compiled = self._compiled or _Compiled(self.name, self._build(), self._after)
        return compiled.instances(compiled.statement.rows(**values))

    def first(self, **values: Any) -> M | None:
        """The first row; None where there is none."""
        found = self.all(**values)
        return found[0] if found else None


class _Compiled:
    """What Django makes of a queryset before it asks, kept: the statement and how a row becomes an instance."""

    def __init__(self, name: str, queryset: QuerySet[Any], first: Prepared | None) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        text, types = _compiled_by(compiler)
        statement = Prepared(name, text, **types)
        self.statement = statement if first is None else statement.after(first)
        information: Any = compiler.klass_info
        select = compiler.select
        start, end = information["select_fields"][0], information["select_fields"][-1] + 1
        self._model = Quick(information["model"])
        self._columns = slice(start, end)
        self._names = [column[0].target.attname for column in select[start:end]]
        populators: Any = get_related_populators
        self._related = populators(information, select, connection.alias)
        _quicken(self._related)
        self._annotations = list((compiler.annotation_col_map or {}).items())
        self._compiler = compiler
        self._converters = compiler.get_converters([column[0] for column in select])

    def instances(self, rows: list[tuple[Any, ...]]) -> list[Any]:
        found = []
        alias, from_database, names, columns = connection.alias, self._model.from_db, self._names, self._columns
        for row in self._compiler.apply_converters(rows, self._converters) if self._converters else rows:
            instance = from_database(alias, names, row[columns])
            for populator in self._related:
                populator.populate(row, instance)
            for name, place in self._annotations:
                setattr(instance, name, row[place])
            found.append(instance)
        return found


def _quicken(populators: Iterable[Any]) -> None:
    for each in populators:
        each.model_cls = Quick(each.model_cls)
        _quicken(each.related_populators)


def compiled(queryset: QuerySet[Any, Any]) -> tuple[str, dict[str, str]]:
    """The text of a queryset with `Given` places, as a part of a larger statement, and the types of its places."""
    return _compiled_by(queryset.query.get_compiler(connection=connection))


def _compiled_by(compiler: SQLCompiler) -> tuple[str, dict[str, str]]:
    text, parameters = compiler.as_sql()
    types: dict[str, str] = {}
    parts = text.split("%s")
    pieces = [parts[0]]
    for parameter, part in zip(parameters, parts[1:], strict=True):
        if isinstance(parameter, Given):
            types[parameter.name] = type_of(parameter.output_field)
            pieces.append(f"%({parameter.name})s")
        else:
            pieces.append(literal(parameter))
        pieces.append(part)
    return "".join(pieces), types


def type_of(field: Field[Any, Any]) -> str:
    """The PostgreSQL type of a column without its length: a value that is too long is refused, not cut."""
    return LENGTH.sub("", str(field.db_type(connection)))


def literal(constant: Any) -> str:
    """A value that the code gives always, as a part of the text: the planner can see that a partial index fits it."""
    with own_connection().session().cursor() as cursor:
        text: str = cursor.mogrify("%s", [constant]).decode()
    return text.replace("%", "%%")
