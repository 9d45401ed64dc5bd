"""Receipts and tickets: pages that open by their address alone."""

import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pytest_django.fixtures import Settings

from apps.bookings.actions import cancel, carry_out_refund, refund
from apps.bookings.models import Booking
from apps.bookings.receipt_pdf import receipt_pdf
from apps.bookings.receipts import Expired, receipt_of, receipt_url
from apps.core.money import Money
from apps.payments.models import Charge, Refund
from tests.payments.steps import booked, jobs_kept, paid
from tests.recipes import make_event, make_guest, make_host, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)


def a_stay(**listing: Any) -> tuple[Booking, Charge]:
    guest = make_guest(first_name="Žofie", last_name="Ångström")
    home = make_property(title="Дача <b>над морем</b>", address="Secret Lane 7", **listing)
    booking = booked(home, guest=guest, now=NOW)
    return booking, paid(booking, now=NOW)


def path_of(charge: Charge, *, now: datetime = NOW) -> str:
    url = receipt_url(charge, now=now)
    assert url is not None
    return (
        url.removeprefix("http://127.0.0.1:8000")
        if url.startswith("http://127.0.0.1:8000")
        else "/" + url.split("/", 3)[3]
    )


def test_a_receipt_says_what_was_paid_and_not_where_it_is() -> None:
    booking, charge = a_stay(property__cleaning_fee_minor=1_550)
    answer = Client().get(path_of(charge))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert answer["Cache-Control"] == "private, no-store"
    for text in (
        f"Receipt {charge.receipt_number}",
        booking.reference,
        "Žofie Ångström",
        "215.50 EUR",
        "15.50 EUR",
        "4242",
    ):
        assert text in page
    assert "Дача &lt;b&gt;над морем&lt;/b&gt;" in page
    amounts = [line.amount_minor for line in booking.lines.all()]
    assert (sum(amounts), len(amounts), charge.amount_minor) == (21_550, 2, 21_550)
    for secret in ("Secret Lane", booking.listing.address, "Prenzlauer", "example.com", "52.5", charge.intent_id):
        assert secret not in page
    assert "Refunded" not in page


def test_moments_are_those_of_the_listing_s_clock() -> None:
    booking, charge = a_stay(time_zone="Pacific/Auckland")
    page = Client().get(path_of(charge)).content.decode()
    zone = ZoneInfo("Pacific/Auckland")
    assert booking.check_in is not None
    assert booking.check_out is not None
    assert charge.paid_at is not None
    assert f"<dd>{charge.paid_at.astimezone(zone):%Y-%m-%d %H:%M} (Pacific/Auckland)</dd>" in page
    assert f"<dd>{booking.check_in} 15:00</dd>" in page
    assert f"<dd>{booking.check_out} 11:00</dd>" in page
    (nights,) = booking.lines.all()
    assert f'<td class="number">{nights.quantity.normalize():f}</td>' in page


def test_refunds_stand_on_it_until_they_fail() -> None:
    booking, charge = a_stay()
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charge.pk, amount=Money(1_234, "EUR"), now=NOW)
    carry_out_refund(refund_id=Refund.objects.get().pk)
    page = Client().get(path_of(Charge.objects.get(pk=charge.pk))).content.decode()
    assert re.findall(r"-?\d+\.\d\d EUR", page)[-4:] == ["200.00 EUR", "200.00 EUR", "-12.34 EUR", "187.66 EUR"]
    Refund.objects.update(status="FAILED")
    assert "12.34" not in Client().get(path_of(charge)).content.decode()
    assert booking.reference in page


def test_the_same_receipt_as_a_pdf(caplog: pytest.LogCaptureFixture) -> None:
    _, charge = a_stay()
    answer = Client().get(path_of(charge) + ".pdf")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == f'inline; filename="receipt-{charge.receipt_number}.pdf"'
    assert answer.content.startswith(b"%PDF-")
    assert b"%%EOF" in answer.content[-16:]
    assert len(answer.content) < 200_000
    # Every letter of the title has a place in the embedded font's table from glyphs to letters.
    texts = letters_of(answer.content)
    for letter in "ДачнодмреŽÅ•":
        assert f"<{ord(letter):04X}>".encode() in texts, letter
    assert not [record for record in caplog.records if "glyph" in record.getMessage()]
    found = receipt_of(path_of(charge).rsplit("/", 1)[1], now=NOW)
    assert found is not None
    assert receipt_pdf(found) == receipt_pdf(found)


