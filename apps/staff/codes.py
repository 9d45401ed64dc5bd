"""The codes of a second factor: made, hidden and compared. Pure but for the secret key of the settings."""

import secrets
from base64 import b32encode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django_otp.oath import hotp

from apps.core.ids import READABLE, derivations, derive, same_secret

STEP_SECONDS = 30
# Clocks of telephones are a little off: the code before and the code after are taken too.
STEPS_AROUND = 1
BACKUP_CODES = 10
# 59 bits: nobody guesses one, and the digest in the database is keyed besides.
BACKUP_LENGTH = 12
ISSUER = "Holdfast"


class SecretUnreadable(Exception):
    """The secret was encrypted with another SECRET_KEY; the second factor has to be set up anew."""


def new_secret() -> str:
    """160 random bits, encrypted for the database."""
    return _cipher().encrypt(secrets.token_bytes(20)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that the app has. Raises SecretUnreadable."""
    try:
        return _cipher().decrypt(secret.encode())
    except InvalidToken as error:
        raise SecretUnreadable from error


def written(secret: str) -> str:
    """The key for those who type it into their app, in groups of four."""
    letters = b32encode(key_of(secret)).decode()
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def address(secret: str, *, account: str) -> str:
    """What the picture says to the app."""
    label = quote(f"{ISSUER}:{account}")
    key = b32encode(key_of(secret)).decode()
    return f"otpauth://totp/{label}?secret={key}&issuer={ISSUER}&algorithm=SHA1&digits=6&period={STEP_SECONDS}"


def code_at(secret: str, step: int) -> str:
    """The six digits of a step."""
    return f"{hotp(key_of(secret), step):06d}"


def step_of(code: str, *, secret: str, now: datetime) -> int | None:
    """The step whose code this is, of those that are taken now; None for a wrong code. Takes the same time either way."""
    present = int(now.timestamp()) // STEP_SECONDS
    found = None
    for step in range(present - STEPS_AROUND, present + STEPS_AROUND + 1):
        if same_secret(code_at(secret, step), code):
            found = step
    return found


def new_backup_codes() -> list[str]:
    """Codes as people are shown them: ABCD-EFGH-JKMN."""
    codes = ["".join(secrets.choice(READABLE) for _ in range(BACKUP_LENGTH)) for _ in range(BACKUP_CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, BACKUP_LENGTH, 4)) for code in codes]


def backup_digest(code: str, *, factor_id: int) -> str:
    """What the database keeps of a backup code, however it is typed."""
    return derive("backup-code", factor_id, _typed(code))


def backup_digests(code: str, *, factor_id: int) -> list[str]:
    """The digest, and after it those under the secret keys before."""
    return derivations("backup-code", factor_id, _typed(code))


def _typed(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _cipher() -> MultiFernet:
    """Encrypts under the secret key, and reads what was encrypted under those before."""
    made = derivations("second-factor")
    return MultiFernet([Fernet(urlsafe_b64encode(sha256(each.encode()).digest())) for each in made])
