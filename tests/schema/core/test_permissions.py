"""Who may call a root field, and that none is left undecided."""

import graphene
import pytest
from pytest_django.fixtures import Settings

from schema.core.permissions import RootField, undeclared_permissions
from tests.schema.core.sample import ask, codes, data_of, make_context, schema

FIELDS = ["at", "account", "hosting", "staffing"]


@pytest.mark.parametrize(
    ("role", "refusals"),
    [
        (None, {"account": "UNAUTHENTICATED", "hosting": "UNAUTHENTICATED", "staffing": "UNAUTHENTICATED"}),
        ("GUEST", {"hosting": "FORBIDDEN", "staffing": "FORBIDDEN"}),
        ("HOST", {"staffing": "FORBIDDEN"}),
        ("STAFF", {}),
        ("UNHEARD", {"account": "FORBIDDEN", "hosting": "FORBIDDEN", "staffing": "FORBIDDEN"}),
    ],
)
def test_each_role_reaches_what_it_may(role: str | None, refusals: dict[str, str]) -> None:
    answer = ask("{ at account hosting staffing }", None, make_context(role))
    assert answer.data is not None
    told = {error["path"][0]: str(error["extensions"]["code"]) for error in answer.errors}
    assert told == refusals
    assert [name for name in FIELDS if answer.data[name] is None] == [name for name in FIELDS if name in refusals]


def test_a_root_field_without_a_permission_is_found() -> None:
    class Query(graphene.ObjectType):
        plain = graphene.String()

    assert undeclared_permissions(graphene.Schema(query=Query)) == ["Query.plain"]
    assert undeclared_permissions(schema) == []
    with pytest.raises(TypeError):
        RootField(graphene.String)  # type: ignore[call-arg]


def test_introspection_is_for_staff_when_it_is_closed(settings: Settings) -> None:
    settings.INTROSPECTION_OPEN = False
    query = "{ __schema { queryType { name } } }"
    for role in (None, "HOST"):
        answer = ask(query, None, make_context(role))
        assert (answer.executed, set(codes(answer))) == (False, {"BAD_USER_INPUT"})
    assert data_of(query, None, make_context("STAFF")) == {"__schema": {"queryType": {"name": "Query"}}}
    assert data_of("{ __typename }") == {"__typename": "Query"}


def test_suggestions_are_hidden_when_introspection_is_closed(settings: Settings) -> None:
    settings.INTROSPECTION_OPEN = True
    assert "Did you mean" in ask("{ accoun }").errors[0]["message"]
    settings.INTROSPECTION_OPEN = False
    for query in ("{ accoun }", "{ person(p: 1) { name } }", "{ person(pk: 1) { nam } }"):
        assert "Did you mean" not in str(ask(query).errors)


def test_a_subscription_is_told_where_to_go() -> None:
    answer = ask("subscription { ticked }")
    assert codes(answer) == ["BAD_USER_INPUT"]
    assert not answer.executed


@pytest.mark.parametrize(("query", "code"), [("{ missing }", "NOT_FOUND"), ("{ badInt }", "INTERNAL")])
def test_codes_of_fields(query: str, code: str) -> None:
    answer = ask(query)
    assert codes(answer) == [code]
    assert "secret" not in str(answer.errors)
