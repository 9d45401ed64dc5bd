"""Pictures of every make: what is kept of them."""

import random
from io import BytesIO

import pytest
from django.core.files.storage import FileSystemStorage, storages
from PIL import Image
from pytest_django.fixtures import Settings

from apps.core.errors import DomainError, ErrorCode
from apps.core.pictures import LARGEST_BYTES, LONGEST_KEPT_SIDE, clean_picture, picture_url


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def kept(content: bytes) -> Image.Image:
    cleaned = clean_picture(BytesIO(content))
    assert cleaned.size <= LARGEST_BYTES
    picture = Image.open(cleaned)
    picture.load()
    assert (cleaned.name or "").endswith({"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[picture.format or ""])
    return picture


def test_a_camera_that_hides_a_second_picture_in_its_jpeg() -> None:
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    picture = kept(content)
    assert (picture.format, picture.size) == ("JPEG", (40, 20))
    red, _, blue = picture.getpixel((20, 10))  # type: ignore[misc]
    assert red > 240 > 15 > blue


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_an_animation_becomes_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue", "green")]
    picture = kept(encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100, lossless=True))
    assert getattr(picture, "n_frames", 1) == 1
    red, green, blue = picture.convert("RGB").getpixel((20, 10))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_sixteen_bits_of_grey_stay_grey() -> None:
    source = Image.new("I;16", (4, 4), 128 * 256)
    assert kept(encoded(source, "PNG")).convert("RGB").getpixel((1, 1)) == (128, 128, 128)


def test_inks_become_light() -> None:
    picture = kept(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = picture.getpixel((4, 4))  # type: ignore[misc]
    assert picture.mode == "RGB"
    assert red > 200 > 60 > max(green, blue)


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    side = LONGEST_KEPT_SIDE + 100
    eight_colours = random.Random(7).randbytes(side * side).translate(bytes(byte % 8 for byte in range(256)))
    noise = Image.frombytes("P", (side, side), eight_colours)
    noise.putpalette([level for colour in range(8) for level in (colour * 32,) * 3])
    content = encoded(noise, "PNG")
    assert len(content) <= LARGEST_BYTES
    assert max(kept(content).size) == LONGEST_KEPT_SIDE


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_what_hangs_on_behind_the_picture_is_gone(form: str) -> None:
    content = encoded(Image.new("RGB", (8, 8)), form) + b"PK\x03\x04<script>SECRET</script>"
    cleaned = clean_picture(BytesIO(content))
    assert b"SECRET" not in cleaned.read()


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "ICO", "PDF"])
def test_other_makes_are_refused(form: str) -> None:
    with pytest.raises(DomainError) as refused:
        clean_picture(BytesIO(encoded(Image.new("RGB", (16, 16)), form)))
    assert refused.value.code is ErrorCode.INVALID
    assert refused.value.field == ("file",)


class Bucket(FileSystemStorage):
    """A storage with addresses of its own."""

    def url(self, name: str | None) -> str:
        return f"https://bucket.example/{name}?signed"


@pytest.mark.parametrize(
    "name",
    ["listings/a-B_1.webp", "a.png", "listings/ä b.png", "/a.png", "a/../b.png", "a:b.png", "a?b.png", "a\\b.png"],
)
def test_the_address_of_a_picture_is_the_storages_own(name: str, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://book.example/"
    assert picture_url(name) == f"https://book.example{storages['default'].url(name)}"


def test_a_storage_that_is_no_folder_answers_for_itself(settings: Settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": f"{__name__}.Bucket"}}
    assert picture_url("listings/a.webp") == "https://bucket.example/listings/a.webp?signed"
