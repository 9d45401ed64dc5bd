"""The words of a search: which words of listings they find, and how alike a listing is.

Every word of the search must be found in title, city or description. A word finds itself; from three letters on what
begins with it; and, of the words of five letters and more, those that one typing error made of it: a letter wrong,
missing, too many, or two letters swapped. Case and accents do not count.

The database splits texts into words (`search_words`), keeps them per listing in the column `search_vector` and all of
them in the vocabulary `Word`. A search first finds the words of the vocabulary that are meant, by the half of the word
that the error left whole, and then asks one index for exactly those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import add, and_
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Case, F, Func, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

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

    def __init__(self, query: str, *, in_title: bool = False) -> None:
        # Any column of the row tells under which alias its table stands in the statement.
        super().__init__(F("id"))
        self.query = query
        self.in_title = in_title

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_: Any, **__: Any) -> tuple[str, Any]:
        column: Any = self.source_expressions[0]
        words = f"{compiler.quote_name_unless_alias(column.alias)}.search_vector"
        if self.in_title:
            words = f"ts_filter({words}, '{{a}}')"
        return f"({words} @@ %s::tsquery)", [self.query]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), self.query, self.in_title)


def finding(words: Sequence[SoughtWord]) -> Finds:
    """The condition that every word is found."""
    return Finds(" & ".join(f"({word.near})" for word in words))


def likeness(words: Sequence[SoughtWord]) -> Combinable:
    """How alike a listing is that was found, as a whole number: per word 4 as written and in the title, 3 as written,
    2 nearly and in the title, 1 nearly."""
    return reduce(add, [_likeness_of(word) for word in words])


def _likeness_of(word: SoughtWord) -> Combinable:
    return Case(
        When(Finds(word.word, in_title=True), then=Value(4)),
        When(Finds(word.word), then=Value(3)),
        When(Finds(word.near, in_title=True), then=Value(2)),
        default=Value(1),
        output_field=IntegerField(),
    )


@dataclass(frozen=True, slots=True)
class Level:
    """The listings of one likeness: the condition of having it, and the share of listings that are known to."""

    condition: Q
    share: float

    def __or__(self, other: "Level") -> "Level":
        return Level(self.condition | other.condition, self.share + other.share)

    def __and__(self, other: "Level") -> "Level":
        return Level(self.condition & other.condition, self.share * other.share)


def levels(words: Sequence[SoughtWord]) -> dict[int, Level] | None:
    """What there is for each likeness that something found can have, the highest first.

    None for so many words that there would be too many conditions.
    """
    if len(words) > MOST_WORDS_IN_LEVELS:
        return None
    found: dict[int, Level] = {}
    for combination in product(*[_levels_of(word).items() for word in words]):
        both = reduce(and_, [each for _, each in combination])
        likeness_of_both = sum(own for own, _ in combination)
        found[likeness_of_both] = found[likeness_of_both] | both if likeness_of_both in found else both
    return dict(sorted(found.items(), reverse=True))


def _levels_of(word: SoughtWord) -> dict[int, Level]:
    """The cases of `_likeness_of`, apart from each other."""
    known = word.frequencies
    written, in_title = Q(Finds(word.word)), Q(Finds(word.word, in_title=True))
    cases = {
        4: Level(in_title, known.written_in_title),
        3: Level(written & ~in_title, max(0.0, known.written - known.written_in_title)),
    }
    if word.near != word.word:
        nearly_in_title = Q(Finds(word.near, in_title=True))
        nearly = Q(Finds(word.near)) & ~nearly_in_title & ~written
        cases[2] = Level(nearly_in_title & ~written, max(0.0, known.near_in_title - known.written_in_title))
        cases[1] = Level(nearly, max(0.0, known.near - max(known.written, known.near_in_title)))
    return cases
