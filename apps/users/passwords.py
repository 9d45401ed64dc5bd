"""What a password must be, and whether one is right."""

import unicodedata
from difflib import SequenceMatcher

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.core.errors import InvalidCredentials, WeakPassword
from apps.core.texts import UNPRINTABLE
from apps.users.models import User

SHORTEST = 8
LONGEST = 128
# How alike two texts are, from 0 to 1; the bound of Django's own validator.
ALIKE = 0.7


def check_strength(password: str, *, user: User, field: str) -> None:
    """Raises WeakPassword at `field` unless it is good enough for `user`.

    It has 8..128 characters that can be typed, is not common, not all digits or spaces, and not like the person's data.
    """
    if len(password) > LONGEST:
        raise WeakPassword(f"The password must have at most {LONGEST} characters.", field=field)
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in password):
        raise WeakPassword("The password has characters that cannot be typed.", field=field)
    if password and not password.strip():
        raise WeakPassword("The password is nothing but spaces.", field=field)
    if _is_like_the_person(password, user):
        raise WeakPassword("The password is too similar to the email or the name.", field=field)
    try:
        validate_password(password, user=user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field=field) from error


def hashed(password: str) -> str:
    """The salted Argon2 hash to store. It takes tens of milliseconds: never call it inside a transaction."""
    return make_password(password)


def is_right(password: str, *, user: User | None) -> bool:
    """Whether it is the password of an account that may sign in.

    Takes as long for nobody (None), for an account without a password and for one that was closed as for a wrong password. It is
    slow on purpose: never call it inside a transaction.
    """
    if not _is_encodable(password):
        make_password("")
        return False
    if user is None:
        make_password(password)
        return False
    # An account without a usable password costs the same: Django hashes something else then.
    return user.check_password(password) and user.is_active


def wrong_password(user: User, *, field: str) -> InvalidCredentials:
    """What a signed-in person is told whose password is not right. Who came through a trusted issuer may never have had one."""
    if user.has_usable_password():
        return InvalidCredentials("The password is wrong.", field=field)
    return InvalidCredentials(
        "This account has no password yet: ask for a link with requestPasswordReset to set the first one.", field=field
    )


def _is_like_the_person(password: str, user: User) -> bool:
    """Whether it is much like the name of the mailbox or the full name, which Django's validator does not look at as a whole."""
    plain = _letters(password)
    owned = (_letters(user.email.partition("@")[0]), _letters(user.first_name + user.last_name))
    return any(len(own) >= 4 and SequenceMatcher(a=plain, b=own).ratio() >= ALIKE for own in owned)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _is_encodable(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True
