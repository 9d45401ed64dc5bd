"""Generated code: functions that show one object, each for one selection. The loop of `schema.core.lean`, unrolled.

    written(selection)(execution, source, place)        the object as the answer has it

A function says field by field what the loop would find out: which attribute is read, which resolver is called and with what, by
which test a value shows itself as it is. Whatever passes no test goes where the loop takes it, `Execution.put`: null, an
exception, what has to be waited for, a value of another class. So both give the same answer in the same order, and a function has
no rules of its own.

Every word of a function is a name of ours or a number. What comes from a client, such as an alias, it reads from its globals.
"""

from __future__ import annotations

import dis
import functools
import inspect
import keyword
import math
from collections.abc import Callable
from datetime import UTC, datetime
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
    is_leaf_type,
    is_list_type,
)

from schema.core.completing import Complete, nullable_of
from schema.core.default_resolvers import absent
from schema.core.loaders import Deferred
from schema.core.scalars import LARGEST_SAFE_INTEGER, BigInt, DateTime

if TYPE_CHECKING:
    from schema.core.selections import Field, Selection

LARGEST_INT, SMALLEST_INT = 2**31 - 1, -(2**31)

_TEXT = ("value.__class__ is str", "value")
# By how a scalar serializes: of which values it is known what they look like, and what that is.
KNOWN: dict[Any, tuple[str, str]] = {
    GraphQLString.serialize: _TEXT,
    GraphQLID.serialize: _TEXT,
    GraphQLBoolean.serialize: ("value is True or value is False", "value"),
    GraphQLInt.serialize: ("value.__class__ is int and SMALLEST_INT <= value <= LARGEST_INT", "value"),
    GraphQLFloat.serialize: ("value.__class__ is float and -INFINITY < value < INFINITY", "value"),
    BigInt.serialize: ("value.__class__ is int and -LARGEST_SAFE_INTEGER <= value <= LARGEST_SAFE_INTEGER", "value"),
    DateTime.serialize: ("value.__class__ is datetime and value.tzinfo is UTC", "value.isoformat()[:-6] + 'Z'"),
}
GLOBALS = {
    "CoroutineType": CoroutineType,
    "Deferred": Deferred,
    "INFINITY": math.inf,
    "LARGEST_INT": LARGEST_INT,
    "LARGEST_SAFE_INTEGER": LARGEST_SAFE_INTEGER,
    "SMALLEST_INT": SMALLEST_INT,
    "UTC": UTC,
    "datetime": datetime,
}


def written(selection: Selection) -> Complete:
    """The function of the selection. Those of the objects that are certain to lie below it are written with it."""
    writer = Writer(selection)
    source = writer.source()
    names = writer.names
    exec(compile(source, f"<{selection.parent.name}>", "exec"), names)  # noqa: S102 - words of ours and numbers
    show: Complete = names["show"]
    return show


def unread(field: Field, source: Any, error: Exception) -> Any:
    """What is shown of an attribute whose reading raised: what stands for a missing one, or an exception."""
    if not isinstance(error, AttributeError):
        return error
    try:
        return absent(source, str(field.attribute), field.default)
    except Exception as its:  # noqa: BLE001, RUF100 - every failure of a property is a field error
        return its


@functools.lru_cache(maxsize=4096)
def ignores_info(resolve: Any) -> bool:
    """Whether a resolver's code never looks at its second argument."""
    if not inspect.isfunction(resolve):
        return False
    code = resolve.__code__
    if code.co_argcount < 2:
        return False
    name = code.co_varnames[1]
    # Some instructions name two variables at once.
    named = (each.argval if isinstance(each.argval, tuple) else (each.argval,) for each in dis.get_instructions(code))
    return name not in code.co_cellvars and not any(name in each for each in named)


