"""Mail through the API of a provider, as a real server on this machine answers it, and what a wrong setting says."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection

from apps.bookings.actions import remind_due
from apps.core.providers import WANTED, read_provider
from apps.notifications.mailing import FIRST_PAUSE, send_due
from apps.notifications.models import Letter
from booking.env import Environment
from tests.notifications.test_facts import NOW, book, confirm, stay
from tests.readme.test_env_example import REQUIRED
from tests.recipes import make_event, make_guest, make_property


class Provider:
    """Takes mails as Postmark does; `answers` are given first, then it takes everything."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.answers: list[tuple[int, dict[str, Any]]] = []
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                house.keys.add(self.headers["X-Postmark-Server-Token"])
                taken = {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a", "To": given["To"]}
                status, answer = house.answers.pop(0) if house.answers else (200, taken)
                if status == 200:
                    house.taken.append(given)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    house = Provider()
    Thread(target=house.server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{house.server.server_port}/"
    chosen = read_provider("postmark", key="server-key", options={"api_url": url})
    settings.EMAIL_BACKEND, settings.ANYMAIL = chosen.backend, chosen.anymail
    settings.EMAIL_HOST, settings.MAIL_DIR = "", None
    settings.PUBLIC_URL = "https://book.example"
    yield house
    house.server.shutdown()
    house.server.server_close()


@pytest.mark.django_db
def test_a_provider_gets_the_whole_mail(provider: Provider) -> None:
    event, guest = make_event(starts_at=NOW + timedelta(days=3)), make_guest()
    confirm(book(event, guest, tickets=1))
    remind_due(now=NOW + timedelta(days=2))
    assert send_due(now=NOW + timedelta(days=2)) == 4
    sent = {each["Subject"].partition(":")[0]: each for each in provider.taken if each["To"] == guest.email}
    confirmed, reminder = sent["Confirmed"], sent["It begins soon"]
    assert provider.keys == {"server-key"}
    assert confirmed["TextBody"].startswith("Hello Ada,")
    assert "<!DOCTYPE html>" in confirmed["HtmlBody"]
    (attached,) = confirmed["Attachments"]
    assert (attached["Name"], attached["ContentType"].split(";")[0]) == ("booking.ics", "text/calendar")
    assert b"METHOD:PUBLISH" in base64.b64decode(attached["Content"])
    headers = {each["Name"]: each["Value"] for each in reminder["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<https://book.example/unsubscribe/")
    assert headers["Message-ID"].endswith("@book.example>")


@pytest.mark.django_db
def test_what_a_provider_answers_decides_what_becomes_of_the_letter(provider: Provider) -> None:
    for _ in range(3):
        stay(make_property(), None)
    # It is not well: everything waits.
    provider.answers = [(500, {}), (401, {"ErrorCode": 10, "Message": "Bad token"})]
    assert send_due(now=NOW) == 0
    assert sorted(Letter.objects.values_list("tries", flat=True)) == [0, 0, 1]
    # Nor is the key good: that is no letter's fault.
    assert send_due(now=NOW) == 0
    assert sorted(Letter.objects.values_list("tries", flat=True)) == [0, 1, 1]
    assert not Letter.objects.filter(failed_at__isnull=False).exists()
    # One nobody will ever take, one that is wrong, and one that is fine.
    words = "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: ann@example.com. "
    refused = {"ErrorCode": 406, "Message": f"{words}Inactive recipients are ones that have generated a hard bounce."}
    provider.answers = [(422, refused), (422, {"ErrorCode": 300, "Message": "Invalid"})]
    assert send_due(now=NOW + FIRST_PAUSE) == 1
    assert Letter.objects.filter(failed_at__isnull=False).count() == 1
    assert Letter.objects.filter(next_try_at__isnull=False).count() == 1
    assert "server-key" not in "".join(Letter.objects.values_list("last_error", flat=True))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"EMAIL_PROVIDER": "pigeon", "EMAIL_API_KEY": "k"}, "EMAIL_PROVIDER must be one of brevo, .*, not 'pigeon'."),
        ({"EMAIL_PROVIDER": "postmark"}, "EMAIL_API_KEY is not set, and EMAIL_PROVIDER is postmark."),
        ({"EMAIL_API_KEY": "k"}, "EMAIL_API_KEY or EMAIL_OPTIONS is set, and EMAIL_PROVIDER is not."),
        (
            {"EMAIL_PROVIDER": "postmark", "EMAIL_API_KEY": "k", "EMAIL_URL": "smtp://mail.example"},
            "EMAIL_PROVIDER and EMAIL_URL are both set: mails leave one way.",
        ),
        ({"EMAIL_PROVIDER": "mailjet", "EMAIL_API_KEY": "k"}, "EMAIL_OPTIONS: mailjet needs secret_key."),
        (
            {"EMAIL_PROVIDER": "mailgun", "EMAIL_API_KEY": "k", "EMAIL_OPTIONS": '{"domain": "x"}'},
            "EMAIL_OPTIONS: mailgun takes api_url, sender_domain, not 'domain'.",
        ),
        (
            {"EMAIL_PROVIDER": "mailgun", "EMAIL_API_KEY": "k", "EMAIL_OPTIONS": "[]"},
            "EMAIL_OPTIONS is not the JSON it should be: it must be an object.",
        ),
        (
            {"EMAIL_PROVIDER": "postal", "EMAIL_API_KEY": "k", "EMAIL_OPTIONS": '{"api_url": "mail.example"}'},
            "EMAIL_OPTIONS: api_url must begin with https://.",
        ),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(given: dict[str, str], line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{line}$".replace("[]", r"\[\]")):
        Environment.read({**REQUIRED, **given}, base=Path("/"))


@pytest.mark.parametrize("name", WANTED)
def test_every_provider_takes_the_settings_that_are_made_for_it(name: str, settings: Any) -> None:
    options = dict.fromkeys(WANTED[name].required, "https://x.example/")
    chosen = read_provider(name, key="k", options=options)
    settings.ANYMAIL = chosen.anymail
    backend: Any = get_connection(chosen.backend)
    assert "k" in {getattr(backend, attribute, None) for attribute in ("api_key", "api_token", "server_token")}
