"""What can be measured on a small RGB picture. All loops run inside Pillow."""

from __future__ import annotations

from itertools import pairwise

from PIL import Image, ImageMath

COLOURS = 5
SHARPNESS_SIDE = 256

# Names people use, with the shade each stands for.
NAMES = {
    "black": (0, 0, 0),
    "dark grey": (70, 70, 70),
    "grey": (135, 135, 135),
    "light grey": (205, 205, 205),
    "white": (255, 255, 255),
    "red": (215, 30, 35),
    "dark red": (120, 15, 20),
    "orange": (245, 140, 30),
    "brown": (120, 75, 40),
    "beige": (225, 205, 170),
    "yellow": (245, 220, 45),
    "olive": (115, 115, 35),
    "green": (45, 160, 60),
    "dark green": (20, 75, 35),
    "light green": (150, 220, 140),
    "turquoise": (50, 190, 185),
    "light blue": (140, 195, 240),
    "blue": (40, 90, 210),
    "dark blue": (15, 30, 100),
    "purple": (125, 50, 160),
    "pink": (245, 150, 185),
}
Colour = tuple[int, int, int]


def colours(picture: Image.Image) -> list[Colour]:
    """The dominant colours, at most five, most frequent first; those under a hundredth of the picture are left out."""
    small = picture.copy()
    small.thumbnail((96, 96), Image.Resampling.BOX)
    reduced = small.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    palette = reduced.getpalette() or []
    total = small.width * small.height
    counted = sorted(reduced.getcolors() or [], key=lambda pair: -pair[0])
    shades = [_shade(palette, index) for count, index in counted if count * 100 >= total]
    return list(dict.fromkeys(shades))


def _shade(palette: list[int], index: object) -> Colour:
    assert isinstance(index, int), "a picture with a palette counts by index"  # noqa: S101  # narrows Pillow's union
    red, green, blue = palette[3 * index : 3 * index + 3]
    return red, green, blue


def hexadecimal(colour: Colour) -> str:
    """A colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def name(colour: Colour) -> str:
    """The nearest of the names, by the "redmean" distance (T. Riemersma, CompuPhase, "Colour metric")."""
    return min(NAMES, key=lambda known: _distance(NAMES[known], colour))


def _distance(one: Colour, other: Colour) -> float:
    red = (one[0] + other[0]) / 2
    r, g, b = (a - c for a, c in zip(one, other, strict=True))
    return (2 + red / 256) * r * r + 4 * g * g + (2 + (255 - red) / 256) * b * b


def sharpness(picture: Image.Image) -> float:
    """The variance of the Laplacian of the grey picture at 256 pixels (J. Pech-Pacheco et al., ICPR 2000)."""
    grey = picture.convert("L")
    grey.thumbnail((SHARPNESS_SIDE, SHARPNESS_SIDE), Image.Resampling.BOX)
    width, height = grey.size
    if width < 3 or height < 3:
        return 0.0
    exact = grey.convert("F")

    def shifted(right: int, down: int) -> Image.Image:
        return exact.crop((1 + right, 1 + down, width - 1 + right, height - 1 + down))

    laplacian = ImageMath.lambda_eval(
        lambda at: at["up"] + at["down"] + at["left"] + at["right"] - at["here"] * 4,
        up=shifted(0, -1), down=shifted(0, 1), left=shifted(-1, 0), right=shifted(1, 0), here=shifted(0, 0),
    )  # fmt: skip
    squared = ImageMath.lambda_eval(lambda at: at["l"] * at["l"], l=laplacian)
    return round(max(0.0, _mean(squared) - _mean(laplacian) ** 2), 2)


def _mean(picture: Image.Image) -> float:
    """A box filter down to one pixel is the mean, computed without a Python loop."""
    return float(picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))  # type: ignore[arg-type]  # mode F


def difference_hash(picture: Image.Image) -> str:
    """The 64-bit dHash as 16 hex digits: nine by eight greys, a bit where brightness rises to the right, row by row.

    N. Krawetz, "Kind of Like That", The Hacker Factor Blog, 2013.
    """
    grey = picture.convert("L").resize((9, 8), Image.Resampling.BOX)
    levels = grey.tobytes()
    bits = 0
    for row in range(8):
        for left, right in pairwise(levels[row * 9 : row * 9 + 9]):
            bits = bits << 1 | (right > left)
    return f"{bits:016x}"
