"""Accounts that stand for the people of a source: no name, no email, no way in."""

import secrets
from collections.abc import Collection, Iterable
from datetime import datetime

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q

from apps.core.db import require_transaction
from apps.importing.pseudonyms import person_key, person_name
from apps.importing.staging import insert_missing
from apps.users.models import User, UserRole

# The one host of a source that names none.
THE_SOURCE = "the source itself"
COLUMNS = (
    "source", "external_id", "email", "first_name", "last_name", "phone_number", "profile_picture", "role", "password",
    "is_active", "is_superuser", "token_version", "updated_at",
)  # fmt: skip


class People:
    """The accounts of one source by the source's ids; each is looked up and made once per import."""

    def __init__(self, *, source: str, role: UserRole, now: datetime, single_name: str = "") -> None:
        self._now = now
        self._source = source
        self._role = role
        self._single_name = single_name
        self._known: dict[str, int] = {}

    def accounts(self, persons: Iterable[str]) -> dict[str, int]:
        """The account of each person, made where there is none. Part of the caller's transaction.

        An account that was only a reviewer's becomes a host's when it has listings.
        """
        require_transaction()
        wanted = {person: person_key(self._source, person or THE_SOURCE) for person in set(persons)}
        keys = {person: key for person, key in wanted.items() if key not in self._known}
        if keys:
            known = self._found(keys.values())
            missing = {key: person for person, key in keys.items() if key not in known}
            if missing:
                insert_missing(
                    User,
                    COLUMNS,
                    [self._row(person, key) for key, person in sorted(missing.items())],
                    key=("source", "external_id"),
                    condition="NOT external_id = ''",
                )
                known |= self._found(missing)
            if self._role == UserRole.HOST:
                User.objects.filter(pk__in=known.values(), role=UserRole.GUEST).update(role=UserRole.HOST)
            self._known.update(known)
        return {person: self._known[key] for person, key in wanted.items()}

    def _found(self, keys: Collection[str]) -> dict[str, int]:
        rows = User.objects.filter(~Q(external_id=""), source=self._source, external_id__in=list(keys))
        return dict(rows.values_list("external_id", "pk"))

    def _row(self, person: str, key: str) -> list[object]:
        first, last = person_name(key)
        if not person:
            first, _, last = self._single_name.partition(" ")
        # Nobody signs in as such an account: no email, and a password that no password matches.
        password = f"{UNUSABLE_PASSWORD_PREFIX}{secrets.token_hex(20)}"
        return [
            self._source,
            key,
            "",
            first[:150],
            last[:150],
            "",
            "",
            str(self._role),
            password,
            True,
            False,
            0,
            self._now,
        ]
