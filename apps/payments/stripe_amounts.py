"""Amounts as Stripe writes them, from ours and back: pure, exact, and the only place that knows where the two differ.

Both count in whole small units, but not always in the same. What is here follows "Supported currencies" of Stripe's
documentation (https://docs.stripe.com/currencies, read in November 2026):

=================  =========================  ============  ==================================================
currencies         ISO 4217 and we            Stripe        so
=================  =========================  ============  ==================================================
most               hundredths (2 digits)      hundredths    as they are
BIF, JPY, ...      whole units (0 digits)     whole units   as they are
ISK, UGX           whole units (0 digits)     hundredths    times 100; the last two digits must be 00
MGA                hundredths (2 digits)      whole units   divided by 100; hundredths of an ariary do not exist
BHD, JOD, KWD,     thousandths (3 digits)     thousandths   as they are; the last digit is to be 0
OMR, TND
CLF, IQD, LYD,     -                          -             cannot be charged
and more
=================  =========================  ============  ==================================================

HUF and TWD differ in payouts alone, which are no matter of ours. Nothing is rounded on the way to Stripe, since the ledger says
to the last unit what a card was charged with: parts of an ariary are refused here, and whether a last digit of a thousandth
passes is for Stripe to say, which asks for the 0 on behalf of some of its partners. A price that ends in 0 always passes, and its
shares are made to.
"""

from fractions import Fraction

from apps.core.money import Money, round_half_up

# What a card can be charged in. A currency that Stripe takes on is a word more here.
_CHARGEABLE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CVE
CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS
KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND TOP TRY TTD TWD
TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
"""
CHARGEABLE = frozenset(_CHARGEABLE.split())
IN_HUNDREDTHS = frozenset(("ISK", "UGX"))
IN_WHOLE_UNITS = frozenset(("MGA",))
ENDING_IN_ZERO = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))

UNKNOWN_CURRENCY = "currency_not_supported"
ODD_AMOUNT = "amount_not_chargeable"


class NotChargeable(ValueError):
    """Stripe moves no such amount. `code` is one of UNKNOWN_CURRENCY and ODD_AMOUNT."""

    def __init__(self, code: str, money: Money) -> None:
        super().__init__(f"{money}: {code}")
        self.code = code


def smallest_step(currency: str) -> int:
    """How many of our minor units the smallest amount has that there is at Stripe; every other is a multiple."""
    return 100 if currency in IN_WHOLE_UNITS else 1


def nearest_movable(share: Money, *, of: Money) -> Money:
    """The nearest amount to the share, half up, that passes at Stripe as surely as the whole that it is a share of."""
    step = smallest_step(share.currency)
    if share.currency in ENDING_IN_ZERO and of.minor % 10 == 0:
        step = 10
    return Money(round_half_up(Fraction(share.minor, step)) * step, share.currency)


def to_stripe(money: Money) -> int:
    """What Stripe is told as `amount`. Raises NotChargeable."""
    if money.currency not in CHARGEABLE:
        raise NotChargeable(UNKNOWN_CURRENCY, money)
    if money.minor % smallest_step(money.currency):
        raise NotChargeable(ODD_AMOUNT, money)
    if money.currency in IN_HUNDREDTHS:
        return money.minor * 100
    return money.minor // 100 if money.currency in IN_WHOLE_UNITS else money.minor


def from_stripe(amount: int, currency: str) -> Money:
    """What Stripe means by an `amount` in a currency as it writes it, in lower case.

    Parts of a króna, which Stripe has not taken since 2023, are rounded half up.
    """
    code = currency.upper()
    if code in IN_HUNDREDTHS:
        return Money(round_half_up(Fraction(amount, 100)), code)
    return Money(amount * 100 if code in IN_WHOLE_UNITS else amount, code)
