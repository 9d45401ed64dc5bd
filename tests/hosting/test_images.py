"""Pictures: known by content, kept without metadata, in an order without gaps."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from apps.core.pictures import LARGEST_BYTES, LONGEST_KEPT_SIDE
from apps.hosting.images import add_image, remove_image
from apps.listings.models import Image, Listing
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_host, make_property, make_staff

GPS_LATITUDE, ORIENTATION, GPS = 2, 0x0112, 0x8825


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def picture(form: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: Any) -> BytesIO:
    buffer = BytesIO()
    Picture.new(mode, size, "red" if mode in {"RGB", "RGBA"} else 0).save(buffer, form, **options)
    buffer.seek(0)
    return buffer


def add(listing: Listing, file: Any = None, viewer: Any = None, alt: str | None = None) -> Listing:
    return add_image(viewer=viewer or listing.host, listing_id=listing.pk, file=file or picture(), alt=alt, now=NOW)


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.django_db
@pytest.mark.parametrize(("form", "ending"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp")])
def test_each_format_is_kept_as_itself_under_a_random_name(form: str, ending: str, media: Path) -> None:
    listing = make_property()
    file = picture(form)
    file.name = "../../holiday.exe"
    add(listing, file, alt=" The lake ")
    image = Image.objects.get(listing=listing)
    assert (image.alt, image.position) == ("The lake", 0)
    stored_as = str(image.file.name)
    assert stored_as.startswith("listings/")
    assert stored_as.endswith(ending)
    assert "holiday" not in stored_as
    with Picture.open(image.file.path) as stored:
        assert (stored.format, stored.size) == (form, (40, 20))


@pytest.mark.django_db
def test_a_picture_is_upright_and_forgets_where_it_was_taken() -> None:
    exif = Picture.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[GPS_LATITUDE] = (52.0, 31.0, 12.0)
    listing = make_property()
    add(listing, picture("JPEG", exif=exif.tobytes()))
    with Picture.open(Image.objects.get(listing=listing).file.path) as stored:
        assert stored.size == (20, 40)
        assert not dict(stored.getexif())
        assert "exif" not in stored.info


@pytest.mark.django_db
def test_a_large_picture_is_kept_smaller() -> None:
    listing = make_property()
    add(listing, picture("JPEG", size=(6000, 3000)))
    with Picture.open(Image.objects.get(listing=listing).file.path) as stored:
        assert stored.size == (LONGEST_KEPT_SIDE, LONGEST_KEPT_SIDE // 2)


def bomb() -> BytesIO:
    """A small file that claims 60,000 x 60,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(7_501) * 2_000)
    return BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(lambda: BytesIO(b""), id="empty"),
        pytest.param(lambda: BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), id="svg"),
        pytest.param(lambda: BytesIO(b"\x89PNG\r\n\x1a\n" + b"<?php echo 1 ?>"), id="only the magic number"),
        pytest.param(lambda: BytesIO(picture("JPEG", (800, 800)).read()[:400]), id="cut off"),
        pytest.param(lambda: picture("GIF", mode="P"), id="another format"),
        pytest.param(lambda: picture("TIFF"), id="tiff"),
        pytest.param(bomb, id="bomb"),
        pytest.param(lambda: BytesIO(picture().read() + b"x" * LARGEST_BYTES), id="too large"),
    ],
)
def test_what_is_no_small_picture_is_refused_and_nothing_stays(file: Any, media: Path) -> None:
    listing = make_property()
    assert refusals(add, listing=listing, file=file()) == {("INVALID", "file")}
    assert not Image.objects.filter(listing=listing).exists()
    assert kept(media) == []


@pytest.mark.django_db
def test_a_wrong_text_is_told_along_with_a_wrong_file(media: Path) -> None:
    listing = make_property()
    wrong = {"listing": listing, "file": BytesIO(b"x"), "alt": "x" * 301}
    assert refusals(add, **wrong) == {("INVALID", "alt"), ("INVALID", "file")}
    assert kept(media) == []


@pytest.mark.django_db
def test_positions_stay_dense_and_files_go_after_the_commit(
    media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    listing = make_property()
    for name in "abcd":
        add(listing, alt=name)
    second = Image.objects.get(listing=listing, alt="b")
    with django_capture_on_commit_callbacks(execute=True):
        remove_image(viewer=listing.host, image_id=second.pk, now=NOW)
        assert len(kept(media)) == 4
    assert len(kept(media)) == 3
    rows = Image.objects.filter(listing=listing).values_list("alt", "position")
    assert list(rows) == [("a", 0), ("c", 1), ("d", 2)]
    assert refusals(remove_image, viewer=listing.host, image_id=second.pk, now=NOW) == {("NOT_FOUND", "image_id")}


@pytest.mark.django_db
def test_a_listing_has_at_most_fifty(media: Path) -> None:
    listing = make_property()
    Image.objects.bulk_create(Image(listing=listing, position=place, file="listings/x.png") for place in range(50))
    assert refusals(add, listing=listing) == {("OUTSIDE_RULES", "file")}
    assert kept(media) == []


@pytest.mark.django_db
def test_who_may_change_the_pictures(media: Path) -> None:
    listing, draft, other = make_property(), make_property(status="DRAFT"), make_host()
    add(listing)
    add(draft, viewer=make_staff())
    assert refusals(add, listing=listing, viewer=other) == {("NOT_ALLOWED", "listing_id")}
    assert refusals(add, listing=draft, viewer=other) == {("NOT_FOUND", "listing_id")}
    shown, hidden = Image.objects.get(listing=listing), Image.objects.get(listing=draft)
    assert refusals(remove_image, viewer=other, image_id=shown.pk, now=NOW) == {("NOT_ALLOWED", "image_id")}
    for unknown in (hidden.pk, 2**62, None):
        assert refusals(remove_image, viewer=other, image_id=unknown, now=NOW) == {("NOT_FOUND", "image_id")}
    assert (Image.objects.count(), len(kept(media))) == (2, 2)
