"""Geometry drawn on a photo: subject, elements, thirds, proposals, decision, expert crops, and a legend.

One color a kind; every stroke has a thin dark halo, so it reads on dark and on light. Strokes are drawn three times
larger and reduced. Boxes and points come in as [0,1]; this module must not know answers, records or scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from crop_reasoning.errors import EnvironmentProblem
from crop_reasoning.geometry import Box, to_xyxy_px
from crop_reasoning.reasoning.rationale import Element

COLORS: dict[str, str] = {
    "thirds": "#f4f4f5",
    "subject": "#fbbf24",
    "element": "#38bdf8",
    "proposal": "#c4b5fd",
    "expert": "#fb7185",
    "decision": "#4ade80",
}
"""The kinds in drawing order, the first one lowest."""
_HALO = (12, 12, 16, 150)
_INK = "#101014"
_SUPER = 3
_SUPER_LIMIT = 3000  # px; a longer side is fine enough by itself, and nine times its pixels would not fit in memory
_SHADE = (10, 10, 14, 128)
_DASHED = ("thirds", "expert")
Px = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A polyline in supersampled pixels; `weight` multiplies the line width, `label` stands at its first point."""

    kind: str
    points: tuple[Px, ...]
    weight: float = 1.0
    label: str = ""


def overlay(
    image: Image.Image,
    *,
    thirds: bool = False,
    subject: Box | None = None,
    elements: Sequence[Element] = (),
    proposals: Sequence[Box] = (),
    experts: Sequence[Box] = (),
    decision: Box | None = None,
    shade: bool = False,
) -> Image.Image:
    """A copy of `image` (RGB, any size) with the geometry drawn on it; the size stays.

    Proposals are numbered from 1, elements named, expert crops dashed. `shade` darkens what the decision cuts away.
    """
    scale = _SUPER if max(image.size) <= _SUPER_LIMIT else 1
    wh = (image.width * scale, image.height * scale)
    width = max(2.0, min(image.size) / 130) * scale
    strokes = [_guide(wh, share, vertical) for share in (1 / 3, 2 / 3) for vertical in (True, False)] if thirds else []
    strokes += [stroke for element in elements for stroke in _element_strokes(element, wh, width)]
    strokes += [_rectangle("subject", subject, wh, width, "subject")] if subject else []
    strokes += [_rectangle("proposal", box, wh, width, str(n)) for n, box in enumerate(proposals, 1)]
    strokes += [_rectangle("expert", box, wh, width) for box in experts]
    strokes += [_rectangle("decision", decision, wh, width, weight=1.5)] if decision else []

    layer = Image.new("RGBA", wh, (0, 0, 0, 0))
    canvas = ImageDraw.Draw(layer)
    if shade and decision:
        canvas.rectangle((0, 0, *wh), fill=_SHADE)
        x1, y1, x2, y2 = to_xyxy_px(decision, wh)
        canvas.rectangle((x1, y1, x2 - 1, y2 - 1), fill=(0, 0, 0, 0))
    strokes.sort(key=lambda stroke: list(COLORS).index(stroke.kind))
    for stroke in strokes:  # all halos lie under all colors
        _draw_stroke(canvas, stroke, width * stroke.weight + 1.6 * scale, _HALO, width)
    for stroke in strokes:
        _draw_stroke(canvas, stroke, width * stroke.weight, COLORS[stroke.kind], width)
    _draw_labels(canvas, strokes, wh, width)
    small = layer.resize(image.size, Image.Resampling.BOX)
    return Image.alpha_composite(image.convert("RGBA"), small).convert("RGB")


