"""What was bought keeps its price; what is added is priced today. Pure arithmetic over lines."""

from collections.abc import Sequence
from decimal import Decimal

from apps.core.money import Money
from apps.listings.offers import Line


def repriced(lines: Sequence[Line], *, booked: Sequence[Line], today: Money) -> list[Line]:
    """`lines` of the changed booking, the first of them split by price: as much as was booked of it at the prices it
    was booked at, in order, and only the rest at today's price.
    """
    if not lines or not booked:
        return list(lines)
    main, *others = lines
    left = main.quantity
    parts: list[Line] = []
    for old in (line for line in booked if line.label == main.label):
        taken = min(left, old.quantity)
        if taken > 0:
            parts = _joined(parts, main.label, taken, old.unit_amount)
            left -= taken
    if left > 0:
        parts = _joined(parts, main.label, left, today)
    return [*parts, *others]


def _joined(parts: list[Line], label: str, quantity: Decimal, price: Money) -> list[Line]:
    """The parts with that much more at the price, in one line with what stands there already at the same price."""
    if parts and parts[-1].unit_amount == price:
        quantity += parts[-1].quantity
        parts = parts[:-1]
    return [*parts, Line(label=label, quantity=quantity, unit_amount=price, amount=price.times(quantity))]
