"""Texts that people type in: trimmed, bounded, and free of what neither a page nor a database can hold."""

import unicodedata

from apps.core.errors import Invalid, Required

# Cc: control characters. Cs: half a surrogate pair, which JSON can carry and UTF-8 cannot.
UNPRINTABLE = {"Cc", "Cs"}


def clean_text(value: str | None, *, field: str | tuple[str, ...], max_length: int, required: bool = False) -> str:
    """The text without white space around it and with `\\n` for every line break; None counts as "".

    Everything else comes back as it went in. Raises Required when nothing is left of a `required` text, Invalid for
    control characters other than tab and newline, and for more than `max_length` characters.
    """
    text = (value or "").replace("\r\n", "\n")
    if any(unicodedata.category(letter) in UNPRINTABLE and letter not in "\t\n" for letter in text):
        raise Invalid("Control characters are not allowed.", field=field)
    text = text.strip()
    if required and not text:
        raise Required("This is required.", field=field)
    if len(text) > max_length:
        raise Invalid(f"At most {max_length} characters are allowed.", field=field)
    return text
