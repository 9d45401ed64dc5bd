"""Mutations with one `input` and a payload that carries its errors.

    class BookingPayload(Payload):
        \"\"\"A booking, or why there is none.\"\"\"

        booking = graphene.Field(Booking, description="The booking.")

    class BookProperty(Mutation):
        \"\"\"Hold a property for some nights.\"\"\"

        permission = anyone
        input_type = BookPropertyInput
        payload_type = BookingPayload

        @classmethod
        def perform(cls, context: Context, data: BookPropertyInput) -> dict[str, object]:
            return {"booking": hold(..., now=context.now)}

    class BookingMutations:
        book_property = BookProperty.Field()

`data` is the cleaned input (see `inputs`): `data.title`, and `"title" in data` where omitting differs from null. A
DomainError that leaves `perform` becomes the payload's `errors`, with everything else in it null, false or 0. `check`
may find errors of the input that cleaning cannot know; both kinds are told together, and then nothing is performed.

The docstring is the description of the root field. Name class and field alike: BookProperty, bookProperty.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import graphene
from graphene.types.structures import NonNull

from apps.core.errors import AccountClosed, Collector, DomainError, InputErrors
from schema.core.errors import Unauthenticated, UserError, user_errors
from schema.core.inputs import clean_into
from schema.core.permissions import Permission, RootField

if TYPE_CHECKING:
    from schema.core.context import Context, Info


class Payload(graphene.ObjectType):
    """What a mutation answers."""

    class Meta:
        abstract = True

    errors = graphene.List(
        graphene.NonNull(UserError),
        required=True,
        description="What the user can mend. Empty when it was done; otherwise nothing was changed.",
    )


class Mutation:
    """Base of all mutations with an input."""

    permission: ClassVar[Permission]
    input_type: ClassVar[Any]
    payload_type: ClassVar[Any]
    # See RootField.
    begins_with_statement: ClassVar[bool] = False

    @classmethod
    def check(cls, context: Context, data: Any, problems: Collector) -> None:
        """Adds errors of the input itself to the problems. Reads only. A field that cleaning refused is absent in
        `data`.
        """

    @classmethod
    def around(cls, context: Context, data: Any) -> AbstractContextManager[object]:
        """What the whole of `perform` is done within."""
        return nullcontext()

    @classmethod
    def perform(cls, context: Context, data: Any) -> Mapping[str, Any]:
        """The fields of the payload. Raises DomainError for what the user can mend."""
        raise NotImplementedError

    @classmethod
    def Field(cls) -> RootField:  # noqa: N802 - as graphene names it
        """The root field, nullable so that one failure leaves the results of its siblings standing."""
        description = inspect.cleandoc(cls.__doc__ or "")
        return RootField(
            cls.payload_type,
            input=graphene.Argument(graphene.NonNull(cls.input_type), description="What is needed to do it."),
            permission=cls.permission,
            begins_with_statement=cls.begins_with_statement,
            description=description,
            resolver=cls._resolve,
        )

    @classmethod
    def _resolve(cls, _root: None, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        try:
            return {**empty(cls.payload_type), **cls._done(info.context, input), "errors": []}
        except DomainError as error:
            return {**empty(cls.payload_type), "errors": user_errors(error)}
        except AccountClosed:
            raise Unauthenticated from None

    @classmethod
    def _done(cls, context: Context, given: Mapping[str, Any]) -> Mapping[str, Any]:
        problems = Collector()
        data = clean_into(given, problems)
        cls.check(context, data, problems)
        if problems.errors:
            raise InputErrors(first_of_each_field(problems.errors))
        with cls.around(context, data):
            return cls.perform(context, data)


def first_of_each_field(errors: list[DomainError]) -> list[DomainError]:
    """One error for each field, the first, in order; errors of the whole input are all kept."""
    kept: dict[object, DomainError] = {}
    for error in errors:
        kept.setdefault(error.field or id(error), error)
    return list(kept.values())


def empty(payload_type: Any) -> dict[str, Any]:
    """The payload of a mutation that did nothing: flags false, numbers 0, the rest null."""
    values: dict[str, Any] = {}
    for name, field in payload_type._meta.fields.items():
        type_ = field.type
        inner = type_.of_type if isinstance(type_, NonNull) else None
        values[name] = False if inner is graphene.Boolean else 0 if inner is graphene.Int else None
    return values
