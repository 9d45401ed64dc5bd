"""What was survived, added up over all stories of a run."""

from collections import Counter
from dataclasses import dataclass, field

from tests.payments.steps import stripe_api


@dataclass(slots=True)
class Tally:
    """`kills` by fault point, `faults` by what went wrong in the world, `stripe` by what the processor did wrong."""

    runs: int = 0
    points: int = 0
    healed: int = 0
    drift: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    stripe: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.runs += other.runs
        self.points += other.points
        self.healed += other.healed
        self.drift += other.drift
        self.kills += other.kills
        self.faults += other.faults
        self.stripe += other.stripe
        self.statuses += other.statuses

    @property
    def survived(self) -> int:
        return self.kills.total() + self.faults.total() + self.stripe.total()

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.runs} runs, {self.survived} faults survived, {self.points} fault points passed, "
                f"{self.healed} healed by reconciling, drift {self.drift}",
                f"  killed ({self.kills.total()}): {_listed(self.kills)}",
                f"  went wrong ({self.faults.total()}): {_listed(self.faults)}",
                f"  of Stripe's requests ({self.stripe.total()}): {_listed(self.stripe)}",
                f"  bookings: {_listed(self.statuses)}",
            ]
        )


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common()) or "-"


# Of this run of the tests.
TOTAL = Tally()


def struck() -> Counter[str]:
    """How often each of its faults has befallen Stripe's side so far."""
    return Counter(stripe_api("GET", "/_config/faults/struck"))
