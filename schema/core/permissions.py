"""Deny by default: a root field says who may call it, or it does not exist.

    class ListingQueries(graphene.ObjectType):
        listing = RootField(Listing, id=graphene.ID(required=True, description="..."), permission=anyone, description="...")

        def resolve_listing(root: None, info: Info, id: str) -> ...

`RootField` checks before the resolver runs (or before the subscription starts), and that is the only place where the
role of an account is checked. What somebody may see or do with one object is decided by the selectors and policies of
the apps. `undeclared_permissions(schema)` lists root fields that were declared otherwise; a test keeps it empty.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import graphene
from graphene.utils.str_converters import to_camel_case

from schema.core.context import Context
from schema.core.errors import Forbidden, Unauthenticated

RANKS = {"GUEST": 1, "HOST": 2, "STAFF": 3}


@dataclass(frozen=True, slots=True)
class Permission:
    """Whom a root field serves: `rank` 0 is everybody, above it an account whose role ranks at least so high."""

    name: str
    rank: int

    def check(self, context: Context) -> None:
        """Raises Unauthenticated for an anonymous caller and Forbidden for a role that is too low."""
        if self.rank == 0:
            return
        if context.user is None:
            raise Unauthenticated
        if RANKS.get(context.user.role, 0) < self.rank:
            raise Forbidden


anyone = Permission("anyone", 0)
signed_in = Permission("signed_in", RANKS["GUEST"])
host = Permission("host", RANKS["HOST"])
staff = Permission("staff", RANKS["STAFF"])


class RootField(graphene.Field):
    """A field of Query, Mutation or Subscription with its permission. Also guards a field of any other type.

    `begins_with_statement`, of a mutation: nothing that it does before its first statement to the database has an effect that
    could not be given back, so that the statement may ask who the caller is.
    """

    def __init__(
        self, *arguments: Any, permission: Permission, begins_with_statement: bool = False, **options: Any
    ) -> None:
        if not isinstance(permission, Permission):
            raise TypeError("A root field needs a Permission.")
        super().__init__(*arguments, **options)
        self.permission = permission
        self.begins_with_statement = begins_with_statement

    def wrap_resolve(self, parent_resolver: Callable[..., Any]) -> Callable[..., Any]:
        return self._guarded(super().wrap_resolve(parent_resolver))

    def wrap_subscribe(self, parent_subscribe: Callable[..., Any] | None) -> Callable[..., Any] | None:
        return self._guarded(parent_subscribe) if parent_subscribe else None

    def _guarded(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        permission = self.permission

        @functools.wraps(resolve)
        def guarded(root: Any, info: Any, **arguments: Any) -> Any:
            permission.check(info.context)
            return resolve(root, info, **arguments)

        return guarded


def beginning_with_statement(schema: graphene.Schema) -> frozenset[str]:
    """The mutations that begin with a statement, by their names in GraphQL."""
    fields = schema.mutation._meta.fields if schema.mutation is not None else {}
    return frozenset(
        field.name or to_camel_case(name)
        for name, field in fields.items()
        if isinstance(field, RootField) and field.begins_with_statement
    )


def undeclared_permissions(schema: graphene.Schema) -> list[str]:
    """The root fields without a permission, as "Type.field"."""
    return [
        f"{root._meta.name}.{name}"
        for root in (schema.query, schema.mutation, schema.subscription)
        if root is not None
        for name, field in root._meta.fields.items()
        if not isinstance(field, RootField)
    ]
