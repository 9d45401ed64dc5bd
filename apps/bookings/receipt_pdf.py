"""A receipt as a PDF of one or more A4 pages."""

import logging
import unicodedata
from pathlib import Path

from django.conf import settings
from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from apps.bookings.receipt_words import facts, rows, sums
from apps.bookings.receipts import Receipt

FONTS = Path(__file__).parent / "fonts"
# It tells of every table of a font that it looks at.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def receipt_pdf(receipt: Receipt) -> bytes:
    """The receipt, always the same bytes for the same receipt.

    No name is lost in it: every letter is shown, or its number where there is no picture of it. Latin, Greek, Cyrillic,
    Armenian, Hebrew, Arabic and Georgian are set as they are written, from the right where they run from there; for the others
    RECEIPT_FONTS names the fonts of this machine that have them.
    """
    pdf = FPDF(format="A4")
    pdf.set_creation_date(receipt.paid_at)
    pdf.set_title(f"Receipt {receipt.number}")
    pdf.set_lang("en")
    pdf.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
    pdf.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
    shown = {letter: _said(letter) for letter in _add_other_fonts(pdf, _letters(receipt))}
    pdf.set_text_shaping(True)
    pdf.set_margin(20)
    pdf.add_page()
    pdf.set_font("DejaVu", "B", 18)
    pdf.cell(text=f"Receipt {receipt.number}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(4)
    pdf.set_font("DejaVu", "", 10)
    for label, value in facts(receipt):
        pdf.set_font(style="B")
        pdf.cell(35, 6, label)
        pdf.set_font(style="")
        pdf.multi_cell(0, 6, value.translate(shown), align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(4)
    with pdf.table(
        col_widths=(90, 20, 30, 30),
        text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT"),
        borders_layout="HORIZONTAL_LINES",
        headings_style=FontFace(emphasis="BOLD"),
        line_height=6,
    ) as table:
        table.row(("", "Quantity", "Each", "Amount"))
        for label, *numbers in rows(receipt):
            table.row((label.translate(shown), *numbers))
        for label, value in sums(receipt):
            row = table.row()
            row.cell(label, colspan=3, style=FontFace(emphasis="BOLD"))
            row.cell(value, style=FontFace(emphasis="BOLD"))
    return bytes(pdf.output())


def _add_other_fonts(pdf: FPDF, letters: set[int]) -> set[int]:
    """Give the document the fonts that have the letters which its own lacks. Returns what no font has."""
    lacking = letters - _letters_in(pdf, "dejavu")
    names: list[str] = []
    for number, path in enumerate(settings.RECEIPT_FONTS):
        if not lacking:
            break
        name = f"other{number}"
        pdf.add_font(name, "", path)
        if found := lacking & _letters_in(pdf, name):
            lacking -= found
            names.append(name)
    if names:
        pdf.set_fallback_fonts(names, exact_match=False)
    return lacking


def _letters_in(pdf: FPDF, font: str) -> set[int]:
    found = pdf.fonts[font]
    assert isinstance(found, TTFFont)
    return set(found.cmap)


def _letters(receipt: Receipt) -> set[int]:
    texts = [*(value for _, value in facts(receipt)), *(line.label for line in receipt.lines)]
    return {ord(letter) for text in texts for letter in text}


def _said(letter: int) -> str:
    """What stands for a letter of which nobody here has a picture: its number, so that it can be looked up."""
    # A selector only says how the sign before it is to look.
    return "" if unicodedata.category(chr(letter)) in {"Mn", "Cf", "Cc"} else f"[U+{letter:04X}]"
