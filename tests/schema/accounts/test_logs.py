"""The logs of a real run hold no secret and no address that went through it."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from schema.core.ids import to_global_id
from tests.recipes import make_property
from tests.schema.users.conftest import REFRESH, SIGN_UP, TOKEN_AUTH, sign_up_input
from tests.serving import Site, eventually, serve

pytestmark = pytest.mark.django_db(transaction=True)

BOOK = """mutation($input: BookPropertyInput!) { bookProperty(input: $input) {
    booking { id } accessToken errors { code field } } }"""
OPEN = "query($id: ID, $token: String) { booking(id: $id, accessToken: $token) { id } }"
RESET = 'mutation { requestPasswordReset(input: {email: "ada@example.com"}) { accepted } }'


def test_secrets_of_a_real_run_are_in_no_log(tmp_path: Path, transactional_db: None) -> None:
    home = make_property()
    mails, logs = tmp_path / "mails", tmp_path / "logs"
    logs.mkdir()
    with serve(logs, threads=2, MAIL_DIR=str(mails)) as site:
        secrets = use(site, to_global_id("Property", home.pk), date.today() + timedelta(days=9))
        eventually(lambda: len(list(mails.glob("*.eml"))) >= 2, "both mails are there")
    text = "\n".join(path.read_text(errors="replace") for path in mails.glob("*.eml"))
    linked = set(re.findall(r"\?token=(?:3D)?([0-9a-f]{20,})", text.replace("=\n", "")))
    assert linked
    written = "\n".join(path.read_text(errors="replace") for path in logs.glob("*.log"))
    assert "users.mail_link" in written, "the worker's log is read"
    assert [secret for secret in (*secrets, *linked) if secret in written] == []


def use(site: Site, home: str, arrival: date) -> list[str]:
    """Sign up, in, and on, book without an account, and return every secret and address that was sent or answered."""
    client = site.client()
    signed_up = client.data(SIGN_UP, {"input": sign_up_input()})["signUp"]
    client.send(TOKEN_AUTH, {"email": "ada@example.com", "password": "a-wrong-Password"})
    signed_in = client.data(TOKEN_AUTH, {"email": "ada@example.com", "password": "correct-Horse-7"})["tokenAuth"]
    refreshed = client.data(REFRESH, {"token": signed_in["refreshToken"]})["refreshToken"]
    site.client(token=refreshed["token"]).data("{ me { id } }")
    client.data(RESET)
    leaving = arrival + timedelta(days=2)
    stay = {"propertyId": home, "checkIn": str(arrival), "checkOut": str(leaving), "guests": 1}
    booked = client.data(BOOK, {"input": {**stay, "contact": {"email": "x@example.com"}}})["bookProperty"]
    assert booked["errors"] == []
    client.data(OPEN, {"id": booked["booking"]["id"], "token": booked["accessToken"]})
    tokens = [each[name] for each in (signed_up, signed_in, refreshed) for name in ("token", "refreshToken")]
    return [*tokens, booked["accessToken"], "correct-Horse-7", "a-wrong-Password", "ada@example.com", "x@example.com"]
