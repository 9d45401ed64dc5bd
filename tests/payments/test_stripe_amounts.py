"""What Stripe is told of an amount, for every currency, and what is read from it."""

import pytest

from apps.core.money import DIGITS, Money
from apps.payments.stripe_amounts import (
    CHARGEABLE,
    ODD_AMOUNT,
    UNKNOWN_CURRENCY,
    NotChargeable,
    from_stripe,
    nearest_movable,
    smallest_step,
    to_stripe,
)
from sandbox.stripe import currencies

# Ten whole units of it, as Stripe wants to be told: by its documentation, apart from our own table.
ZERO_DECIMAL = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
THREE_DECIMAL = ["BHD", "JOD", "KWD", "OMR", "TND"]


def ten_at_stripe(code: str) -> int:
    return 10 if code in ZERO_DECIMAL else 10_000 if code in THREE_DECIMAL else 1_000


@pytest.mark.parametrize("code", sorted(CHARGEABLE))
def test_ten_whole_units_are_ten_there_and_back(code: str) -> None:
    ten = Money(10 * 10 ** DIGITS[code], code)
    assert to_stripe(ten) == ten_at_stripe(code)
    assert from_stripe(ten_at_stripe(code), code.lower()) == ten


@pytest.mark.parametrize("code", sorted(CHARGEABLE))
def test_the_smallest_amount_comes_back_as_it_went(code: str) -> None:
    step = smallest_step(code)
    for minor in (step, 7 * step, 12_340_000):
        assert from_stripe(to_stripe(Money(minor, code)), code.lower()) == Money(minor, code)


@pytest.mark.parametrize("code", sorted(set(DIGITS) - CHARGEABLE))
def test_what_no_card_is_charged_in_is_refused(code: str) -> None:
    with pytest.raises(NotChargeable) as refused:
        to_stripe(Money(10_000, code))
    assert refused.value.code == UNKNOWN_CURRENCY


def test_only_currencies_of_ours_are_charged_and_four_decimals_are_none_of_them() -> None:
    assert set(DIGITS) > CHARGEABLE
    assert {DIGITS[code] for code in CHARGEABLE} == {0, 2, 3}
    assert {code for code in CHARGEABLE if DIGITS[code] == 3} == set(THREE_DECIMAL)
    assert {code.upper() for code in currencies.CURRENCIES} >= CHARGEABLE


@pytest.mark.parametrize(("code", "odd"), [("MGA", 150), ("MGA", 1), ("MGA", 99)])
def test_an_amount_between_two_steps_is_refused_and_never_rounded(code: str, odd: int) -> None:
    with pytest.raises(NotChargeable) as refused:
        to_stripe(Money(odd, code))
    assert refused.value.code == ODD_AMOUNT


@pytest.mark.parametrize(
    ("minor", "whole", "code", "near"),
    [
        (525, 1_050, "KWD", 530),
        (524, 1_050, "KWD", 520),
        (4, 10, "KWD", 0),
        # Where the whole has passed, so does its share.
        (525, 1_051, "KWD", 525),
        (150, 300, "MGA", 200),
        (525, 1_050, "EUR", 525),
    ],
)
def test_a_share_becomes_the_nearest_amount_that_can_be_moved(minor: int, whole: int, code: str, near: int) -> None:
    assert nearest_movable(Money(minor, code), of=Money(whole, code)) == Money(near, code)


def test_parts_of_a_krona_from_long_ago_are_rounded() -> None:
    assert from_stripe(1_040, "isk") == Money(10, "ISK")
    assert from_stripe(1_050, "isk") == Money(11, "ISK")
