"""What is searched for: by name, some searches of the same sort each, chosen from a fixed seed."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.core.periods import Period
from apps.listings.search import Box, ListingOrder, ListingSearch, Near
from bench.scale.market import BOOKED_OUT, BUSY, CLOSED, DENSE, FAIR, LISTINGS_A_TOWN, SCARCE
from bench.search.data import ADJECTIVES, NOUNS, PLACES

KIND = {code: frozenset({code}) for code in ("PROPERTY", "SERVICE", "EVENT", "PARKING_SPOT")}
ORDER = ListingOrder
VARIANTS = 12


@dataclass(frozen=True, slots=True)
class Case:
    """Some searches of one sort. `depth` is the share of all that is found before the page that is measured.

    Spread, each of them begins at another place among all listings: where hardly anything is free, it is chance how many are asked
    before a page is full.
    """

    name: str
    order: ListingOrder
    make: Callable[[random.Random], ListingSearch]
    variants: int = VARIANTS
    depth: float = 0.0
    is_spread: bool = False

    def searches(self) -> Iterator[ListingSearch]:
        dice = random.Random(self.name)
        for _ in range(self.variants):
            yield self.make(dice)


def cases(*, listings: int, now: datetime) -> list[Case]:
    """All sorts, for a market of that size."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    towns = max(1, listings // LISTINGS_A_TOWN)

    def day(number: int) -> datetime:
        return today + timedelta(days=number)

    def morning(number: int) -> Period:
        return Period(day(number) + timedelta(hours=8), day(number) + timedelta(hours=14))

    def town(dice: random.Random) -> str:
        # From the middle of the towns: as many listings whatever the size of the market.
        return f"Town {1 + int((0.30 + 0.20 * dice.random()) * towns)}"

    def stay(dice: random.Random, first: int | None = None, nights: int | None = None) -> dict[str, object]:
        at = dice.randrange(36, 60) if first is None else first
        length = dice.randrange(1, 5) if nights is None else nights
        return {"check_in": day(at).date(), "check_out": day(at + length).date()}

    def around(dice: random.Random, place: tuple[str, float, float], km: float) -> Near:
        return Near(place[1] + dice.uniform(-0.02, 0.02), place[2] + dice.uniform(-0.02, 0.02), km)

    def box(dice: random.Random, place: tuple[str, float, float], size: float) -> Box:
        south, west = place[1] + dice.uniform(-0.05, 0.04), place[2] + dice.uniform(-0.06, 0.05)
        return Box(south, west, south + size, west + size)

    def words(*lists: list[str]) -> Callable[[random.Random], str]:
        return lambda dice: " ".join(dice.choice(each) for each in lists)

    frequent = words([*ADJECTIVES, *NOUNS, *PLACES])
    pair = words(ADJECTIVES, NOUNS)
    afternoon = lambda dice: Period(  # noqa: E731
        day(at := dice.randrange(36, 60)) + timedelta(hours=2), day(at) + timedelta(hours=6)
    )
    # Of the scarce days one on which services are open: none is on a Sunday.
    scarce_open = next(number for number in (SCARCE + 1, SCARCE) if day(number).isoweekday() < 7)
    dense, fair = DENSE[0], BOOKED_OUT[0]
    every = ListingSearch
    return [
        Case("everything, newest", ORDER.NEWEST, lambda dice: every()),
        Case("everything, best rated", ORDER.RATING_DESC, lambda dice: every()),
        Case("everything, cheapest in all currencies", ORDER.PRICE_ASC, lambda dice: every()),
        Case("everything, dearest in all currencies", ORDER.PRICE_DESC, lambda dice: every()),
        Case("everything, by start", ORDER.STARTS_AT, lambda dice: every()),
        Case("one kind, newest", ORDER.NEWEST, lambda dice: every(kinds=KIND[dice.choice(sorted(KIND))])),
        Case("a town", ORDER.RELEVANCE, lambda dice: every(city=town(dice))),
        Case("a town, cheapest", ORDER.PRICE_ASC, lambda dice: every(city=town(dice))),
        Case("the dense city, newest", ORDER.NEWEST, lambda dice: every(city=dense)),
        Case("the dense city, cheapest", ORDER.PRICE_ASC, lambda dice: every(city=dense, currency="JPY")),
        Case(
            "the dense city, prices between, dearest",
            ORDER.PRICE_DESC,
            lambda dice: every(
                city=dense, currency="JPY", min_price_minor=dice.randrange(1_000, 9_000), max_price_minor=20_000
            ),
        ),
        Case(
            "homes in a town, free, for 2, cheapest",
            ORDER.PRICE_ASC,
            lambda dice: every(city=town(dice), guests=2, **stay(dice)),
        ),
        Case(
            "homes in the dense city, free, for 4, cheapest",
            ORDER.PRICE_ASC,
            lambda dice: every(city=dense, currency="JPY", guests=4, **stay(dice)),
        ),
        Case(
            "homes in the dense city, free, wifi and pool",
            ORDER.RELEVANCE,
            lambda dice: every(city=dense, amenities=("wifi", "pool"), **stay(dice)),
        ),
        Case("homes anywhere, free", ORDER.RELEVANCE, lambda dice: every(**stay(dice))),
        Case(
            "services in the dense city, free in an afternoon",
            ORDER.RELEVANCE,
            lambda dice: every(kinds=KIND["SERVICE"], city=dense, free=afternoon(dice)),
        ),
        Case("anything free for 3 days", ORDER.RELEVANCE, lambda dice: every(free=Period(day(40), day(43)))),
        Case("events to come with 2 tickets", ORDER.STARTS_AT, lambda dice: every(tickets=2, starts_after=now)),
        Case(
            "events in the dense city in a week, by start",
            ORDER.STARTS_AT,
            lambda dice: every(
                city=dense, tickets=2, starts_after=day(at := dice.randrange(10, 200)), starts_before=day(at + 7)
            ),
        ),
        # Near a dense city.
        *(
            Case(
                f"{km} km around in the dense city, {order.lower()}",
                order,
                lambda dice, km=km: every(near=around(dice, DENSE, km)),  # type: ignore[misc]
            )
            for km in (1, 10)
            for order in (ORDER.DISTANCE, ORDER.NEWEST)
        ),
        Case(
            "10 km around in the dense city, cheapest",
            ORDER.PRICE_ASC,
            lambda dice: every(near=around(dice, DENSE, 10), currency="JPY"),
        ),
        Case(
            "homes 10 km around in the dense city, free, nearest",
            ORDER.DISTANCE,
            lambda dice: every(near=around(dice, DENSE, 10), **stay(dice)),
        ),
        Case(
            "parking 2 km around in the dense city, free, nearest",
            ORDER.DISTANCE,
            lambda dice: every(kinds=KIND["PARKING_SPOT"], near=around(dice, DENSE, 2), free=afternoon(dice)),
        ),
        Case("a map section of the dense city", ORDER.RELEVANCE, lambda dice: every(box=box(dice, DENSE, 0.01))),
        # Words.
        Case("a rare word", ORDER.RELEVANCE, lambda dice: every(text=str(dice.randrange(10_000, listings)))),
        Case("a frequent word", ORDER.RELEVANCE, lambda dice: every(text=frequent(dice))),
        Case("a frequent word with a typing error", ORDER.RELEVANCE, lambda dice: every(text=frequent(dice)[:-1] + "q")),
        Case("the beginning of a frequent word", ORDER.RELEVANCE, lambda dice: every(text=frequent(dice)[:3])),
        Case("a word of every description", ORDER.RELEVANCE, lambda dice: every(text="everything")),
        Case("two frequent words", ORDER.RELEVANCE, lambda dice: every(text=pair(dice))),
        Case(
            "two frequent words, far apart", ORDER.RELEVANCE, lambda dice: every(text=f"{frequent(dice)} everything")
        ),
        Case("a frequent word in the dense city", ORDER.RELEVANCE, lambda dice: every(city=dense, text=frequent(dice))),
        Case(
            "a frequent word, cheapest", ORDER.PRICE_ASC, lambda dice: every(currency="EUR", text=frequent(dice))
        ),
        # Pages far in.
        Case("everything, newest, half way", ORDER.NEWEST, lambda dice: every(), variants=2, depth=0.5),
        Case("everything, best rated, half way", ORDER.RATING_DESC, lambda dice: every(), variants=2, depth=0.5),
        Case("everything, best rated, near the end", ORDER.RATING_DESC, lambda dice: every(), variants=2, depth=0.97),
        Case("everything, cheapest in all currencies, half way", ORDER.PRICE_ASC, lambda dice: every(), variants=2, depth=0.5),
        Case("everything, dearest in all currencies, half way", ORDER.PRICE_DESC, lambda dice: every(), variants=2, depth=0.5),
        Case(
            "the dense city, cheapest, half way", ORDER.PRICE_ASC, lambda dice: every(city=dense, currency="JPY"), variants=2, depth=0.5
        ),
        Case("everything in euros, cheapest, half way", ORDER.PRICE_ASC, lambda dice: every(currency="EUR"), variants=2, depth=0.5),
        # Where hardly anything is free.
        Case(
            "homes in the city of the fair, cheapest",
            ORDER.PRICE_ASC,
            lambda dice: every(city=fair, currency="EUR", **stay(dice, FAIR + 1, 3)),
        ),
        Case("homes in the city of the fair", ORDER.RELEVANCE, lambda dice: every(city=fair, **stay(dice, FAIR + 1, 3))),
        Case(
            "homes 5 km around in the city of the fair, nearest",
            ORDER.DISTANCE,
            lambda dice: every(near=around(dice, BOOKED_OUT, 5), **stay(dice, FAIR + 1, 3)),
        ),
        Case(
            "services in the city of the fair",
            ORDER.RELEVANCE,
            lambda dice: every(city=fair, kinds=KIND["SERVICE"], free=morning(FAIR + 3)),
        ),
        Case("homes, 99 of 100 taken", ORDER.RELEVANCE, lambda dice: every(**stay(dice, SCARCE, 2)), is_spread=True),
        Case("homes, 99 of 100 taken, cheapest", ORDER.PRICE_ASC, lambda dice: every(currency="EUR", **stay(dice, SCARCE, 2)), is_spread=True),
        Case("services, 99 of 100 taken", ORDER.RELEVANCE, lambda dice: every(kinds=KIND["SERVICE"], free=morning(scarce_open)), is_spread=True),
        Case("homes, all taken", ORDER.RELEVANCE, lambda dice: every(**stay(dice, CLOSED, 2)), 3),
        Case("homes, all taken, in the dense city", ORDER.RELEVANCE, lambda dice: every(city=dense, **stay(dice, CLOSED, 2)), 3),
        Case(
            "homes, all taken, 10 km around in the dense city, nearest",
            ORDER.DISTANCE,
            lambda dice: every(near=around(dice, DENSE, 10), **stay(dice, CLOSED, 2)),
            3,
        ),
        Case("services, all taken", ORDER.RELEVANCE, lambda dice: every(kinds=KIND["SERVICE"], free=morning(CLOSED + 1)), 3),
        Case("services, all with appointments", ORDER.RELEVANCE, lambda dice: every(kinds=KIND["SERVICE"], free=morning(BUSY)), 3),
        Case("anything but events, all taken", ORDER.RELEVANCE, lambda dice: every(free=morning(CLOSED + 1)), 3),
    ]  # fmt: skip
