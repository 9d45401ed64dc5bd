"""Email addresses as the project keeps them: checked and in lower case."""

import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from apps.core.errors import Invalid
from apps.core.texts import clean_text

LONGEST = 254
# Nobody's mailbox is on the machine that the mail server itself runs on.
_is_email = EmailValidator(allowlist=[])


def clean_email(value: str | None, *, field: str | tuple[str, ...]) -> str:
    """The address trimmed and in lower case. Raises Required or Invalid at `field`.

    What only looks like an address that is accepted, or leads to the same mailbox, is Invalid: the part before the @ is ASCII,
    and the domain has no letters that stand for other letters.
    """
    typed = unicodedata.normalize("NFC", clean_text(value, field=field, max_length=LONGEST, required=True))
    cleaned = typed.lower()
    mailbox, _, domain = typed.rpartition("@")
    is_plain = mailbox.isascii() and unicodedata.normalize("NFKC", domain) == domain and not domain.startswith("[")
    # A few letters are longer in lower case.
    if not is_plain or len(cleaned) > LONGEST:
        raise Invalid("This is no email address.", field=field)
    try:
        _is_email(cleaned)
    except ValidationError as error:
        raise Invalid("This is no email address.", field=field) from error
    return cleaned
