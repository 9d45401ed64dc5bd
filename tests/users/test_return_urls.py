"""Which addresses a sign-in may end at."""

import pytest

from apps.users.signin.return_urls import is_allowed, read_return_urls

PAGES = ["https://app.example.com/signed-in", "https://app.example.com/below/", "com.example.app:/in"]
BAD_PAGES = [
    "//evil.example", "https://evil.example", "https://evil.example/signed-in", "/signed-in", "signed-in",
    "https://app.example.com@evil.example/signed-in", "https://evil@app.example.com/signed-in",
    "https://app.example.com:pw@evil.example/signed-in", "https://app.example.com\\@evil.example/signed-in",
    "https://evil.example\\.app.example.com/signed-in", "https:\\\\evil.example/signed-in", "\\\\evil.example",
    "https:/\\evil.example", "///evil.example", "https:///evil.example/signed-in", "https:evil.example",
    "http://app.example.com/signed-in", "https://app.example.com:444/signed-in", "https://app.example.com./signed-in",
    "https://app.example.com.evil.example/signed-in", "https://appxexample.com/signed-in",
    "https://app.example.com/signed-in/more", "https://app.example.com/signed-in.evil", "https://app.example.com/",
    "https://app.example.com/below", "https://app.example.com/below/../evil", "https://app.example.com/below/%2e%2e/x",
    "https://app.example.com/below/..;/x", "https://app.example.com/below/%2f..", "https://app.example.com//signed-in",
    "https://app.example.com/signed-in#x", " https://app.example.com/signed-in", "https://app.example.com/signed-in\n",
    "https://app.example.com/signed-in\r\nSet-Cookie: x=y", "https://app.exämple.com/signed-in",
    "https://app.example.com/signed-in\x00", "https://[::1]/signed-in", "https://app.example.com:x/signed-in",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "javascript://app.example.com/signed-in%0aalert(1)",
    "com.example.app:/out", "com.example.app://evil@x/in", "com.example.app.evil:/in", "file:///etc/passwd",
    "https://app.example.com/signed-in?" + "x" * 2_000, "https://app.example.com/signed-in\t", "?next=x",
    "https://app.example.com/%73igned-in", "https://app.example.com%2fsigned-in", "https://APP.example.com@/signed-in",
]  # fmt: skip


@pytest.mark.parametrize("page", BAD_PAGES, ids=repr)
def test_a_page_that_is_not_listed_is_refused(page: str) -> None:
    assert not is_allowed(page, allowed=read_return_urls(PAGES))


@pytest.mark.parametrize("page", [*PAGES, *(f"{page}?a=%2F..%5C@evil.example" for page in PAGES)])
def test_a_listed_page_is_allowed_whatever_its_query(page: str) -> None:
    assert is_allowed(page, allowed=read_return_urls(PAGES))
    assert not is_allowed(page, allowed=())