class Writer:
    """Writes the text of a function, with the names that are used in it."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.names: dict[str, Any] = {**GLOBALS, "SELECTION": selection, "unread": unread}
        # Those whose resolvers are called with an info, in the order in which `Execution.prepare` has it.
        self.called: list[Field] = []
        self.handed: list[str] = []

    def source(self) -> str:
        """The whole function."""
        fields = [line for number, field in enumerate(self.selection.fields) for line in self._field(number, field)]
        body = [*self._counted(), *self._prepared(), "shown = {}", *fields, "return shown"]
        return "\n".join(["def show(execution, source, place):", *(f"    {line}" for line in body), ""])

    def _counted(self) -> list[str]:
        if self.selection.price is None:
            return ["execution.charge(SELECTION)"]
        self.names["PRICE"] = self.selection.price
        return ["execution.spent += PRICE", "if execution.spent > execution.look_at:", "    execution.look()"]

    def _prepared(self) -> list[str]:
        lines = []
        looped = "    return execution.looped(SELECTION, source, place)"
        if any(field.attribute is not None for field in self.selection.fields):
            # An item of a dict is no attribute.
            lines += ["if isinstance(source, dict):", looped]
        if self.called:
            self.names["CALLED"] = self.called
            lines += [
                "ready = execution.ready.get(SELECTION) or execution.prepare(SELECTION, CALLED)",
                "if ready is None:",
                looped,
                f"{', '.join(self.handed)}, = ready",
            ]
        return lines

    def _field(self, number: int, field: Field) -> list[str]:
        self.names[f"KEY{number}"], self.names[f"FIELD{number}"] = field.key, field
        return [*self._value(number, field), *self._shown(number, field)]

    def _value(self, number: int, field: Field) -> list[str]:
        """Lines after which `value` is what the field has, or the exception that it raised."""
        attribute = field.attribute
        if attribute is not None:
            read = f"source.{attribute}"
            if not attribute.isidentifier() or keyword.iskeyword(attribute):
                self.names[f"NAME{number}"], read = attribute, f"getattr(source, NAME{number})"
            return _tried([f"value = {read}"], f"value = unread(FIELD{number}, source, error)")
        alone = _alone(field)
        if alone is not None:
            self.names[f"RESOLVE{number}"] = alone
            call = "source"
        elif field.arguments is None and ignores_info(field.resolve):
            self.names[f"RESOLVE{number}"] = field.resolve
            call = "source, None"
        else:
            self.names[f"RESOLVE{number}"] = field.resolve
            self.called.append(field)
            self.handed += [f"info{number}", f"arguments{number}"]
            call = f"source, info{number}" + (f", **arguments{number}" if field.arguments is not None else "")
        return _tried([f"value = RESOLVE{number}({call})"], "value = error")

    def _shown(self, number: int, field: Field) -> list[str]:
        """Lines that show `value`, whatever it is."""
        inner = nullable_of(field.definition.type)
        put = f"    execution.put(FIELD{number}, value, shown, place)"
        if is_leaf_type(inner):
            return [*self._leaf(number, field, inner, put), "else:", put]
        complete = self._complete(number, field, inner)
        return [
            "kind = value.__class__",
            "if value is None or kind is Deferred or kind is CoroutineType or isinstance(value, Exception):",
            put,
            "else:",
            f"    at = (place, KEY{number}, shown, {field.nullable})",
            *(
                f"    {line}"
                for line in _tried(
                    [f"shown[KEY{number}] = {complete}"],
                    f"shown[KEY{number}] = None",
                    f"execution.fail(error, FIELD{number}, at)",
                )
            ),
        ]

    def _leaf(self, number: int, field: Field, inner: Any, put: str) -> list[str]:
        show = f"    shown[KEY{number}] = "
        known = KNOWN.get(inner.serialize) if isinstance(inner, GraphQLScalarType) else None
        if known is not None:
            test, text = known
            lines = [f"if {test}:", show + text]
        elif isinstance(inner, GraphQLEnumType):
            # What a name is shown as was found out by `serialize` before.
            self.names[f"NAMES{number}"] = field.names
            lines = [f"if value.__class__ is str and value in NAMES{number}:", show + f"NAMES{number}[value]"]
        else:
            self.names[f"SERIALIZE{number}"], self.names[f"VALUES{number}"] = field.serialize, field.direct
            shown = _tried([f"shown[KEY{number}] = SERIALIZE{number}(value)"], "value = error", put.strip())
            lines = [f"if value.__class__ in VALUES{number}:", *(f"    {line}" for line in shown)]
        return [*lines, "elif value is None:", show + "None"] if field.nullable else lines

    def _complete(self, number: int, field: Field, inner: Any) -> str:
        """The call that completes a value that is neither null nor an exception nor waited for."""
        name = f"COMPLETE{number}"
        of_type = inner.of_type if is_list_type(inner) else None
        item = nullable_of(of_type) if of_type is not None else inner
        if isinstance(item, GraphQLObjectType):
            below = field.below(item)
            below.write()
            self.names[name] = below.show
            if of_type is not None:
                nullable = not isinstance(of_type, GraphQLNonNull)
                return f"execution.listed(FIELD{number}, value, at, {name}, {nullable})"
        else:
            self.names[name] = field.complete
        return f"{name}(execution, value, at)"


def _tried(lines: list[str], *failed: str) -> list[str]:
    return [
        "try:",
        *(f"    {line}" for line in lines),
        "except Exception as error:",
        *(f"    {line}" for line in failed),
    ]


def _alone(field: Field) -> Callable[[Any], Any] | None:
    """The field's resolver as a function of the object alone, where it says that it is one."""
    resolve: Any = field.resolve
    bound: tuple[Any, ...] = ()
    if isinstance(resolve, functools.partial) and not resolve.keywords:
        resolve, bound = resolve.func, resolve.args
    make = getattr(resolve, "from_object", None)
    if make is None or field.arguments is not None:
        return None
    alone: Callable[[Any], Any] = make(field.parent.name, *bound)
    return alone