def legend(kinds: Sequence[str], width: int = 640) -> Image.Image:
    """A strip of `width` px that names the given kinds of `COLORS` by their colors, in as many lines as needed."""
    scale = _SUPER
    font = _font(14 * scale)
    row, swatch, gap = 26 * scale, 26 * scale, 10 * scale
    places: list[tuple[str, float, int]] = []
    x, line = float(gap), 0
    for kind in kinds:
        needed = swatch + gap + font.getlength(kind) + 2 * gap
        if x + needed > width * scale and x > gap:
            x, line = float(gap), line + 1
        places.append((kind, x, line))
        x += needed
    strip = Image.new("RGB", (width * scale, (line + 1) * row), "#27272a")
    canvas = ImageDraw.Draw(strip)
    for kind, left, line in places:
        middle = line * row + row // 2
        stroke = _Stroke(kind, ((left, middle), (left + swatch, middle)))
        _draw_stroke(canvas, stroke, 4.0 * scale, COLORS[kind], 4.0 * scale)
        canvas.text((left + swatch + gap, middle), kind, fill="#f4f4f5", font=font, anchor="lm")
    return strip.resize((width, strip.height // scale), Image.Resampling.BOX)


def _guide(wh: tuple[int, int], share: float, vertical: bool) -> _Stroke:
    w, h = wh
    points = ((w * share, 0.0), (w * share, float(h))) if vertical else ((0.0, h * share), (float(w), h * share))
    return _Stroke("thirds", points, 0.6)


def _rectangle(kind: str, box: Box, wh: tuple[int, int], width: float, label: str = "", weight: float = 1.0) -> _Stroke:
    x1, y1, x2, y2 = to_xyxy_px(box, wh)
    inset = width * weight / 2 + _SUPER  # so that an edge on the frame's border stays in sight with its halo
    left, right = max(float(x1), inset), min(float(x2), wh[0] - inset)
    top, bottom = max(float(y1), inset), min(float(y2), wh[1] - inset)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return _Stroke(kind, corners, weight, label)


def _element_strokes(element: Element, wh: tuple[int, int], width: float) -> list[_Stroke]:
    w, h = wh
    if element.line:
        x1, y1, x2, y2 = element.line
        return [_Stroke("element", ((x1 * w, y1 * h), (x2 * w, y2 * h)), label=element.name)]
    if element.box:
        return [_rectangle("element", element.box, wh, width, element.name)]
    if element.point:
        x, y = element.point[0] * w, element.point[1] * h
        angles = [2 * math.pi * step / 48 for step in range(49)]
        ring = tuple((x + 3.2 * width * math.cos(a), y + 3.2 * width * math.sin(a)) for a in angles)
        return [_Stroke("element", ring, label=element.name), _Stroke("element", ((x, y), (x, y)), 2.0)]
    return []


def _draw_stroke(
    canvas: ImageDraw.ImageDraw, stroke: _Stroke, width: float, fill: str | tuple[int, ...], dash: float
) -> None:
    for start, end in _segments(stroke, 4 * dash):
        canvas.line((start, end), fill=fill, width=round(width))
        for x, y in (start, end):  # round caps close the corners
            r = width / 2
            canvas.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _segments(stroke: _Stroke, dash: float) -> list[tuple[Px, Px]]:
    pairs = list(pairwise(stroke.points))
    if stroke.kind not in _DASHED:
        return pairs
    pieces = []
    for (x1, y1), (x2, y2) in pairs:
        count = max(1, round(math.hypot(x2 - x1, y2 - y1) / (2 * dash)))
        for step in range(count):  # a dash in the middle of each of `count` equal parts, so both ends look alike
            a, b = (step + 0.25) / count, (step + 0.75) / count
            pieces.append(((x1 + a * (x2 - x1), y1 + a * (y2 - y1)), (x1 + b * (x2 - x1), y1 + b * (y2 - y1))))
    return pieces


def _draw_labels(canvas: ImageDraw.ImageDraw, strokes: Sequence[_Stroke], wh: tuple[int, int], width: float) -> None:
    """Tags at the first point of each labeled stroke: words above it, numbers inside; moved down where one stands."""
    font = _font(max(11 * _SUPER, min(wh) / 17))
    pad = font.size * 0.32
    placed: list[tuple[float, float, float, float]] = []
    for stroke in strokes:
        if not stroke.label:
            continue
        w, h = font.getlength(stroke.label) + 2 * pad, font.size + pad
        x = min(max(stroke.points[0][0] + width / 2, 0.0), wh[0] - w)
        inside = stroke.points[0][1] + width / 2
        above = inside - width - h
        y = min(above if above >= 0 and not stroke.label.isdigit() else inside, wh[1] - h)
        while (
            any(x < right and x + w > left and y < low and y + h > top for left, top, right, low in placed)
            and y + 2 * h < wh[1]
        ):
            y += h
        placed.append((x, y, x + w, y + h))
        canvas.rounded_rectangle(
            (x, y, x + w, y + h), radius=pad, fill=COLORS[stroke.kind], outline=_HALO, width=_SUPER
        )
        canvas.text((x + w / 2, y + h / 2), stroke.label, fill=_INK, font=font, anchor="mm")


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise EnvironmentProblem("Pillow was built without FreeType, expected its official wheel; reinstall pillow")
    return font
