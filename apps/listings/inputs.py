"""Reading the input of a create or an update: defaults, nulls and bounds, every error told together. Pure Python."""

from collections.abc import Callable
from typing import Any

from apps.core.errors import Collector, Invalid, Required
from apps.core.texts import clean_text

REQUIRED: Any = object()


class DetailsInput:
    """Takes fields out of an input one by one and gathers what is wrong with them.

    On a create a field that is missing or null takes its default, or is REQUIRED when it has none. On an update a
    field that is missing stays out of `cleaned`, and null is REQUIRED unless it clears the field.
    """

    def __init__(self, fields: dict[str, Any], *, creating: bool) -> None:
        self.fields = fields
        self.creating = creating
        self.cleaned: dict[str, Any] = {}
        self.problems = Collector()

    def take(
        self, name: str, clean: Callable[[Any], Any], *, default: Any = REQUIRED, null_clears: bool = False
    ) -> None:
        """Put `clean(value)` into `cleaned`; what it raises is gathered."""
        value = self.fields.get(name)
        if value is not None:
            with self.problems.caught():
                self.cleaned[name] = clean(value)
        elif self.creating:
            if default is REQUIRED:
                self.problems.add(Required("This is required.", field=name))
            else:
                self.cleaned[name] = default
        elif name in self.fields:
            if null_clears:
                self.cleaned[name] = None
            else:
                self.problems.add(Required("This cannot be empty.", field=name))

    def whole(self, name: str, *, lowest: int, highest: int, default: Any = REQUIRED) -> None:
        """A whole number, both bounds included."""

        def clean(value: int) -> int:
            if not lowest <= value <= highest:
                raise Invalid(f"This must be from {lowest} to {highest}.", field=name)
            return value

        self.take(name, clean, default=default)

    def text(self, name: str, *, max_length: int, default: Any = REQUIRED) -> None:
        """A text; one without a default must not be blank."""
        required = default is REQUIRED
        self.take(
            name,
            lambda value: clean_text(value, field=name, max_length=max_length, required=required),
            default=default,
        )

    def now_or(self, name: str, present: Any) -> Any:
        """What the field will be: as cleaned here, or when not given as it is at `present` (a row or None).

        None where what was given is wrong: then there is nothing to compare.
        """
        if name in self.cleaned:
            return self.cleaned[name]
        return None if name in self.fields else getattr(present, name, None)

    def result(self) -> dict[str, Any]:
        """What was cleaned. Raises InputErrors when anything is wrong."""
        self.problems.raise_if_any()
        return self.cleaned
