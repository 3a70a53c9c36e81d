"""Geometry drawn on a photo: subject, elements, thirds, proposals, decision, expert crops, and a legend.

One color a kind; every stroke has a thin dark halo, so it reads on dark and on light. Strokes are drawn three times
larger and reduced. Boxes and points come in as [0,1]; this module must not know answers, records or scores.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from crop_reasoning.composition.strokes import (
    Stroke,
    Tag,
    composed,
    draw_strokes,
    draw_tag,
    font_of,
    legend_strip,
    rectangle,
    ring,
    supersampling,
    tag_size,
)
from crop_reasoning.geometry import Box, Size, point_px, to_xyxy_px
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
_SHADE = (10, 10, 14, 128)
_DASHED = ("thirds", "expert")
_INSET = 3  # px of the sheet between a box on the frame's border and the border, for its halo


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
    scale = supersampling(image.size)
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
    draw_strokes(canvas, strokes, width, 1.6 * scale)
    _draw_labels(canvas, strokes, wh, width)
    return composed(image, layer)


def legend(kinds: Sequence[str], width: int = 640) -> Image.Image:
    """A strip of `width` px that names the given kinds of `COLORS` by their colors, in as many lines as needed."""
    return legend_strip([_stroke(kind, ()) for kind in kinds], width)


def _stroke(kind: str, points: tuple[tuple[float, float], ...], weight: float = 1.0, label: str = "") -> Stroke:
    return Stroke(kind, points, COLORS[kind], weight, label, dashed=kind in _DASHED)


def _guide(wh: Size, share: float, vertical: bool) -> Stroke:
    w, h = wh
    points = ((w * share, 0.0), (w * share, float(h))) if vertical else ((0.0, h * share), (float(w), h * share))
    return _stroke("thirds", points, 0.6)


def _rectangle(kind: str, box: Box, wh: Size, width: float, label: str = "", weight: float = 1.0) -> Stroke:
    return _stroke(kind, rectangle(box, wh, width * weight / 2 + _INSET), weight, label)


def _element_strokes(element: Element, wh: Size, width: float) -> list[Stroke]:
    if element.line:
        ends = (point_px(element.line[:2], wh), point_px(element.line[2:], wh))
        return [_stroke("element", ends, label=element.name)]
    if element.box:
        return [_rectangle("element", element.box, wh, width, element.name)]
    if element.point:
        x, y = point_px(element.point, wh)
        circle = _stroke("element", ring((x, y), 3.2 * width), label=element.name)
        return [circle, _stroke("element", ((x, y), (x, y)), 2.0)]
    return []


def _draw_labels(canvas: ImageDraw.ImageDraw, strokes: Sequence[Stroke], wh: Size, width: float) -> None:
    """Tags at the first point of each labeled stroke: words above it, numbers inside; moved down where one stands."""
    font = font_of(max(33, min(wh) / 17))
    placed: list[tuple[float, float, float, float]] = []
    for stroke in strokes:
        if not stroke.label:
            continue
        w, h = tag_size(stroke.label, font)
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
        draw_tag(canvas, Tag(placed[-1], stroke), font, 3)
