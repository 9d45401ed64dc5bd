"""The tabs of GraphiQL: the README's first session, run by its button from one tab to the next, without a word to other hosts."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.bookings.models import Booking
from tests.browser.conftest import Browser
from tests.browser.test_pages import EDITOR, HEADERS, answer_of, open_graphiql
from tests.readme.reading import BLOCK
from tests.readme.test_first_session import README
from tests.recipes import make_event, make_guest
from tests.serving import Site, eventually

STATIC = Path(__file__).resolve().parents[2] / "schema" / "static" / "schema"
TAB = ".graphiql-tab"
STEPS = ["FindConcerts", "SignIn", "HoldTickets", "Pay", "See"]


def tabs() -> list[dict[str, str]]:
    """What the page's tabs hold, as the file says it."""
    text = (STATIC / "first-session.js").read_text()
    found: list[dict[str, str]] = json.loads(text.partition(" = ")[2].strip().removesuffix(";"))
    return found


def test_the_tabs_are_the_first_session_of_the_readme() -> None:
    session = README.partition("## A first session")[2].partition("\n### ")[0]
    steps: list[dict[str, str]] = []
    headers, before = "", ""
    for language, text in BLOCK.findall(session):
        if language == "graphql":
            steps.append({"query": text, **({"headers": headers} if headers else {})})
        elif before == "graphql":
            steps[-1]["variables"] = text.strip()
        else:
            headers = text.strip()
        before = language
    assert tabs() == steps
    assert [re.findall(r"(?:query|mutation) (\w+)", step["query"]) for step in steps] == [[name] for name in STEPS]


def show_tab(browser: Browser, number: int) -> None:
    browser.run("document.querySelectorAll(arguments[0])[arguments[1]].querySelector('button').click()", TAB, number)
    step = tabs()[number - 1]
    shown = [step["query"], step.get("variables", ""), step.get("headers", "")]
    read = f"return [...{EDITOR}].map((each) => each.CodeMirror.getValue())"
    eventually(lambda: browser.run(read) == shown, "the tab is shown")


def run_tab(browser: Browser, number: int) -> dict[str, Any]:
    """The answer to what the tab asks."""
    show_tab(browser, number)

    def answer() -> dict[str, Any]:
        browser.run("document.querySelector('.result-window .CodeMirror').CodeMirror.setValue('')")
        browser.click(".graphiql-execute-button")
        said: dict[str, Any] = eventually(lambda: answer_of(browser), "the tab is answered")
        # The page shows a text a moment before it knows the name of the operation in it.
        is_of_another = any("Unknown operation" in error["message"] for error in said.get("errors", ()))
        return {} if is_of_another else said

    return eventually(answer, "the page knows the operation of the tab")


@pytest.fixture
def concert(transactional_db: None) -> None:
    make_guest(email="guest@example.com", password="demo-Password-1")
    make_event(title="Jazz in the courtyard", city="Lisbon", time_zone="Europe/Lisbon")


def test_the_tabs_run_one_after_the_other_and_ask_nobody_else(site: Site, browser: Browser, concert: None) -> None:
    # Of the same origin, and without GraphiQL, which would write down its tabs again when it is left.
    browser.open(f"{site.url}/graphql?query=%7B__typename%7D")
    browser.run("localStorage.clear()")
    open_graphiql(browser, site)
    assert browser.run("return document.querySelectorAll(arguments[0]).length", TAB) == 1 + len(STEPS)

    found, signed_in, held, paid = (run_tab(browser, number)["data"] for number in (1, 2, 3, 4))
    assert [edge["node"]["title"] for edge in found["listings"]["edges"]] == ["Jazz in the courtyard"]
    assert held["bookEvent"]["errors"] == []
    assert paid["payBooking"]["errors"] == []
    eventually(lambda: run_tab(browser, 5)["data"]["booking"]["status"] == "CONFIRMED", "the booking is confirmed")
    assert Booking.objects.get().reference == held["bookEvent"]["booking"]["reference"]
    # The token stays where it was answered: the tab shows its place, and nothing is kept.
    token = signed_in["tokenAuth"]["token"]
    assert "<tokenAuth.token>" in browser.run(f"return {EDITOR}[{HEADERS}].CodeMirror.getValue()")
    assert token not in browser.run("return JSON.stringify(localStorage) + location.href")

    # Who comes back finds the tabs as they were.
    open_graphiql(browser, site)
    show_tab(browser, 3)

    assert {urlsplit(each).netloc for each in browser.requested() if not each.startswith("data:")} <= {
        urlsplit(site.url).netloc, ""
    }  # fmt: skip
    assert browser.complaints() == []


def test_a_request_to_another_host_would_be_seen(site: Site, browser: Browser) -> None:
    open_graphiql(browser, site)
    browser.run("document.body.appendChild(new Image()).src = 'https://elsewhere.example/pixel.png'")
    eventually(
        lambda: any("elsewhere.example" in each for each in browser.complaints()), "the policy's refusal is told"
    )
