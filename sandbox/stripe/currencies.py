"""The currencies a payment may be in, in Stripe's lower case."""

from __future__ import annotations

from sandbox.stripe.errors import ApiError

_ALL = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf
chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf
idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop
mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd
scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg
xof xpf yer zar zmw
"""
CURRENCIES = tuple(_ALL.split())

ZERO_DECIMAL = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf")
)
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# Without decimals today, and yet told to the API in hundredths.
IN_HUNDREDTHS = frozenset(("isk", "ugx"))
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def refuse_odd(amount: int, currency: str) -> None:
    """Raises ApiError 400 for an amount whose last digits the currency does not have.

    The last thousandths of BHD, JOD, KWD, OMR and TND pass here; at Stripe that depends on the card.
    """
    if currency in IN_HUNDREDTHS and amount % 100:
        raise ApiError(
            400,
            f"Invalid amount. Currency {currency.upper()} has become effectively zero-decimal and charged amounts must be "
            "evenly divisible by 100. See https://stripe.com/docs/currencies#special-cases for more information.",
            code="invalid_charge_amount_no_decimal_compatible",
            param="amount",
        )


def shown(amount: int, currency: str) -> str:
    """An amount of smallest units as an error message or a page writes it: `$12.50`, `¥500`, `12.50 CHF`."""
    digits = 0 if currency in ZERO_DECIMAL - IN_HUNDREDTHS else 3 if currency in THREE_DECIMAL else 2
    whole, rest = divmod(amount, 10**digits)
    figure = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    sign = _SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{figure} {currency.upper()}"
