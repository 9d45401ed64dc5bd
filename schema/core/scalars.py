"""Scalars of the contract. Each refuses what it cannot represent exactly; a refused value is BAD_USER_INPUT.

    created_at = DateTime(required=True, description="...")          2026-11-21T09:30:00Z
    amount = Decimal(required=True, description="...")               "10.50"
    amount_minor = BigInt(required=True, description="...")          1050

`Upload` is the file of a multipart request, `JSON` any value.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Mapping
from typing import Any, Never

import graphene
from django.core.files.uploadedfile import UploadedFile
from graphql import (
    BooleanValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from graphql.pyutils import Undefined

LARGEST_SAFE_INTEGER = 2**53 - 1
MOST_DIGITS = 40

_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.0{1,6})?)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)


def _refuse(wanted: str) -> Never:
    raise GraphQLError(f"Expected {wanted}.")


class _TextScalar(graphene.Scalar):
    """A scalar that travels as a string, whether as a literal or in a variable."""

    class Meta:
        name = "TextScalar"

    wanted = ""

    @classmethod
    def read(cls, text: str) -> Any:
        raise NotImplementedError

    @classmethod
    def parse_value(cls, value: Any) -> Any:
        if not isinstance(value, str):
            _refuse(cls.wanted)
        try:
            return cls.read(value)
        except (ValueError, OverflowError):
            _refuse(cls.wanted)

    @classmethod
    def parse_literal(cls, node: ValueNode, _variables: Mapping[str, Any] | None = None) -> Any:
        return cls.parse_value(node.value) if isinstance(node, StringValueNode) else _refuse(cls.wanted)


class DateTime(_TextScalar):
    """An instant in ISO 8601, in UTC: `2026-11-21T09:30:00Z`. Input needs an offset."""

    class Meta:
        name = "DateTime"

    wanted = "an instant with an offset, such as 2026-11-21T09:30:00Z"

    @staticmethod
    def serialize(value: Any) -> str:
        """UTC with a Z; the fraction appears, with six digits, only when there is one."""
        if not isinstance(value, datetime.datetime) or value.tzinfo is None:
            raise TypeError(f"An aware datetime is needed, not {value!r}.")
        moment: datetime.datetime = value if value.tzinfo is datetime.UTC else value.astimezone(datetime.UTC)
        # Without "+00:00".
        return moment.isoformat()[:-6] + "Z"

    @classmethod
    def read(cls, text: str) -> datetime.datetime:
        match = _DATE_TIME.fullmatch(text)
        if match is None:
            raise ValueError(text)
        day, time, offset = match.groups()
        # The database keeps microseconds: finer digits are cut.
        whole, point, fraction = time.partition(".")
        moment = datetime.datetime.fromisoformat(f"{day}T{whole}{point}{fraction[:6]}{offset.upper()}")
        return moment.astimezone(datetime.UTC)


class Date(_TextScalar):
    """A calendar day in ISO 8601: `2026-11-21`. It belongs to the time zone of what it describes."""

    class Meta:
        name = "Date"

    wanted = "a day such as 2026-11-21"

    @staticmethod
    def serialize(value: Any) -> str:
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            raise TypeError(f"A date is needed, not {value!r}.")
        return value.isoformat()

    @classmethod
    def read(cls, text: str) -> datetime.date:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return datetime.date.fromisoformat(text)


class Time(_TextScalar):
    """A wall-clock time, `HH:MM:SS`, in the time zone of what it describes. Input may leave out the seconds."""

    class Meta:
        name = "Time"

    wanted = "a time of day such as 15:00:00"

    @staticmethod
    def serialize(value: Any) -> str:
        if not isinstance(value, datetime.time):
            raise TypeError(f"A time is needed, not {value!r}.")
        return value.replace(tzinfo=None).isoformat(timespec="seconds")

    @classmethod
    def read(cls, text: str) -> datetime.time:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.time.fromisoformat(text)


class Decimal(graphene.Scalar):
    """An exact decimal number as a string without an exponent: `"10.50"`. Input may also be a whole number."""

    class Meta:
        name = "Decimal"

    wanted = 'a decimal number such as "10.50"'

    @staticmethod
    def serialize(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, decimal.Decimal | int):
            raise TypeError(f"A Decimal is needed, not {value!r}.")
        if isinstance(value, decimal.Decimal) and not value.is_finite():
            raise TypeError("A finite Decimal is needed.")
        return f"{value:f}"

    @classmethod
    def parse_value(cls, value: Any) -> decimal.Decimal:
        if isinstance(value, float):
            # What JSON wrote as 1.5; the shortest text that reads back as this float is what was written.
            value = repr(value)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or len(text) > MOST_DIGITS or not _DECIMAL.fullmatch(text):
            _refuse(cls.wanted)
        return decimal.Decimal(text)

    @classmethod
    def parse_literal(cls, node: ValueNode, _variables: Mapping[str, Any] | None = None) -> decimal.Decimal:
        if not isinstance(node, StringValueNode | IntValueNode | FloatValueNode):
            _refuse(cls.wanted)
        return cls.parse_value(node.value)


class BigInt(graphene.Scalar):
    """A whole number between -(2^53 - 1) and 2^53 - 1, which every client can hold exactly."""

    class Meta:
        name = "BigInt"

    wanted = "a whole number of at most 2^53 - 1"

    @classmethod
    def serialize(cls, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_SAFE_INTEGER:
            raise TypeError(f"An integer within 2^53 - 1 is needed, not {value!r}.")
        return value

    @classmethod
    def parse_value(cls, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_SAFE_INTEGER:
            _refuse(cls.wanted)
        return value

    @classmethod
    def parse_literal(cls, node: ValueNode, _variables: Mapping[str, Any] | None = None) -> int:
        if not isinstance(node, IntValueNode) or len(node.value) > 17:
            _refuse(cls.wanted)
        return cls.parse_value(int(node.value))


class JSON(graphene.Scalar):
    """Any JSON value."""

    class Meta:
        name = "JSON"

    @staticmethod
    def serialize(value: Any) -> Any:
        return value

    @staticmethod
    def parse_value(value: Any) -> Any:
        return value

    @classmethod
    def parse_literal(cls, node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
        match node:
            case StringValueNode() | BooleanValueNode():
                return node.value
            case IntValueNode():
                return int(node.value) if len(node.value) <= MOST_DIGITS else _refuse("a smaller number")
            case FloatValueNode():
                return float(node.value)
            case ListValueNode():
                return [cls.parse_literal(item, variables) for item in node.values]
            case ObjectValueNode():
                return {field.name.value: cls.parse_literal(field.value, variables) for field in node.fields}
            case VariableNode():
                return (variables or {}).get(node.name.value, Undefined)
            case NullValueNode():
                return None
        _refuse("a JSON value")


class Upload(graphene.Scalar):
    """A file of a GraphQL multipart request. It can only be given in a variable."""

    class Meta:
        name = "Upload"

    wanted = "a file of a multipart request"

    @staticmethod
    def serialize(value: Any) -> Never:
        raise TypeError("A file cannot be shown.")

    @classmethod
    def parse_value(cls, value: Any) -> UploadedFile[Any]:
        return value if isinstance(value, UploadedFile) else _refuse(cls.wanted)

    @classmethod
    def parse_literal(cls, node: ValueNode, _variables: Mapping[str, Any] | None = None) -> Never:
        _refuse(cls.wanted)
