"""What every drawing on a photo is made of: strokes with halos, tags, a legend's strip, and how they are laid down.

A stroke is a polyline in pixels of the sheet that it is drawn on, which is `supersampling` times larger than the photo
and is reduced at the end. This module must not know what a stroke stands for: `overlay` draws answers, `render` what
was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from crop_reasoning.errors import EnvironmentProblem
from crop_reasoning.geometry import Box, Size, to_xyxy_px

Ink = tuple[int, int, int, int]
Px = tuple[float, float]

DARK: Ink = (12, 12, 16, 150)
"""The halo of a light stroke."""
INK, PAPER, GROUND = "#101014", "#f4f4f5", "#27272a"
"""Words on light plates, words on dark ones, and the ground of a legend."""
PAD = 0.32
"""Of the font's size: the room around the words of a tag."""
DASH = 4
"""Of a stroke's width: the length of a dash."""
ROW, SWATCH, GAP = 26, 26, 10
"""A legend: height of a line, length of a swatch, gaps; in fourteenths of the size of its words."""
_SUPER = 3
_SUPER_LIMIT = 3000  # px; a longer side is fine enough by itself, and nine times its pixels would not fit in memory


@dataclass(frozen=True, slots=True)
class Stroke:
    """A polyline of a `kind` (the word in a legend); `weight` multiplies the line width, `label` is written beside it,
    `halo` keeps it legible."""

    kind: str
    points: tuple[Px, ...]
    color: str
    weight: float = 1.0
    label: str = ""
    dashed: bool = False
    halo: Ink = DARK


@dataclass(frozen=True, slots=True)
class Tag:
    """Where on the sheet the label of a stroke stands: x1, y1, x2, y2 of its plate."""

    box: tuple[float, float, float, float]
    stroke: Stroke

    @property
    def ink(self) -> str:
        """The color of its words, as far from the plate's as the stroke's halo is."""
        return INK if self.stroke.halo[0] < 128 else PAPER


def supersampling(size: Size) -> int:
    """How many times larger than a photo of `size` its sheet is."""
    return _SUPER if max(size) <= _SUPER_LIMIT else 1


def draw_strokes(canvas: ImageDraw.ImageDraw, strokes: Sequence[Stroke], width: float, halo: float) -> None:
    """Draw strokes of `width` px, each with a halo that is `halo` px wider: all halos lie under all colors."""
    for stroke in strokes:
        _draw(canvas, stroke, width * stroke.weight + halo, stroke.halo, width)
    for stroke in strokes:
        _draw(canvas, stroke, width * stroke.weight, stroke.color, width)


def composed(image: Image.Image, layer: Image.Image) -> Image.Image:
    """A copy of an RGB photo under a transparent sheet, which is reduced to the photo's size."""
    small = layer.resize(image.size, Image.Resampling.BOX)
    return Image.alpha_composite(image.convert("RGBA"), small).convert("RGB")


def rectangle(box: Box, wh: Size, margin: float) -> tuple[Px, ...]:
    """The closed outline of a box on a sheet of `wh` px, held `margin` px inside the frame so that no edge is lost."""
    x1, y1, x2, y2 = to_xyxy_px(box, wh)
    left, right = max(float(x1), margin), min(float(x2), wh[0] - margin)
    top, bottom = max(float(y1), margin), min(float(y2), wh[1] - margin)
    return ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))


def ring(center: Px, radius: float) -> tuple[Px, ...]:
    """A circle as a closed polyline."""
    angles = [2 * math.pi * step / 48 for step in range(49)]
    return tuple((center[0] + radius * math.cos(a), center[1] + radius * math.sin(a)) for a in angles)


def draw_tag(canvas: ImageDraw.ImageDraw, tag: Tag, font: ImageFont.FreeTypeFont, outline: float) -> None:
    """A rounded plate in the color of what it names, with its words in the middle."""
    (x1, y1, x2, y2), stroke = tag.box, tag.stroke
    canvas.rounded_rectangle(tag.box, font.size * PAD, fill=stroke.color, outline=stroke.halo, width=round(outline))
    canvas.text(((x1 + x2) / 2, (y1 + y2) / 2), stroke.label, fill=tag.ink, font=font, anchor="mm")


def tag_size(text: str, font: ImageFont.FreeTypeFont) -> tuple[float, float]:
    """Width and height of a tag's plate."""
    pad = font.size * PAD
    return font.getlength(text) + 2 * pad, font.size + pad


