"""Papers as they are photographed: receipts, letters and tables in three fonts and sizes, noisy and a little askew.

The same fifty on every machine: what is drawn follows from the number of the paper.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = {"sans": "DejaVuSans.ttf", "serif": "DejaVuSerif.ttf", "mono": "DejaVuSansMono.ttf"}
SIZES = (16, 22, 30)  # pixels
NOISE = (0.0, 8.0, 16.0)  # standard deviations of grey levels
DEGREES = 3.0
COUNT = 50
_SYSTEM = Path("/usr/share/fonts/truetype/dejavu")

_SHOPS = (
    "Hornbach Baumarkt",
    "Corner Bakery",
    "Librería Central",
    "Farmacia Sol",
    "City Garden Center",
    "Bäckerei Kühn",
)
_GOODS = (
    "Wood glue", "Paint brush", "Screws 4x40", "Whole milk", "Rye bread", "Green tea", "Notebook A5", "Batteries AA",
    "Olive oil", "Jabón natural", "Käsekuchen", "Light bulb", "Garden hose", "Aspirina", "Café molido", "Envelopes",
)  # fmt: skip
_STREETS = ("Main Street", "Lindenallee", "Calle Mayor", "Harbour Road", "Ringstraße", "Park Lane")
_NAMES = ("Ana Pérez", "Jonas Weber", "Priya Nair", "Tom Fisher", "Lucía Gómez", "Karl Böhm")
_SENTENCES = (
    "Thank you for your letter of last week.", "The meeting is moved to Thursday at nine.",
    "Please bring the signed contract with you.", "We have received your payment of 120.50.",
    "The keys are with the neighbour on the left.", "Your order will arrive before Friday.",
    "I would be glad to hear from you soon.", "The train leaves at 7:45 from platform 3.",
    "Our new office is on the second floor.", "The garden needs water twice a week.",
)  # fmt: skip
_MONTHS = ("January", "March", "May", "July", "October", "December")


class Paper(NamedTuple):
    """A picture, and what is written on it, by lines."""

    sort: str
    font: str
    size: int
    picture: Image.Image
    lines: tuple[str, ...]


def papers(count: int = COUNT) -> Iterator[Paper]:
    """The first so many papers. Raises ClickException where the fonts are missing."""
    folder = _folder()
    for number in range(count):
        chance = random.Random(number)
        sort = ("receipt", "letter", "table")[number % 3]
        font = tuple(FONTS)[number // 3 % 3]
        size = SIZES[number // 9 % 3]
        rows = {"receipt": _receipt, "letter": _letter, "table": _table}[sort](chance)
        drawn = _drawn(rows, ImageFont.truetype(folder / FONTS[font], size), size)
        lines = tuple(" ".join(cells) for cells in rows)
        yield Paper(sort, font, size, _photographed(drawn, chance, NOISE[number // 2 % 3], number), lines)


def _folder() -> Path:
    """Where the fonts are: with the system, or in the wheel of matplotlib."""
    found = find_spec("matplotlib")
    shipped = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else _SYSTEM
    for folder in (_SYSTEM, shipped):
        if all((folder / name).exists() for name in FONTS.values()):
            return folder
    raise click.ClickException("The papers need the fonts of DejaVu: pip install './benchmarks[plot]'")


def _receipt(chance: random.Random) -> list[tuple[str, ...]]:
    goods = chance.sample(_GOODS, chance.randint(4, 8))
    prices = [chance.randint(79, 4999) for _ in goods]
    day = f"{chance.randint(1, 28):02}.{chance.randint(1, 12):02}.2026"
    return [
        (chance.choice(_SHOPS),),
        (f"{chance.choice(_STREETS)} {chance.randint(1, 99)}",),
        *zip(goods, map(_money, prices), strict=True),
        ("TOTAL EUR", _money(sum(prices))),
        (f"{day} {chance.randint(8, 19):02}:{chance.randint(10, 59)}",),
    ]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _letter(chance: random.Random) -> list[tuple[str, ...]]:
    said = chance.sample(_SENTENCES, chance.randint(4, 7))
    return [
        (f"{chance.randint(1, 28)} {chance.choice(_MONTHS)} 2026",),
        (f"Dear {chance.choice(_NAMES)},",),
        *((each,) for each in said),
        ("With kind regards",),
        (chance.choice(_NAMES),),
    ]


def _table(chance: random.Random) -> list[tuple[str, ...]]:
    rows = [(chance.choice(_NAMES), str(chance.randint(10, 9999)), chance.choice(_MONTHS)) for _ in range(6)]
    return [("Name", "Number", "Month"), *rows]


def _drawn(rows: list[tuple[str, ...]], font: ImageFont.FreeTypeFont, size: int) -> Image.Image:
    """Lines of one cell, or of cells in columns."""
    columns = [row for row in rows if len(row) > 1]
    places = range(len(columns[0])) if columns else range(1)
    widths = [max((int(font.getlength(row[place])) for row in columns), default=0) + 2 * size for place in places]
    width = max(sum(widths), *(int(font.getlength(row[0])) for row in rows)) + 2 * size
    picture = Image.new("L", (width, int((len(rows) + 1.5) * size * 1.6)), 246)
    draw = ImageDraw.Draw(picture)
    for line, row in enumerate(rows):
        for place, cell in enumerate(row):
            draw.text((size + sum(widths[:place]), size + line * size * 1.6), cell, font=font, fill=24)
    return picture


def _photographed(drawn: Image.Image, chance: random.Random, noise: float, seed: int) -> Image.Image:
    """As a camera has it: turned, on a grey table, with noise."""
    turned = drawn.rotate(chance.uniform(-DEGREES, DEGREES), Image.Resampling.BICUBIC, expand=True, fillcolor=230)
    grains = np.random.default_rng(seed).normal(0.0, noise, (turned.height, turned.width))
    levels = np.asarray(turned, dtype=np.float64) + grains
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert("RGB")
