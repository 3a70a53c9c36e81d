"""The measured composition drawn on a photo: one color a kind, legible on any photo.

`MODEL` pictures keep the photo's size and hold no letters: their legend is `guide_legend`, in words, in the prompt.
`PEOPLE` pictures have labels at the strokes and a legend below the photo. `svg` draws the same strokes as vectors;
`overlay` draws answers, not measures.

The colors are as far from each other as twelve nameable colors can be: CIELAB distance at least 36 for most eyes, at
least 26 for eyes without the red or the green receptor (Machado et al. 2009; tested).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageColor, ImageDraw

from crop_reasoning.composition.analysis import Analysis, Evidence
from crop_reasoning.composition.labels import placed_tags
from crop_reasoning.composition.placement import THIRD, golden_lines
from crop_reasoning.composition.primitives import LEAST_SIDE, Point
from crop_reasoning.composition.strokes import (
    GROUND,
    Ink,
    Px,
    Stroke,
    composed,
    cut_at_border,
    draw_strokes,
    draw_tag,
    font_of,
    legend_strip,
    luminance,
    rectangle,
    ring,
    supersampling,
)
from crop_reasoning.geometry import Box, Size, point_px
from crop_reasoning.images import to_rgb

VERSION = "guides/1"
"""Changes whenever the same analysis may be drawn otherwise: a model must be shown what it was trained on."""


class GuideColor(NamedTuple):
    """A color as `#rrggbb`, and the word for it."""

    hex: str
    word: str


GUIDE_COLORS: dict[str, GuideColor] = {
    "thirds": GuideColor("#ffffff", "white"),
    "golden ratio": GuideColor("#f4a32b", "orange"),
    "pattern": GuideColor("#683f29", "brown"),
    "symmetric": GuideColor("#401b77", "purple"),
    "triangle": GuideColor("#0617d0", "blue"),
    "curved": GuideColor("#c933cf", "magenta"),
    "diagonal": GuideColor("#d91f05", "red"),
    "vertical": GuideColor("#1ca84f", "green"),
    "horizontal": GuideColor("#67d7fb", "cyan"),
    "center": GuideColor("#121212", "black"),
    "subject": GuideColor("#fff406", "yellow"),
    "face": GuideColor("#f37da3", "pink"),
}
"""The kinds in drawing order, the first one lowest: the thirds, the other elements by name, subject and faces."""
_SHAPES = {
    "thirds": "grid",
    "golden ratio": "lines",
    "pattern": "box",
    "symmetric": "dashes",
    "triangle": "outline",
    "curved": "path",
    "diagonal": "lines",
    "vertical": "line",
    "horizontal": "line",
    "center": "cross",
    "subject": "box",
    "face": "box",
}
_DARK, _LIGHT, _FAINT = (12, 12, 16, 255), (255, 255, 255, 255), (12, 12, 16, 170)
LEAST_LEGEND = 12.0
"""Of the size of its letters: the width of a legend that holds its longest entry."""
_THIN = 0.7


class Style(NamedTuple):
    """Whom a drawing is for: whether it has letters, and a stroke's width as a share of the frame's mean side (the
    root of its area), at least `least` px."""

    letters: bool
    width: float
    least: float


PEOPLE = Style(letters=True, width=1 / 220, least=2.2)
MODEL = Style(letters=False, width=1 / 260, least=2.2)


def guide_legend() -> str:
    """What each color stands for, in one line of words for prompts."""
    return "; ".join(f"{color.word} {_SHAPES[kind]}: {kind}" for kind, color in GUIDE_COLORS.items())


def render(image: Image.Image, analysis: Analysis, style: Style = PEOPLE) -> Image.Image:
    """A copy of `image` (any size and mode; RGB comes back) with what was measured drawn on it.

    The thirds are always drawn, everything else only where `analysis` holds it. `MODEL` keeps the size of `image`;
    `PEOPLE` adds a legend below it. A photo with a side below 16 px would vanish behind its guides and gets none.
    """
    image = to_rgb(image)
    scale = supersampling(image.size)
    strokes = guide_strokes(analysis, image.size, style, scale)
    width = stroke_width(image.size, style) * scale
    layer = Image.new("RGBA", (image.width * scale, image.height * scale), (0, 0, 0, 0))
    canvas = ImageDraw.Draw(layer)
    draw_strokes(canvas, strokes, width, halo_width(width, scale))
    if not style.letters:
        return composed(image, layer)
    letters = label_size(image.size)
    font = font_of(letters * scale)
    for tag in placed_tags(strokes, layer.size, font):
        draw_tag(canvas, tag, font, scale)
    drawn = composed(image, layer)
    legend = legend_strip(legend_entries(strokes), max(image.width, round(LEAST_LEGEND * letters)), letters)
    page = Image.new("RGB", (legend.width, image.height + legend.height), GROUND)
    page.paste(drawn, ((legend.width - image.width) // 2, 0))
    page.paste(legend, (0, image.height))
    return page


def stroke_width(size: Size, style: Style) -> float:
    """The width of a stroke of weight 1 on a photo of `size` px, in its pixels."""
    return max(style.least, _mean_side(size) * style.width)


def halo_width(width: float, scale: float = 1) -> float:
    """How much wider a halo is than its stroke of `width` px, on a sheet that is `scale` times larger."""
    return max(1.2 * scale, 0.7 * width)


def label_size(size: Size) -> float:
    """The size of the letters on a photo of `size` px, in its pixels."""
    return max(11.0, _mean_side(size) / 42)


def legend_entries(strokes: Sequence[Stroke]) -> list[Stroke]:
    """One stroke of each kind that is drawn."""
    drawn = {stroke.kind for stroke in strokes}
    return [_stroke(kind, ()) for kind in GUIDE_COLORS if kind in drawn]


def guide_strokes(analysis: Analysis, size: Size, style: Style, scale: int = 1) -> list[Stroke]:
    """What is drawn for an analysis of a photo of `size` px, the lowest stroke first, in pixels of a sheet that is
    `scale` times larger. Geometry beyond the frame is cut at its border."""
    if min(size) < LEAST_SIDE:
        return []
    wh = (size[0] * scale, size[1] * scale)
    width = stroke_width(size, style) * scale
    strokes = [
        stroke
        for share in (THIRD, 1 - THIRD)
        for line in ((share, 0.0, share, 1.0), (0.0, share, 1.0, share))
        for stroke in _cut("thirds", _ends(line, wh), wh, _THIN)
    ]
    for evidence in analysis.elements:
        strokes += _evidence_strokes(evidence, wh, width)
    boxes = [("subject", analysis.subject)] if analysis.subject else []
    boxes += [("face", found.box) for found in analysis.subjects if found.kind == "face"]
    strokes += [_boxed(kind, box, wh, width) for kind, box in boxes]
    strokes.sort(key=lambda stroke: list(GUIDE_COLORS).index(stroke.kind))
    return strokes


def _evidence_strokes(evidence: Evidence, wh: Size, width: float) -> list[Stroke]:
    kind = evidence.name
    if kind not in GUIDE_COLORS:  # the rule of thirds: its grid is there already
        return []
    if evidence.point:
        return _placement_strokes(kind, evidence.point, wh)
    strokes: list[Stroke] = []
    if evidence.box:
        strokes.append(_boxed(kind, evidence.box, wh, width))
    if evidence.polygon:
        strokes += _cut(kind, [point_px(each, wh) for each in (*evidence.polygon, evidence.polygon[0])], wh, label=kind)
    if evidence.path:
        strokes += _cut(kind, [point_px(each, wh) for each in evidence.path], wh, label=kind)
    if evidence.line:
        strokes += _cut(kind, _ends(evidence.line, wh), wh, label=kind)
    for line in evidence.leading:
        if line != evidence.line:
            strokes += _cut(kind, _ends(line, wh), wh)
    if evidence.vanishing:
        x, y = evidence.vanishing
        if 0 <= x <= 1 and 0 <= y <= 1:
            strokes += _cut(kind, ring(point_px(evidence.vanishing, wh), 4 * width), wh, label="vanishing point")
    return strokes


def _placement_strokes(kind: str, point: Point, wh: Size) -> list[Stroke]:
    """The lines that a subject stands on."""
    if kind == "center":
        x, y, arm = wh[0] / 2, wh[1] / 2, min(wh) / 10
        cross = (((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm)))
        return [_stroke(kind, points, label=kind) for points in cross]
    if kind == "golden ratio":
        across, down = golden_lines(point)
        lines = [(across, 0.0, across, 1.0)] if across else []
        lines += [(0.0, down, 1.0, down)] if down else []
        return [stroke for line in lines for stroke in _cut(kind, _ends(line, wh), wh, label=kind)]
    return []


def _boxed(kind: str, box: Box, wh: Size, width: float) -> Stroke:
    return _stroke(kind, rectangle(box, wh, (width + halo_width(width)) / 2), label=kind)


def _cut(kind: str, points: Sequence[Px], wh: Size, weight: float = 1.0, label: str = "") -> list[Stroke]:
    return [_stroke(kind, piece, weight, label) for piece in cut_at_border(points, wh)]


def _stroke(kind: str, points: tuple[Px, ...], weight: float = 1.0, label: str = "") -> Stroke:
    return Stroke(kind, points, GUIDE_COLORS[kind].hex, weight, label, dashed=kind == "symmetric", halo=_halo(kind))


def _ends(line: tuple[float, float, float, float], wh: Size) -> tuple[Px, Px]:
    return point_px(line[:2], wh), point_px(line[2:], wh)


def _halo(kind: str) -> Ink:
    """Dark around light colors, light around dark ones; faint around the thirds, which only help to compare."""
    if kind == "thirds":
        return _FAINT
    return _DARK if luminance(ImageColor.getrgb(GUIDE_COLORS[kind].hex)) > 0.18 else _LIGHT


def _mean_side(size: Size) -> float:
    return math.sqrt(size[0] * size[1])
