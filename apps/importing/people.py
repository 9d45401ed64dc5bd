"""Accounts that stand for the people of a source: no name, no email, no way in."""

from collections.abc import Iterable

from django.contrib.auth.hashers import make_password
from django.db.models import Q

from apps.core.db import require_transaction
from apps.importing.pseudonyms import person_key, person_name
from apps.users.models import User, UserRole

# The one host of a source that names none.
THE_SOURCE = "the source itself"


class People:
    """The accounts of one source by the source's ids; each is looked up and made once per import."""

    def __init__(self, *, source: str, role: UserRole, single_name: str = "") -> None:
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
            User.objects.bulk_create(
                [self._account(person, key) for person, key in sorted(keys.items())], ignore_conflicts=True
            )
            found = User.objects.filter(~Q(external_id=""), source=self._source, external_id__in=keys.values())
            known = dict(found.values_list("external_id", "pk"))
            if self._role == UserRole.HOST:
                User.objects.filter(pk__in=known.values(), role=UserRole.GUEST).update(role=UserRole.HOST)
            self._known.update(known)
        return {person: self._known[key] for person, key in wanted.items()}

    def forget(self) -> None:
        """What was learned in a transaction that did not happen."""
        self._known.clear()

    def _account(self, person: str, key: str) -> User:
        first, last = person_name(key)
        if not person:
            first, _, last = self._single_name.partition(" ")
        return User(
            first_name=first[:150],
            last_name=last[:150],
            role=self._role,
            password=make_password(None),
            source=self._source,
            external_id=key,
        )
