"""What people see in a browser: GraphiQL answers, and staff get into the admin."""

import json
from typing import Any

from tests.browser.conftest import Browser
from tests.recipes import PASSWORD, make_guest, make_property, make_staff
from tests.serving import Site, eventually

EDITOR = "document.querySelectorAll('.graphiql-query-editor .CodeMirror, .graphiql-editor-tool .CodeMirror')"
QUERY, VARIABLES, HEADERS = 0, 1, 2


def open_graphiql(browser: Browser, site: Site) -> None:
    browser.open("about:blank")
    browser.open(f"{site.url}/graphql")
    eventually(lambda: browser.run(f"return {EDITOR}.length") == 3, "GraphiQL is there")


def put(browser: Browser, editor: int, text: str) -> None:
    browser.run(f"{EDITOR}[arguments[0]].CodeMirror.setValue(arguments[1])", editor, text)


def answer_of(browser: Browser) -> dict[str, Any]:
    """What the right pane shows, {} while it shows nothing whole."""
    shown = browser.run("return document.querySelector('.result-window .CodeMirror').CodeMirror.getValue()")
    try:
        answer: dict[str, Any] = json.loads(shown)
    except ValueError:
        return {}
    return answer


def ask(browser: Browser, query: str, *, variables: str = "", headers: str = "") -> dict[str, Any]:
    """Run a query by GraphiQL's button and return the answer with data that it shows.

    GraphiQL takes a moment to read what is typed; a click before that still sends the operation name of what was there.
    """
    for editor, text in ((QUERY, query), (VARIABLES, variables), (HEADERS, headers)):
        put(browser, editor, text)

    def run() -> dict[str, Any]:
        browser.run("document.querySelector('.result-window .CodeMirror').CodeMirror.setValue('')")
        browser.click(".graphiql-execute-button")
        answer = eventually(lambda: answer_of(browser), "GraphiQL shows an answer")
        return answer if "data" in answer else {}

    return eventually(run, "the answer has data")


def test_graphiql_runs_what_is_typed(site: Site, browser: Browser) -> None:
    home = make_property(title="Loft by the canal")
    guest = make_guest(password=PASSWORD)
    open_graphiql(browser, site)

    browser.click(".graphiql-execute-button")
    welcome = eventually(lambda: answer_of(browser), "the query of the welcome is answered")
    assert [edge["node"]["title"] for edge in welcome["data"]["listings"]["edges"]] == [home.title]

    named = "query Homes($first: Int) { listings(first: $first) { totalCount } }"
    assert ask(browser, named, variables='{"first": 1}')["data"] == {"listings": {"totalCount": 1}}
    # The name of the operation before is not sent with one that has none.
    sign_in = f'mutation {{ tokenAuth(email: "{guest.email}", password: "{PASSWORD}") {{ token }} }}'
    token = ask(browser, sign_in)["data"]["tokenAuth"]["token"]
    headers = json.dumps({"Authorization": f"Bearer {token}"})
    assert ask(browser, "{ me { email } }", headers=headers)["data"] == {"me": {"email": guest.email}}

    # What was typed can be shared by the address; the token is not in it.
    assert "me" in browser.address
    assert token not in browser.address
    assert browser.complaints() == []


def test_graphiql_shows_the_docs(site: Site, browser: Browser) -> None:
    open_graphiql(browser, site)
    browser.click("button[aria-label='Show Documentation Explorer']")
    eventually(lambda: "Query" in browser.text(".graphiql-plugin"), "the docs are shown")
    assert browser.complaints() == []


def test_the_dialogs_of_graphiql_are_styled_by_what_carries_the_nonce(site: Site, browser: Browser) -> None:
    open_graphiql(browser, site)
    browser.click("button[aria-label='Open settings dialog']")
    eventually(lambda: browser.has(".graphiql-dialog-header"), "the dialog is shown")
    made = "return [...document.querySelectorAll('style')].map((each) => each.nonce !== '' && each.sheet !== null)"
    assert browser.run(made) == [True]
    # What got into the page some other way styles nothing.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<style>body { display: none }</style>')")
    assert browser.run("return getComputedStyle(document.body).display") == "block"
    (complaint,) = browser.complaints()
    assert "style-src 'self' 'nonce-" in complaint


def test_pages_with_secret_addresses_are_styled_by_themselves_alone(site: Site, browser: Browser) -> None:
    browser.open(f"{site.url}/bookings/NOTHING1?token=wrong")
    assert "There is nothing to see" in browser.text()
    assert browser.run("return getComputedStyle(document.body).fontFamily") == "sans-serif"
    browser.run("document.body.insertAdjacentHTML('beforeend', '<style>body { display: none }</style>')")
    assert browser.run("return getComputedStyle(document.body).display") == "block"


def test_staff_signs_in_to_the_admin(site: Site, browser: Browser) -> None:
    staff = make_staff(password=PASSWORD, is_superuser=True)
    browser.open(f"{site.url}/admin/")
    browser.type("#id_username", staff.email)
    browser.type("#id_password", PASSWORD)
    browser.click("#login-form button[type=submit]")
    eventually(lambda: browser.has("#nav-sidebar"), "the admin opens")
    browser.open(f"{site.url}/admin/users/user/")
    assert staff.email in browser.text("#result_list")
    # The styles came along: without them the navigation has no colour of its own.
    colour = browser.run("return getComputedStyle(document.querySelector('#nav-sidebar')).backgroundColor")
    assert colour not in {"rgba(0, 0, 0, 0)", "transparent"}
    assert browser.complaints() == []
