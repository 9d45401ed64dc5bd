"""A page of another origin, in a real browser: it can make people send us nothing that is executed, and read nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from apps.users.models import User
from tests.browser.conftest import Browser
from tests.recipes import PASSWORD, make_staff
from tests.serving import Site

SIGN_UP = """mutation { signUp(input: {email: "made@example.com", password: "correct-Horse-7", firstName: "A", lastName: "B"}) {
    errors { code } } }"""
# What each try came to: an answer that can be read, one that cannot, or none.
TRY = """
const [url, query] = arguments;
const tries = {
  json: {headers: {"Content-Type": "application/json"}, body: JSON.stringify({query})},
  text: {headers: {"Content-Type": "text/plain"}, body: JSON.stringify({query}), mode: "no-cors"},
  blind: {body: new Blob([JSON.stringify({query})]), mode: "no-cors"},
  form: {body: new URLSearchParams({query}), mode: "no-cors"},
  files: {body: (() => { const f = new FormData();
    f.append("operations", JSON.stringify({query})); f.append("map", "{}"); return f; })(), mode: "no-cors"},
};
const outcomes = {};
for (const [name, options] of Object.entries(tries)) {
  outcomes[name] = await fetch(url, {method: "POST", credentials: "include", ...options})
    .then(answer => answer.type, () => "refused");
}
outcomes.address = await fetch(url + "?" + new URLSearchParams({query}), {mode: "no-cors", credentials: "include"})
  .then(answer => answer.type, () => "refused");
outcomes.reading = await fetch(url + "?query={__typename}").then(answer => answer.type, () => "refused");
return outcomes;
"""


class Page(BaseHTTPRequestHandler):
    """A page that says nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<link rel='icon' href='data:,'><title>Elsewhere</title>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page on another port, which is another origin. As localhost it is another site too."""
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_origin_makes_nobody_do_anything(site: Site, browser: Browser, elsewhere: str) -> None:
    staff = make_staff(password=PASSWORD, is_superuser=True)
    browser.open(f"{site.url}/admin/")
    browser.type("#id_username", staff.email)
    browser.type("#id_password", PASSWORD)
    browser.click("#login-form button[type=submit]")
    browser.open(elsewhere)
    outcomes = browser.run(TRY, f"{site.url}/graphql", SIGN_UP)
    assert set(outcomes.values()) == {"refused"}, outcomes
    # Some were sent all the same: that they did nothing is seen here.
    assert [user.email for user in User.objects.all()] == [staff.email]
    browser.complaints()