def letters_of(pdf: bytes) -> bytes:
    """The tables of a PDF that say which letter each of its pictures is, and everything else that is packed in it."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return b"".join(zlib.decompressobj().decompress(each) if each[:1] == b"x" else each for each in streams).upper()


def a_font(path: Path, letters: str) -> Path:
    """A TrueType font that has these letters and nothing else, each a box."""
    names = [f"letter{ord(letter):X}" for letter in letters]
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((900, 0), (900, 800), (100, 800)):
        pen.lineTo(corner)
    pen.closePath()
    box = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names, strict=True)})
    builder.setupGlyf(dict.fromkeys([".notdef", *names], box))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_no_name_is_lost_in_a_pdf(caplog: pytest.LogCaptureFixture, settings: Settings, tmp_path: Path) -> None:
    settings.RECEIPT_FONTS = (
        a_font(tmp_path / "unused.ttf", "Q"),
        a_font(tmp_path / "first.ttf", "张伟東京渡辺の静かな家"),
        a_font(tmp_path / "second.ttf", "さくら김민수สมชาย野"),
    )
    guest = make_guest(first_name="张伟 محمد", last_name="김민수 สมชาย \N{CJK UNIFIED IDEOGRAPH-20BB7}野")
    home = make_property(
        title="東京の静かな家 🎉\N{VARIATION SELECTOR-16}", host=make_host(first_name="渡辺", last_name="さくら")
    )
    charge = paid(booked(home, guest=guest, now=NOW), now=NOW)
    found = receipt_of(path_of(charge).rsplit("/", 1)[1], now=NOW)
    assert found is not None
    pdf = receipt_pdf(found)
    texts = letters_of(pdf)
    for letter in "张伟김민수สมชาย野東京の静かな家渡辺さ":
        assert f"<{ord(letter):04X}>".encode() in texts, letter
    # In its word the first letter has another form than the third.
    assert texts.count(b"<0645>") == 2
    # Of two letters there is no picture: their numbers are shown.
    assert all(f"<{ord(sign):04X}>".encode() in texts for sign in "[U+20BB7]1F389")
    assert not [record for record in caplog.records if "glyph" in record.getMessage()]
    assert (pdf == receipt_pdf(found), len(pdf) < 200_000) == (True, True)


def test_an_address_cannot_be_guessed_and_ends() -> None:
    _, charge = a_stay()
    right = path_of(charge)
    address = right.rsplit("/", 1)[1]
    pk, until, signature = address.split("-")
    for wrong in (
        f"{int(pk) + 1}-{until}-{signature}",
        f"{pk}-{int(until) + 1}-{signature}",
        f"{pk}-{until}-{'0' * 40}",
        f"{pk}-{until}",
        f"{pk}-{until}-",
        "0" * 100,
        f"{'9' * 30}-{until}-{signature}",
    ):
        assert Client().get(f"/receipts/{wrong}").status_code == 404
    assert receipt_of(address, now=NOW + timedelta(days=30)) is not None
    with pytest.raises(Expired):
        receipt_of(address, now=NOW + timedelta(days=32))
    assert path_of(charge) == path_of(charge, now=NOW) == right
    assert path_of(charge, now=NOW + timedelta(days=2)) != right
    assert Client().post(right).status_code == 405
    assert Client().get(path_of(charge, now=NOW - timedelta(days=40))).status_code == 410


def test_what_was_not_paid_has_no_receipt() -> None:
    guest = make_guest()
    charge = paid(booked(make_property(), guest=guest, now=NOW), now=NOW, card="pm_card_chargeDeclined")
    assert receipt_url(charge, now=NOW) is None


def test_amounts_have_the_digits_of_their_currency() -> None:
    for currency, minor, shown in (("JPY", 1_500, "3000 JPY"), ("KWD", 1_500, "3.000 KWD")):
        booking = booked(make_property(currency=currency, price_minor=minor), guest=make_guest(), now=NOW)
        page = Client().get(path_of(paid(booking, now=NOW))).content.decode()
        assert shown in page


def test_a_ticket_is_a_picture_for_as_long_as_it_admits() -> None:
    guest = make_guest()
    booking = booked(make_event(host=make_host(), price_minor=500), guest=guest, now=NOW)
    paid(booking, now=NOW)
    booking.refresh_from_db()
    code = booking.ticket_code
    assert code is not None
    svg = Client().get(f"/tickets/{code}.svg")
    png = Client().get(f"/tickets/{code.lower()}.png")
    assert (svg.status_code, svg["Content-Type"], png["Content-Type"]) == (200, "image/svg+xml", "image/png")
    assert b"<svg" in svg.content
    assert png.content.startswith(b"\x89PNG")
    assert svg["Cache-Control"] == "private, no-store"
    for wrong in (code[:-1] + ("0" if code[-1] != "0" else "1"), booking.reference, "x"):
        assert Client().get(f"/tickets/{wrong}.svg").status_code == 404
    cancel(viewer=guest, booking_id=booking.pk, now=NOW)
    assert Client().get(f"/tickets/{code}.svg").status_code == 404


def test_the_picture_says_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import segno

    said: list[str] = []
    real = segno.make

    def listen(content: str, **options: Any) -> Any:
        said.append(content)
        return real(content, **options)

    monkeypatch.setattr(segno, "make", listen)
    booking = booked(make_event(price_minor=500), guest=make_guest(), now=NOW)
    paid(booking, now=NOW)
    booking.refresh_from_db()
    Client().get(f"/tickets/{booking.ticket_code}.svg")
    assert said == [booking.ticket_code]
