"""Input fields that clean themselves, so that every mutation treats text and null alike.

    class UpdateListingInput(graphene.InputObjectType):
        id = graphene.ID(required=True, description="...")
        title = text(200, required=True, null=REFUSED, description="...")        # String in GraphQL, never blank
        description = text(20_000, null=REFUSED, description="...")
        price = value(MoneyInput, null=REFUSED, description="...")
        amenities = texts(100, null=REFUSED, description="...")

`clean(input)` walks the input with everything nested in it and returns a copy in which texts are trimmed, or raises all
that is wrong at once. In the copy a field that was omitted is absent (`"title" in data`), one that was null is None
where null is KEPT.

The rules: text is trimmed; blank is REQUIRED where it is required; too long is INVALID; NUL and other control
characters except tab and newline are INVALID. HTML and SQL are text like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import graphene
from graphene.types.inputfield import InputField
from graphene.types.structures import List, NonNull

from apps.core.errors import Collector, Invalid, Required
from apps.core.texts import clean_text


class Null(Enum):
    """What null means in an optional field: the same as leaving it out, an error, or a value."""

    OMITTED = "omitted"
    REFUSED = "refused"
    KEPT = "kept"


OMITTED, REFUSED, KEPT = Null.OMITTED, Null.REFUSED, Null.KEPT

Path = tuple[str, ...]
Cleaner = Callable[[Any, Path], Any]


class CleanedField(InputField):
    """An input field that knows how its value is cleaned. The cleaner raises DomainErrors at the path it is given."""

    def __init__(self, type_: Any, *, null: Null, cleaner: Cleaner | None = None, **options: Any) -> None:
        super().__init__(type_, **options)
        self.null = null
        self.cleaner = cleaner


def text(
    longest: int, *, description: str, required: bool = False, optional: bool = False, null: Null | None = None
) -> CleanedField:
    """A text of at most `longest` characters. `required`: not blank, and `String!` unless it is `optional` or says what
    null means.
    """

    def cleaner(given: Any, field: Path) -> str:
        return clean_text(given, field=field, max_length=longest, required=required)

    is_mandatory = required and not optional and null is None
    return CleanedField(
        graphene.String, required=is_mandatory, null=null or OMITTED, cleaner=cleaner, description=description
    )


def texts(
    longest: int, *, description: str, most: int = 100, required: bool = False, null: Null = OMITTED
) -> CleanedField:
    """A list of at most `most` texts, none blank."""

    def cleaner(given: Any, field: Path) -> list[str]:
        if len(given) > most:
            raise Invalid(f"{field[-1]} must have at most {most} entries.", field=field)
        problems = Collector()
        cleaned: list[str] = []
        for index, each in enumerate(given):
            with problems.caught():
                cleaned.append(clean_text(each, field=(*field, str(index)), max_length=longest, required=True))
        problems.raise_if_any()
        return cleaned

    return CleanedField(
        graphene.List(graphene.NonNull(graphene.String)),
        required=required,
        null=null,
        cleaner=cleaner,
        description=description,
    )


def value(type_: Any, *, description: str, null: Null = OMITTED) -> CleanedField:
    """An optional field of any type, with what null means in it."""
    return CleanedField(type_, null=null, description=description)


def clean(data: Mapping[str, Any]) -> Any:
    """The cleaned copy of an input object. Raises InputErrors with everything that is wrong in it."""
    problems = Collector()
    cleaned = clean_into(data, problems)
    problems.raise_if_any()
    return cleaned


def clean_into(data: Mapping[str, Any], problems: Collector, path: Path = ()) -> Any:
    """The cleaned copy; what is wrong goes to `problems`, and the refused value is left out."""
    fields = data._meta.fields  # type: ignore[attr-defined]
    cleaned: dict[str, Any] = {}
    for name, given in data.items():
        here = (*path, name)
        field = fields[name]
        if given is None:
            null = field.null if isinstance(field, CleanedField) else KEPT
            if null is REFUSED:
                problems.add(Required(f"{name} must not be null.", field=here))
            elif null is KEPT:
                cleaned[name] = None
            continue
        with problems.caught():
            cleaned[name] = _cleaned(field, given, problems, here)
    copy: Any = type(data)
    return copy(cleaned)


def _cleaned(field: Any, given: Any, problems: Collector, here: Path) -> Any:
    if isinstance(field, CleanedField) and field.cleaner is not None:
        return field.cleaner(given, here)
    if hasattr(given, "_meta"):
        return clean_into(given, problems, here)
    if isinstance(given, list) and is_list_of_inputs(field.type):
        return [clean_into(each, problems, (*here, str(index))) for index, each in enumerate(given)]
    return given


def is_list_of_inputs(type_: Any) -> bool:
    """Whether the graphene type is a list of input objects."""
    if isinstance(type_, NonNull):
        type_ = type_.of_type
    if not isinstance(type_, List):
        return False
    inner = type_.of_type.of_type if isinstance(type_.of_type, NonNull) else type_.of_type
    return isinstance(inner, type) and issubclass(inner, graphene.InputObjectType)
