"""The words of a search: which words of listings they find, and how alike a listing is.

Every word of the search must be found in title, city or description. A word finds itself; from three letters on what
begins with it; and, of the words of five letters and more, those that one typing error made of it: a letter wrong,
missing, too many, or two letters swapped. Case and accents do not count.

The database splits texts into words (`search_words`), keeps them per listing in the column `search_vector` and all of
them in the vocabulary `Word`. A search first finds the words of the vocabulary that are meant, by the half of the word
that the error left whole, and then asks one index for exactly those.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import add, and_, mul, or_
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Case, F, Func, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

from apps.core.reads import Parameter

Found = TypeVar("Found")
Join = Callable[[Found, Found], Found]

# What is beyond is not looked at: nobody types so much, and a search must stay cheap.
MOST_LETTERS = 1_000
MOST_WORDS = 12
MOST_FORMS = 40
MOST_WORDS_IN_LEVELS = 2

SHORTEST_BEGINNING = 3
SHORTEST_MISTYPED = 5


# In what share of listings something is found: from it on, to look through the newest finds a page sooner than the index
# of words does. Less is also what the planner takes a word for that it has never met, and such a walk might find nothing.
FREQUENT = 0.003


@dataclass(frozen=True, slots=True)
class Frequencies:
    """In what share of listings the word is known to be, and it or what is near it: in their texts, in their titles.

    They decide how a search is carried out, never what it finds; 0 stands for whatever is not frequent.
    """

    written: float = 0.0
    near: float = 0.0
    written_in_title: float = 0.0
    near_in_title: float = 0.0


@dataclass(frozen=True, slots=True)
class SoughtWord:
    """A word of a search with the words of listings that one typing error could have made of it."""

    word: str
    mistyped: tuple[str, ...] = ()
    frequencies: Frequencies = Frequencies()

    @property
    def near(self) -> str:
        """What counts as found, in the language of tsquery. Words are letters and digits only."""
        beginning = f"{self.word}:*" if len(self.word) >= SHORTEST_BEGINNING else self.word
        return " | ".join([beginning, *self.mistyped])


# The halves of a word are looked up as ranges, which an index of patterns reads though they are only known at run time.
# `_` is one letter of any kind. A letter is only thought to be missing or needless where five are left or were meant.
# How frequent words are the planner's own statistics tell.
LOOK_UP = """
WITH frequent AS MATERIALIZED (
    SELECT tablename = 'listing_title_words' AS in_title, word, frequency
    FROM pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) AS known (word, frequency)
    WHERE schemaname = current_schema() AND (
        tablename = 'listings_listing' AND attname = 'search_vector' OR tablename = 'listing_title_words'
    )
), sought AS (
    SELECT word, min(place) AS place, length(word) AS size, left(word, length(word) / 2) AS head,
        reverse(substr(word, length(word) / 2 + 1)) AS tail
    FROM search_words(%(text)s) WITH ORDINALITY AS split (word, place)
    GROUP BY word ORDER BY 2 LIMIT %(words)s
)
SELECT word, mistyped, (
    SELECT ARRAY[
        coalesce(sum(frequency) FILTER (WHERE NOT in_title AND known.word = found.word), 0),
        coalesce(sum(frequency) FILTER (WHERE NOT in_title), 0),
        coalesce(sum(frequency) FILTER (WHERE in_title AND known.word = found.word), 0),
        coalesce(sum(frequency) FILTER (WHERE in_title), 0)
    ] FROM frequent AS known WHERE starts_with(known.word, found.word) OR known.word = ANY (mistyped)
) AS frequencies
FROM (SELECT sought.word, place, CASE WHEN size >= %(shortest)s - 1 AND word !~ '^[0-9]+$' THEN ARRAY(
    SELECT DISTINCT known.word FROM listings_word AS known
    WHERE known.word <> sought.word AND (
        (
            known.word ~>=~ head AND known.word ~<~ (head || U&'\\+10FFFF')
            OR reverse(known.word) ~>=~ tail AND reverse(known.word) ~<~ (tail || U&'\\+10FFFF')
        ) AND known.word LIKE ANY (ARRAY(
            SELECT left(sought.word, cut) || '_' || substr(sought.word, cut + 1) FROM generate_series(0, size) AS cut
            UNION ALL
            SELECT left(sought.word, cut) || '_' || substr(sought.word, cut + 2)
            FROM generate_series(0, size - 1) AS cut WHERE size >= %(shortest)s
            UNION ALL
            SELECT left(sought.word, cut) || substr(sought.word, cut + 2)
            FROM generate_series(0, size - 1) AS cut WHERE size > %(shortest)s
        ))
        OR known.word = ANY (ARRAY(
            SELECT left(sought.word, cut) || substr(sought.word, cut + 2, 1) || substr(sought.word, cut + 1, 1)
                || substr(sought.word, cut + 3)
            FROM generate_series(0, size - 2) AS cut WHERE size >= %(shortest)s
        ))
    )
    ORDER BY known.word LIMIT %(forms)s
) ELSE '{}' END AS mistyped FROM sought) AS found
ORDER BY place
"""


def sought_words(text: str) -> list[SoughtWord]:
    """The distinct words of the text, split as those of listings are, with their mistyped forms. One statement."""
    # What no text in the database can contain would be an error there instead of nothing found.
    readable = text[:MOST_LETTERS].replace("\x00", " ").encode(errors="ignore").decode()
    limits = {"words": MOST_WORDS, "forms": MOST_FORMS, "shortest": SHORTEST_MISTYPED}
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP, {"text": readable, **limits})
        return [SoughtWord(word, tuple(mistyped), Frequencies(*shares)) for word, mistyped, shares in cursor]


class Finds(Func):
    """The condition on a listing queryset that the listing's words match a tsquery; `in_title`: those of its title.

    For titles there is an index of its own, by which the planner also knows how frequent a word is in them.
    """

    output_field = BooleanField()

    def __init__(self, query: Parameter, *, in_title: bool = False) -> None:
        # Any column of the row tells under which alias its table stands in the statement.
        super().__init__(F("id"))
        self.query = query
        self.in_title = in_title

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_: Any, **__: Any) -> tuple[str, Any]:
        column: Any = self.source_expressions[0]
        words = f"{compiler.quote_name_unless_alias(column.alias)}.search_vector"
        if self.in_title:
            words = f"ts_filter({words}, '{{a}}')"
        return f"({words} @@ %s::tsquery)", [self.query.value]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), self.query.value, self.in_title)


def finding(words: Sequence[SoughtWord]) -> str:
    """The tsquery that finds every word."""
    return " & ".join(f"({word.near})" for word in words)


class PlacedWord(NamedTuple):
    """A word of a search in a statement: itself, and what counts as found where that is more."""

    word: Parameter
    near: Parameter | None


def likeness(words: Sequence[PlacedWord]) -> Combinable:
    """How alike a listing is that was found, as a whole number: per word 4 as written and in the title, 3 as written,
    2 nearly and in the title, 1 nearly."""
    return reduce(add, [_likeness_of(word) for word in words])


def _likeness_of(word: PlacedWord) -> Combinable:
    return Case(
        When(Finds(word.word, in_title=True), then=Value(4)),
        When(Finds(word.word), then=Value(3)),
        *([] if word.near is None else [When(Finds(word.near, in_title=True), then=Value(2))]),
        default=Value(1),
        output_field=IntegerField(),
    )


def levels(words: Sequence[SoughtWord]) -> dict[int, float] | None:
    """Each likeness that something found can have, the highest first, with the share of listings that are known to.

    None for so many words that there would be too many conditions.
    """
    if len(words) > MOST_WORDS_IN_LEVELS:
        return None
    return _combined([_shares_of(word) for word in words], both=mul, either=add)


def conditions(words: Sequence[PlacedWord]) -> dict[int, Q]:
    """The condition of having each likeness of `levels`, apart from each other."""
    return _combined([_conditions_of(word) for word in words], both=and_, either=or_)


def _combined(of_words: Sequence[dict[int, Found]], *, both: Join[Found], either: Join[Found]) -> dict[int, Found]:
    """For each likeness of the whole what is said of it, from what is said of the likeness of each word."""
    found: dict[int, Found] = {}
    for combination in product(*[each.items() for each in of_words]):
        together = reduce(both, [each for _, each in combination])
        likeness_of_all = sum(own for own, _ in combination)
        found[likeness_of_all] = either(found[likeness_of_all], together) if likeness_of_all in found else together
    return dict(sorted(found.items(), reverse=True))


def _shares_of(word: SoughtWord) -> dict[int, float]:
    """Of the cases of `_likeness_of`."""
    known = word.frequencies
    shares = {4: known.written_in_title, 3: max(0.0, known.written - known.written_in_title)}
    if word.near != word.word:
        shares[2] = max(0.0, known.near_in_title - known.written_in_title)
        shares[1] = max(0.0, known.near - max(known.written, known.near_in_title))
    return shares


def _conditions_of(word: PlacedWord) -> dict[int, Q]:
    written, in_title = Q(Finds(word.word)), Q(Finds(word.word, in_title=True))
    cases = {4: in_title, 3: written & ~in_title}
    if word.near is not None:
        nearly_in_title = Q(Finds(word.near, in_title=True))
        cases[2] = nearly_in_title & ~written
        cases[1] = Q(Finds(word.near)) & ~nearly_in_title & ~written
    return cases
