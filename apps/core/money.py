"""Amounts of money: minor units and an ISO 4217 currency. No float enters or leaves."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from iso4217 import Currency

LARGEST_PRICE = 10_000_000_000
LARGEST_TOTAL = 2**53 - 1

# Codes of ISO 4217 that name no money one can pay with: metals, funds, testing.
NOT_MONEY = {"XXX", "XTS", "XAU", "XAG", "XPD", "XPT", "XBA", "XBB", "XBC", "XBD", "XDR", "XSU", "XUA"}


class MixedCurrencies(TypeError):
    """Two currencies met in one sum: a bug of ours, never a user's."""


def _digits_by_code() -> dict[str, int]:
    return {
        currency.code: currency.exponent
        for currency in Currency
        if currency.exponent is not None and currency.code not in NOT_MONEY
    }


DIGITS = _digits_by_code()


def is_currency(code: str) -> bool:
    """Whether `code` is an active ISO 4217 currency, in upper case."""
    return code in DIGITS


def round_half_up(value: Fraction | Decimal | int) -> int:
    """The one rounding of the project: to the nearest whole minor unit, halves away from zero."""
    exact = Fraction(value)
    whole = (abs(exact) * 2 + 1) // 2
    return int(whole if exact >= 0 else -whole)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (cents, yen, fils). Sums across currencies raise MixedCurrencies."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are whole numbers, not {type(self.minor).__name__}")

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    @property
    def amount(self) -> Decimal:
        """In major units, with the currency's number of digits: 10.50 USD, 1050 JPY, 1.050 KWD."""
        return Decimal(self.minor).scaleb(-DIGITS[self.currency])

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MixedCurrencies(f"{self.currency} met {other.currency}")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def times(self, factor: Fraction | Decimal | int) -> "Money":
        """The product, rounded once, half up."""
        if type(factor) is int:
            return Money(factor * self.minor, self.currency)
        return Money(round_half_up(Fraction(factor) * self.minor), self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def total(amounts: list[Money], *, currency: str) -> Money:
    """The sum, also of nothing. Raises MixedCurrencies."""
    result = Money.zero(currency)
    for amount in amounts:
        result += amount
    return result


def quantize(value: Decimal, *, digits: int) -> Decimal:
    """`value` with that many digits after the point, half up."""
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
