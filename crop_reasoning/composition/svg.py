"""The measured composition as SVG for people: the photo, strokes as vectors that say what they are, and a legend.

The strokes, their colors and the labels' places are those of `render`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

from crop_reasoning.composition.analysis import Analysis
from crop_reasoning.composition.labels import placed_tags
from crop_reasoning.composition.render import (
    LEAST_LEGEND,
    PEOPLE,
    guide_strokes,
    halo_width,
    label_size,
    legend_entries,
    stroke_width,
)
from crop_reasoning.composition.strokes import (
    DASH,
    GAP,
    GROUND,
    PAD,
    PAPER,
    ROW,
    SWATCH,
    Px,
    Stroke,
    Tag,
    font_of,
    legend_places,
)
from crop_reasoning.geometry import Size

_QUALITY = 88


def render_svg(wh: Size, analysis: Analysis, href: str | None) -> str:
    """An SVG document of a photo of `wh` px with what was measured drawn on it, and a legend below.

    `href` is the photo's address or its `data_uri`; without one there are the strokes alone. Each stroke has a title,
    which browsers show under the pointer: its kind, and the words of the analysis.
    """
    w, h = wh
    letters = label_size(wh)
    strokes = guide_strokes(analysis, wh, PEOPLE)
    width = stroke_width(wh, PEOPLE)
    tags = placed_tags(strokes, wh, font_of(letters))
    legend, page_w, legend_h = _legend(strokes, w, letters)
    words = {each.name: each.words for each in analysis.elements}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(page_w)} {_number(h + legend_h)}" '
        f'width="{_number(page_w)}" height="{_number(h + legend_h)}" font-family="sans-serif" '
        f'font-size="{_number(letters)}">',
        f'<rect width="100%" height="100%" fill="{GROUND}"/>',
        f'<svg x="{_number((page_w - w) / 2)}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">',
        *([f'<image href={quoteattr(href)} width="{w}" height="{h}"/>'] if href else []),
        '<g fill="none" stroke-linecap="round" stroke-linejoin="round">',
        *(
            _polyline(each, width * each.weight + halo_width(width), _rgb(each), each.halo[3], width)
            for each in strokes
        ),
        *(_polyline(each, width * each.weight, each.color, 255, width, _title(each, words)) for each in strokes),
        "</g>",
        *(line for tag in tags for line in _tag(tag, letters)),
        "</svg>",
        f'<g transform="translate(0 {h})" stroke-linecap="round">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def data_uri(image: Image.Image) -> str:
    """An RGB photo as a JPEG in an address, so that an SVG holds all it shows."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _polyline(stroke: Stroke, width: float, color: str, alpha: int, dash: float, title: str = "") -> str:
    marks = f' stroke-opacity="{alpha / 255:.2f}"' if alpha < 255 else ""
    if stroke.dashed:
        marks += f' stroke-dasharray="{_number(DASH * dash)}"'
    start = f'<polyline points="{_points(stroke.points)}" stroke="{color}" stroke-width="{width:.2f}"{marks}'
    return f"{start}><title>{escape(title)}</title></polyline>" if title else f"{start}/>"


def _title(stroke: Stroke, words: dict[str, str]) -> str:
    if stroke.kind not in words:
        return stroke.kind
    return f"{stroke.kind}: {words[stroke.kind]}"


def _tag(tag: Tag, letters: float) -> Iterator[str]:
    x1, y1, x2, y2 = tag.box
    yield (
        f'<rect x="{_number(x1)}" y="{_number(y1)}" width="{_number(x2 - x1)}" height="{_number(y2 - y1)}" '
        f'rx="{_number(PAD * letters)}" fill="{tag.stroke.color}" stroke="{_rgb(tag.stroke)}"/>'
    )
    yield _text(tag.stroke.label, x1 + PAD * letters, (y1 + y2) / 2, x2 - x1 - 2 * PAD * letters, tag.ink)


def _text(words: str, x: float, y: float, length: float, color: str) -> str:
    """Words that take `length` px in any font, their middle at `y`."""
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" dy=".35em" textLength="{_number(length)}" '
        f'lengthAdjust="spacingAndGlyphs" fill="{color}">{escape(words)}</text>'
    )


def _legend(strokes: Sequence[Stroke], photo_width: int, letters: float) -> tuple[list[str], float, float]:
    """The legend's lines of SVG, and its width and height."""
    font, unit = font_of(letters), letters / 14
    width = max(float(photo_width), LEAST_LEGEND * letters)
    entries = legend_entries(strokes)
    lengths = [font.getlength(entry.kind) for entry in entries]
    places, rows = legend_places(lengths, width, unit)
    lines = []
    for entry, length, (x, row) in zip(entries, lengths, places, strict=True):
        y = (row + 0.5) * ROW * unit
        swatch = replace(entry, points=((x, y), (x + SWATCH * unit, y)))
        if entry.halo[0] > 128:  # a dark one is lost on the dark ground
            lines.append(_polyline(swatch, 7 * unit, _rgb(entry), 255, 4 * unit))
        lines.append(_polyline(swatch, 4 * unit, entry.color, 255, 4 * unit))
        lines.append(_text(entry.kind, x + (SWATCH + GAP) * unit, y, length, PAPER))
    return lines, width, rows * ROW * unit


def _rgb(stroke: Stroke) -> str:
    r, g, b, _ = stroke.halo
    return f"#{r:02x}{g:02x}{b:02x}"


def _points(points: Sequence[Px]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
