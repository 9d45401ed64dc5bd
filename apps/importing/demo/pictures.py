"""Pictures for the demo's listings: small, drawn, and different for each kind."""

import io
import random
from functools import lru_cache

from PIL import Image, ImageDraw

SIZE = (480, 320)
VARIANTS = 4
Colour = tuple[int, int, int]
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((190, 214, 230), (94, 116, 140), (236, 179, 101)),
    ((244, 222, 196), (155, 92, 72), (74, 98, 90)),
    ((205, 226, 203), (72, 110, 90), (222, 120, 92)),
    ((220, 210, 232), (96, 84, 134), (240, 200, 120)),
)


@lru_cache(maxsize=64)
def picture(motif: str, variant: int) -> bytes:
    """A PNG of the motif (a kind's relation name); the same for the same arguments."""
    rng = random.Random(f"{motif}:{variant}")  # noqa: S311
    sky, wall, light = PALETTES[variant % len(PALETTES)]
    image = Image.new("RGB", SIZE, sky)
    draw = ImageDraw.Draw(image)
    draw.ellipse((360, 30, 430, 100), fill=light)
    draw.rectangle((0, 250, 480, 320), fill=tuple(value * 3 // 4 for value in wall))
    MOTIFS[motif](draw, rng, wall, light)
    packed = io.BytesIO()
    image.quantize(16).save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def _houses(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour, light: Colour) -> None:
    left = 20
    while left < 400:
        width, height = rng.randint(70, 120), rng.randint(90, 190)
        draw.rectangle((left, 250 - height, left + width, 250), fill=wall)
        for x in range(left + 10, left + width - 18, 26):
            for y in range(260 - height, 230, 34):
                draw.rectangle((x, y, x + 14, y + 18), fill=light if rng.random() < 0.6 else (60, 66, 80))
        left += width + rng.randint(6, 18)


def _tools(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour, light: Colour) -> None:
    draw.rounded_rectangle((90, 110, 330, 250), 14, fill=wall)
    draw.polygon([(70, 118), (350, 118), (320, 80), (100, 80)], fill=light)
    for x in range(110, 310, 44):
        draw.ellipse((x, rng.randint(140, 180), x + 26, rng.randint(190, 220)), fill=(250, 246, 238))


def _stage(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour, light: Colour) -> None:
    draw.polygon([(60, 250), (420, 250), (380, 130), (100, 130)], fill=wall)
    for _ in range(5):
        x = rng.randint(90, 390)
        draw.polygon([(x, 40), (x - 36, 250), (x + 36, 250)], fill=light)
    for x in range(40, 450, 22):
        draw.ellipse((x, rng.randint(246, 268), x + 18, rng.randint(272, 290)), fill=(48, 50, 62))


def _bays(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour, light: Colour) -> None:
    for x in range(30, 460, 90):
        draw.line((x, 250, x - 24, 318), fill=(245, 245, 245), width=5)
    for x in range(40, 400, 90):
        if rng.random() < 0.6:
            draw.rounded_rectangle((x, 210, x + 70, 250), 10, fill=wall)
            draw.rounded_rectangle((x + 12, 190, x + 56, 216), 8, fill=light)
            for wheel in (x + 8, x + 46):
                draw.ellipse((wheel, 240, wheel + 18, 258), fill=(40, 42, 50))


MOTIFS = {"property": _houses, "service": _tools, "event": _stage, "parking_spot": _bays}
