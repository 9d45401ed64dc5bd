"""Pictures that people send: known by their content, never by their name, and drawn anew before they are kept."""

from __future__ import annotations

import re
from io import BytesIO
from typing import IO

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from PIL import Image, ImageCms, ImageOps

from apps.core.errors import Invalid
from apps.core.ids import new_secret

LARGEST_BYTES = 5 * 1024 * 1024
# A few hundred bytes can claim billions of pixels; decoding costs 4 bytes for each.
LARGEST_PIXELS = 50_000_000
LONGEST_KEPT_SIDE = 2560
# A camera's JPEG with a second picture in it, such as a depth map or a thumbnail, is a JPEG to everybody but Pillow.
CAMERA_JPEG = "MPO"
# Of such letters an address is made as they are.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.[A-Za-z0-9]+")
# Pillow's name of the format -> how it is kept: file name ending, and what the encoder is told.
FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("jpg", {"quality": 88, "optimize": True}),
    "PNG": ("png", {"optimize": True}),
    "WEBP": ("webp", {"quality": 88}),
}


def clean_picture(file: IO[bytes], *, field: str = "file") -> ContentFile[bytes]:
    """The picture under a random name, upright, at most 2560 pixels long, without any metadata.

    An animation becomes its first frame. Raises Invalid at `field` unless it is a PNG, JPEG or WebP of at most 5 MB
    and 50 million pixels.
    """
    content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise Invalid("The picture is larger than 5 MB.", field=field)
    try:
        with Image.open(BytesIO(content), formats=list(FORMATS)) as picture:
            kept = "JPEG" if picture.format == CAMERA_JPEG else picture.format or ""
            drawn = _drawn(picture, has_alpha=kept != "JPEG")
        content = _encoded(drawn, kept)
        if len(content) > LARGEST_BYTES:
            # Noise that came as a few colours and was made smaller: without loss it is larger than it was.
            kept = "WEBP"
            content = _encoded(drawn, kept)
    except Exception as error:
        # Decoders answer hostile bytes with OSError, SyntaxError, ValueError, struct.error, zlib.error and others.
        raise Invalid("This is not a PNG, JPEG or WebP picture of at most 50 megapixels.", field=field) from error
    return ContentFile(content, name=f"{new_secret()}.{FORMATS[kept][0]}")


def picture_url(name: str) -> str:
    """Where a kept picture is, for everybody: `name` is its name in the storage. The address is absolute."""
    storage = storages["default"]
    if type(storage) is FileSystemStorage and PLAIN_NAME.fullmatch(name):
        # What the storage answers too, after it has quoted and joined what needs neither.
        address = f"{storage.base_url}{name}"
    else:
        address = storage.url(name)
    return address if "://" in address else f"{settings.PUBLIC_URL.rstrip('/')}{address}"


def _encoded(picture: Image.Image, form: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **FORMATS[form][1])
    return buffer.getvalue()


def _drawn(picture: Image.Image, *, has_alpha: bool) -> Image.Image:
    """The pixels alone, as they are meant to be seen: turned as the camera noted, in sRGB."""
    # Only the header has been read so far.
    if picture.width * picture.height > LARGEST_PIXELS:
        raise ValueError("too many pixels")
    profile = picture.info.get("icc_profile")
    # Lets the JPEG decoder skip detail that would be thrown away anyway.
    picture.draft("RGB", (LONGEST_KEPT_SIDE, LONGEST_KEPT_SIDE))
    upright = ImageOps.exif_transpose(picture)
    if profile and upright.mode in {"RGB", "CMYK", "L"}:
        upright = _in_srgb(upright, profile)
    if upright.mode.startswith("I"):
        # 16 bits for each pixel; converting alone would make everything white that is not black.
        upright = upright.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        upright.info.pop("transparency", None)
    transparent = has_alpha and upright.has_transparency_data
    plain = upright.convert("RGBA" if transparent else "RGB")
    plain.thumbnail((LONGEST_KEPT_SIDE, LONGEST_KEPT_SIDE), Image.Resampling.LANCZOS)
    # A fresh picture: whatever hung on the old one in `info` would be written by the encoder.
    bare = Image.new(plain.mode, plain.size)
    bare.paste(plain)
    return bare


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The colours of a wider space as sRGB; a broken profile is as good as none."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return picture
    return converted or picture
