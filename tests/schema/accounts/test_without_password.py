"""Who came through a trusted issuer has no password: they are told how to get one, and can do everything with it."""

import pytest

from apps.users.actions.credentials import mail_reset_link
from apps.users.actions.mail_tokens import secret_of
from apps.users.models import MailToken, TrustedIdentity, User
from tests.schema.accounts.test_delete_account import DELETE, NOW
from tests.schema.users.conftest import TOKEN_AUTH, Api
from tests.schema.users.test_credentials import CHANGE, CHANGE_EMAIL, NEW, RESET
from tests.schema.users.test_exchange_token import EXCHANGE, _issuer, assertion

__all__ = ["_issuer"]

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = "This account has no password yet: ask for a link with requestPasswordReset to set the first one."
WITH_WORDS = "errors { code field message } } }"


@pytest.fixture
def came_through(api: Api) -> Api:
    """Signed in through an issuer."""
    api.token = api.data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]["token"]
    return api


def test_what_takes_a_password_says_how_to_get_one(came_through: Api) -> None:
    for query, at in [
        ('mutation { deleteAccount(input: {password: "x"}) { deleted ' + WITH_WORDS, "password"),
        (
            'mutation { changeEmail(input: {newEmail: "b@example.com", password: ""}) { sent ' + WITH_WORDS,
            "password",
        ),
        (
            'mutation { changePassword(input: {currentPassword: "", newPassword: "another-Horse-8"}) { token '
            + WITH_WORDS,
            "currentPassword",
        ),
    ]:
        (payload,) = came_through.data(query).values()
        assert payload["errors"] == [{"code": "INVALID_CREDENTIALS", "field": [at], "message": TOLD}]
    assert User.objects.get().is_active
    # Whoever is not signed in learns nothing of that.
    answer = Api().send(TOKEN_AUTH, email="ada@example.com", password="x")
    assert answer["errors"][0]["message"] == "The email or the password is wrong."


def first_password(api: Api) -> None:
    """What the link of the mail does."""
    mail_reset_link(email="ada@example.com", now=NOW)
    token = secret_of(MailToken.objects.get(used_at=None))
    payload = Api().data(RESET, input={"token": token, "newPassword": NEW})["resetPassword"]
    assert payload["errors"] == []
    api.token = payload["token"]


def test_a_link_by_mail_sets_the_first_password_and_the_issuer_goes_on(came_through: Api) -> None:
    first_password(came_through)
    assert Api().data(TOKEN_AUTH, email="ada@example.com", password=NEW)["tokenAuth"]["token"]
    assert Api().data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]["errors"] == []
    fields = {"newEmail": "new@example.com", "password": NEW}
    assert came_through.data(CHANGE_EMAIL, input=fields)["changeEmail"] == {"sent": True, "errors": []}
    changed = came_through.data(CHANGE, input={"currentPassword": NEW, "newPassword": "third-Horse-9"})
    assert changed["changePassword"]["errors"] == []


def test_with_it_the_account_can_be_closed_and_the_issuer_opens_another(came_through: Api) -> None:
    first_password(came_through)
    assert came_through.data(DELETE, p=NEW)["deleteAccount"]["deleted"]
    assert not TrustedIdentity.objects.exists()
    gone = User.objects.get()
    assert Api().data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]["errors"] == []
    assert User.objects.exclude(pk=gone.pk).get().email == "ada@example.com"
