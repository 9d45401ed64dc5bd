"""The words of a receipt, the same on the page and in the PDF."""

from apps.bookings.receipts import Receipt

MOMENT = "%Y-%m-%d %H:%M"


def facts(receipt: Receipt) -> list[tuple[str, str]]:
    """What stands above the lines, as label and value; the moments are those of the listing's clock."""
    told = [
        ("Paid", f"{receipt.paid_at:{MOMENT}} ({receipt.zone})"),
        ("By", receipt.payer),
        ("With", receipt.card),
        ("For", receipt.title),
        ("Host", receipt.host),
        ("Booking", receipt.reference),
        ("From", f"{receipt.start:{MOMENT}}"),
        ("To", f"{receipt.end:{MOMENT}}"),
    ]
    return [(label, value) for label, value in told if value]


def rows(receipt: Receipt) -> list[tuple[str, str, str, str]]:
    """Each line: what for, how many, the price of each and of all."""
    return [
        (line.label, f"{line.quantity.normalize():f}", str(line.unit_amount), str(line.amount))
        for line in receipt.lines
    ]


def sums(receipt: Receipt) -> list[tuple[str, str]]:
    """What stands below the lines."""
    rows = [("Total of the booking", str(receipt.total)), ("Paid with this payment", str(receipt.paid))]
    rows += [(f"Refunded on {at:%Y-%m-%d}", str(-amount)) for at, amount in receipt.refunds]
    return [*rows, ("Paid after refunds", str(receipt.kept))] if receipt.refunds else rows
