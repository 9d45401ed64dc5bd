"""Email addresses as the project keeps them: checked and in lower case."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.core.errors import Invalid
from apps.core.texts import clean_text

LONGEST = 254


def clean_email(value: str | None, *, field: str | tuple[str, ...]) -> str:
    """The address trimmed and in lower case. Raises Required or Invalid at `field`."""
    cleaned = clean_text(value, field=field, max_length=LONGEST, required=True).lower()
    try:
        validate_email(cleaned)
    except ValidationError as error:
        raise Invalid("This is no email address.", field=field) from error
    return cleaned
