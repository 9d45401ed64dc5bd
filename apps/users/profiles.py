"""What people say about themselves, checked and in the form in which it is kept. Reads no database."""

import re
from dataclasses import dataclass

import phonenumbers

from apps.core.emails import clean_email
from apps.core.errors import Collector, Invalid
from apps.core.texts import clean_text
from apps.users.models import User
from apps.users.passwords import check_strength

LONGEST_NAME = 150
LONGEST_PHONE = 20
LONGEST_DEVICE = 80

_PHONE = re.compile(r"\+?\d{7,15}", re.ASCII)
_PHONE_PUNCTUATION = re.compile(r"[ .()/-]")

# The first that is found in a User-Agent names the browser: each pretends to be those after it.
_PROGRAMS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Registration:
    """A checked sign-up."""

    email: str
    password: str
    first_name: str
    last_name: str
    phone_number: str


def clean_name(value: str | None, *, field: str) -> str:
    """The name on one line, trimmed. Raises Required when it is blank and Invalid when it cannot be one."""
    name = clean_text(value, field=field, max_length=LONGEST_NAME, required=True)
    if "\n" in name or "\t" in name:
        raise Invalid("A name has no line breaks.", field=field)
    return name


def clean_phone_number(value: str | None, *, field: str) -> str:
    """ "" or a number of 7 to 15 digits after an optional +, without the punctuation it was typed with.

    A number that is possible in the plan of its country comes back in E.164; what the plan does not know is kept as it is,
    since plans change. Raises Invalid at `field`.
    """
    typed = clean_text(value, field=field, max_length=LONGEST_PHONE)
    if not typed:
        return ""
    number = _PHONE_PUNCTUATION.sub("", typed)
    if not _PHONE.fullmatch(number):
        raise Invalid("A phone number is an optional + and 7 to 15 digits.", field=field)
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def clean_registration(
    *, email: str, password: str, first_name: str, last_name: str, phone_number: str | None
) -> Registration:
    """Raises InputErrors with everything that is wrong in a sign-up."""
    problems = Collector()
    cleaned = {"email": "", "first_name": "", "last_name": "", "phone_number": ""}
    with problems.caught():
        cleaned["email"] = clean_email(email, field="email")
    with problems.caught():
        cleaned["first_name"] = clean_name(first_name, field="first_name")
    with problems.caught():
        cleaned["last_name"] = clean_name(last_name, field="last_name")
    with problems.caught():
        cleaned["phone_number"] = clean_phone_number(phone_number, field="phone_number")
    with problems.caught():
        check_strength(password, user=User(**cleaned), field="password")
    problems.raise_if_any()
    return Registration(password=password, **cleaned)


def device_of(user_agent: str) -> str:
    """A User-Agent shortened to what a person recognises: "Firefox on Windows", or the program's own name, or "".

    >>> device_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox on Windows'
    >>> device_of("HoldfastApp/2.1 (build 7)")
    'HoldfastApp'
    """
    text = "".join(letter for letter in user_agent if letter.isprintable())
    program = next((name for mark, name in _PROGRAMS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    if program and system:
        return f"{program} on {system}"
    first_word = text.partition("/")[0].partition(" ")[0]
    return (program or first_word)[:LONGEST_DEVICE]
