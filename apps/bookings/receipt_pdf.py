"""A receipt as a PDF of one or more A4 pages."""

import logging
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from apps.bookings.receipts import Receipt

FONTS = Path(__file__).parent / "fonts"
# It tells of every table of a font that it looks at.
logging.getLogger("fontTools").setLevel(logging.WARNING)
MOMENT = "%Y-%m-%d %H:%M"


def receipt_pdf(receipt: Receipt) -> bytes:
    """The receipt, always the same bytes for the same receipt.

    Letters that the font does not have (Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic and Georgian it has) come out
    as boxes; the page in HTML shows all.
    """
    pdf = FPDF(format="A4")
    pdf.set_creation_date(receipt.paid_at)
    pdf.set_title(f"Receipt {receipt.number}")
    pdf.set_lang("en")
    pdf.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
    pdf.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
    pdf.set_margin(20)
    pdf.add_page()
    pdf.set_font("DejaVu", "B", 18)
    pdf.cell(text=f"Receipt {receipt.number}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(4)
    pdf.set_font("DejaVu", "", 10)
    for label, value in _facts(receipt):
        pdf.set_font(style="B")
        pdf.cell(35, 6, label)
        pdf.set_font(style="")
        pdf.multi_cell(0, 6, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(4)
    with pdf.table(
        col_widths=(90, 20, 30, 30),
        text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT"),
        borders_layout="HORIZONTAL_LINES",
        headings_style=FontFace(emphasis="BOLD"),
        line_height=6,
    ) as table:
        table.row(("", "Quantity", "Each", "Amount"))
        for line in receipt.lines:
            quantity = f"{line.quantity.normalize():f}"
            table.row((line.label, quantity, str(line.unit_amount), str(line.amount)))
        for label, value in sums(receipt):
            row = table.row()
            row.cell(label, colspan=3, style=FontFace(emphasis="BOLD"))
            row.cell(value, style=FontFace(emphasis="BOLD"))
    return bytes(pdf.output())


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    facts = [
        ("Paid", f"{receipt.paid_at:{MOMENT}} ({receipt.zone})"),
        ("By", receipt.payer),
        ("With", receipt.card),
        ("For", receipt.title),
        ("Host", receipt.host),
        ("Booking", receipt.reference),
        ("From", f"{receipt.start:{MOMENT}}"),
        ("To", f"{receipt.end:{MOMENT}}"),
    ]
    return [(label, value) for label, value in facts if value]


def sums(receipt: Receipt) -> list[tuple[str, str]]:
    """What stands below the lines."""
    rows = [("Total of the booking", str(receipt.total)), ("Paid with this payment", str(receipt.paid))]
    rows += [(f"Refunded on {at:%Y-%m-%d}", str(-amount)) for at, amount in receipt.refunds]
    return [*rows, ("Paid after refunds", str(receipt.kept))] if receipt.refunds else rows
