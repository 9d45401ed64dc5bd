"""People of imported files under other names. The same person of the same source always gets the same one."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from apps.core.ids import derive
from apps.importing.words import FIRST_NAMES, LAST_NAMES

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
# Seven digits or more, with what people put between them; prices and years are shorter.
TELEPHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s().-]{0,2}\d){6,14}(?!\w)")
WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
SHORTEST_NAME = 3
# A name is hardly ever written small; a word that often is, is a word ("will", "rose").
LARGEST_SMALL_SHARE = 0.2
REMOVED = "[removed]"


def person_key(source: str, person_id: str) -> str:
    """What the database keeps of the source's id of a person: a keyed digest, useless without the secret key."""
    return derive("imported-person", source, person_id)[:40]


def person_name(key: str) -> tuple[str, str]:
    """A generated first and last name for the person of that key."""
    number = int(key[:16], 16)
    return FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)]


@lru_cache(maxsize=20_000)
def stand_in(name: str) -> str:
    """The first name that replaces a name found in free text."""
    return FIRST_NAMES[int(derive("imported-name", name.lower())[:12], 16) % len(FIRST_NAMES)]


def names_in(text: str) -> list[str]:
    """The parts of a person's name that are worth looking for."""
    return [part for part in WORD.findall(text) if len(part) >= SHORTEST_NAME and part[0].isupper()]


def without_addresses(text: str) -> str:
    """The text without email addresses and links."""
    if "@" in text:
        text = EMAIL.sub(REMOVED, text)
    if "://" in text or "www." in text.lower():
        text = LINK.sub(REMOVED, text)
    return text


@dataclass(slots=True)
class NameBook:
    """The names that occur in a file, told apart from words that happen to be names too."""

    _names: set[str] = field(default_factory=set)
    _small: Counter[str] = field(default_factory=Counter)
    _large: Counter[str] = field(default_factory=Counter)
    _never: set[str] = field(default_factory=set)
    _places: set[str] = field(default_factory=set)

    def read(self, *, name: str, texts: Iterable[str]) -> None:
        """Learn from one row."""
        self._names.update(names_in(name))
        for text in texts:
            for word in WORD.findall(without_addresses(text)):
                if len(word) >= SHORTEST_NAME:
                    (self._large if word[0].isupper() else self._small)[word.lower()] += 1

    def keep(self, words: Iterable[str]) -> None:
        """Words that are places here, whoever else is called so."""
        for text in words:
            if text not in self._places:
                self._places.add(text)
                self._never.update(word.lower() for word in WORD.findall(text))

    def names(self) -> frozenset[str]:
        """The names to replace."""
        found = set()
        for name in self._names:
            word = name.lower()
            small = self._small[word]
            if word not in self._never and small <= LARGEST_SMALL_SHARE * (small + self._large[word]):
                found.add(name)
        return frozenset(found)


def scrubbed(text: str, names: frozenset[str], *, own: frozenset[str] = frozenset(), own_name: str = "") -> str:
    """The text without addresses, telephone numbers and links, and with those names replaced.

    `own` are the names of the person the row is about, who is called `own_name` from now on.
    """
    text = TELEPHONE.sub(REMOVED, without_addresses(text))
    if not names:
        return text

    def replacement(name: str) -> str:
        return own_name if name in own else stand_in(name)

    def replace(match: re.Match[str]) -> str:
        word = match.group()
        if word in names:
            return replacement(word)
        # "Ann's", "Ann-Marie's"
        head, mark, tail = word.partition("'")
        return f"{replacement(head)}{mark}{tail}" if mark and head in names else word

    return WORD.sub(replace, text)