def legend_strip(entries: Sequence[Stroke], width: int, size: float = 14) -> Image.Image:
    """A dark strip of `width` px that names the kinds of strokes in `size` px, in as many lines as needed.

    Beside each name stands a swatch of the stroke: its color, halo and dashes; its points are ignored.
    """
    scale = supersampling((width, 0))
    font = font_of(size * scale)
    unit = size * scale / 14
    names = [stroke.kind for stroke in entries]
    places, lines = legend_places([font.getlength(name) for name in names], width * scale, unit)
    strip = Image.new("RGB", (width * scale, round(lines * ROW * unit)), GROUND)
    canvas = ImageDraw.Draw(strip)
    for stroke, (left, line) in zip(entries, places, strict=True):
        middle = (line + 0.5) * ROW * unit
        shown = replace(stroke, points=((left, middle), (left + SWATCH * unit, middle)))
        if stroke.halo[0] > 128:  # a dark one is lost on the dark ground
            _draw(canvas, shown, 7 * unit, stroke.halo[:3], 4 * unit)
        _draw(canvas, shown, 4 * unit, stroke.color, 4 * unit)
        canvas.text((left + (SWATCH + GAP) * unit, middle), stroke.kind, fill=PAPER, font=font, anchor="lm")
    return strip.resize((width, strip.height // scale), Image.Resampling.BOX)


def legend_places(lengths: Sequence[float], width: float, unit: float) -> tuple[list[tuple[float, int]], int]:
    """Where the entries of a legend begin (x, line) when their words are `lengths` px long, and the number of lines.

    `unit` is what `ROW`, `SWATCH` and `GAP` are multiples of.
    """
    places: list[tuple[float, int]] = []
    x, line = GAP * unit, 0
    for length in lengths:
        needed = (SWATCH + 3 * GAP) * unit + length
        if x + needed > width and x > GAP * unit:
            x, line = GAP * unit, line + 1
        places.append((x, line))
        x += needed
    return places, line + 1


def font_of(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's own font, so that a picture looks the same on every machine."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise EnvironmentProblem("Pillow was built without FreeType, expected its official wheel; reinstall pillow")
    return font


def luminance(color: tuple[int, ...]) -> float:
    """The relative luminance of an sRGB color (bytes) in [0,1], as WCAG 2 defines it.

    >>> round(luminance((255, 255, 0)), 3)
    0.928
    """
    r, g, b = (c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color[:3])
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def cut_at_border(points: Sequence[Px], wh: Size) -> list[tuple[Px, ...]]:
    """The parts of a polyline that lie on a sheet of `wh` px.

    >>> cut_at_border([(-10, 5), (10, 5), (10, 50)], (20, 20))
    [((0.0, 5.0), (10, 5), (10.0, 20.0))]
    """
    pieces: list[list[Px]] = []
    for start, end in pairwise(points):
        seen = _segment_inside(start, end, wh)
        if seen is None:
            continue
        if pieces and pieces[-1][-1] == seen[0]:
            pieces[-1].append(seen[1])
        else:
            pieces.append(list(seen))
    return [tuple(piece) for piece in pieces]


def _segment_inside(start: Px, end: Px, wh: Size) -> tuple[Px, Px] | None:
    """The part of a segment that lies on the sheet (Liang and Barsky 1984)."""
    first, last = 0.0, 1.0
    for a, b, limit in zip(start, end, wh, strict=True):
        if a == b and not 0 <= a <= limit:
            return None
        if a != b:
            enters, leaves = sorted(((0 - a) / (b - a), (limit - a) / (b - a)))
            first, last = max(first, enters), min(last, leaves)
    if first > last:
        return None
    (x1, y1), (x2, y2) = start, end
    at = tuple((x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in (first, last))
    return start if first == 0 else at[0], end if last == 1 else at[1]


def dashes(points: Sequence[Px], dash: float) -> list[tuple[Px, Px]]:
    """A polyline as dashes of `dash` px, each in the middle of its part, so that both ends look alike."""
    pieces = []
    for (x1, y1), (x2, y2) in pairwise(points):
        count = max(1, round(math.hypot(x2 - x1, y2 - y1) / (2 * dash)))
        for step in range(count):
            a, b = (step + 0.25) / count, (step + 0.75) / count
            pieces.append(((x1 + a * (x2 - x1), y1 + a * (y2 - y1)), (x1 + b * (x2 - x1), y1 + b * (y2 - y1))))
    return pieces


def _draw(canvas: ImageDraw.ImageDraw, stroke: Stroke, width: float, fill: str | tuple[int, ...], dash: float) -> None:
    for start, end in dashes(stroke.points, DASH * dash) if stroke.dashed else list(pairwise(stroke.points)):
        canvas.line((start, end), fill=fill, width=round(width))
        for x, y in (start, end):  # round caps close the corners
            r = width / 2
            canvas.ellipse((x - r, y - r, x + r, y + r), fill=fill)
