"""Which texts are email addresses, and in what form they are kept."""

import pytest

from apps.core.emails import clean_email
from apps.core.errors import DomainError, ErrorCode


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada.Lovelace+Tag@EXAMPLE.org\n", "ada.lovelace+tag@example.org"),
        ("o'hara_1@sub.example.co.uk", "o'hara_1@sub.example.co.uk"),
        ("ada@B\u00dcCHER.example", "ada@b\u00fccher.example"),
        # The same letter, typed as two.
        ("ada@bu\u0308cher.example", "ada@b\u00fccher.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_addresses_that_are_kept(typed: str, kept: str) -> None:
    assert clean_email(typed, field="email") == kept
    assert clean_email(kept, field="email") == kept


@pytest.mark.parametrize(
    "typed",
    [
        "ada",
        "ada@example",
        "ada@localhost",
        "ada@[127.0.0.1]",
        "ada@[::1]",
        "<ada@example.org>",
        "ada@example.org,eve@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada\x00@example.org",
        # A dotless i and a long s look like letters of somebody else's address.
        "adm\u0131n@example.org",
        "\u017fam@example.org",
        # Wide letters lead to the mailbox at example.org.
        "ada@\uff45xample.org",
        "ada@example\uff0eorg",
        # Longer in lower case than in upper case.
        "ada@" + "\u0130" * 62 + "." + "\u0130" * 62 + "." + "\u0130" * 62 + "." + "\u0130" * 55 + ".org",
    ],
)
def test_texts_that_are_none(typed: str) -> None:
    with pytest.raises(DomainError) as refused:
        clean_email(typed, field="email")
    assert refused.value.code is ErrorCode.INVALID
    assert refused.value.field == ("email",)


@pytest.mark.parametrize("typed", [None, "", " \t\n"])
def test_nothing_is_required(typed: str | None) -> None:
    with pytest.raises(DomainError) as refused:
        clean_email(typed, field="email")
    assert refused.value.code is ErrorCode.REQUIRED
