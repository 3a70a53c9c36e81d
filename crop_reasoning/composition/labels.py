"""Where the labels of strokes stand: beside their stroke, inside the frame, never on each other.

A label that fits nowhere is left out: the legend names its kind all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from crop_reasoning.composition.strokes import Px, Stroke, Tag, tag_size
from crop_reasoning.geometry import Size

_ALONG = (0.0, 1.0, 0.5, 0.25, 0.75, 0.12, 0.88)  # of the stroke's points; the first ones are the places of choice
_GAP = 0.35  # of the letters, between a stroke and its label
_INSIDE = 30  # points of strokes that a label may hide before it stands on what its stroke encloses
_SMALL = 0.1  # of the frame: an outline around a thing that no label shall cover
_CLOSE = 0.5  # of the letters, between two labels


def placed_tags(strokes: Sequence[Stroke], wh: Size, font: ImageFont.FreeTypeFont) -> list[Tag]:
    """A tag for each different label of the strokes that finds room on a sheet of `wh` px, in the strokes' order.

    The highest strokes choose first. Of the places beside a stroke the one that hides least of any stroke wins.
    """
    drawn = _worth_seeing(strokes, wh, font.size)
    tags: list[Tag] = []
    named: set[str] = set()
    for stroke in reversed(strokes):
        if not stroke.label or stroke.label in named:
            continue
        free = [box for box in _places(stroke, tag_size(stroke.label, font), font.size) if _fits(box, wh, tags, font)]
        if free:
            hidden = [_hidden(box, drawn) + _INSIDE * _is_in(box, stroke) + rank / 4 for rank, box in enumerate(free)]
            tags.append(Tag(free[hidden.index(min(hidden))], stroke))
            named.add(stroke.label)
    return tags[::-1]


def _places(stroke: Stroke, size: tuple[float, float], letters: float) -> Iterator[tuple[float, float, float, float]]:
    (w, h), gap = size, _GAP * letters
    for share in _ALONG:
        x, y = _point_at(stroke.points, share)
        for left in (x + gap, x - gap - w, x - w / 2):
            for top in (y - gap - h, y + gap):
                yield left, top, left + w, top + h


def _point_at(points: Sequence[Px], share: float) -> Px:
    """The point at a share of a polyline's length."""
    lengths = [float(np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in pairwise(points)]
    left = share * sum(lengths)
    for (a, b), length in zip(pairwise(points), lengths, strict=True):
        if left <= length and length > 0:
            return a[0] + left / length * (b[0] - a[0]), a[1] + left / length * (b[1] - a[1])
        left -= length
    return points[-1]


def _fits(box: tuple[float, float, float, float], wh: Size, tags: Sequence[Tag], font: ImageFont.FreeTypeFont) -> bool:
    x1, y1, x2, y2 = box
    room = _CLOSE * font.size / 2
    if not (room <= x1 and x2 <= wh[0] - room and room <= y1 and y2 <= wh[1] - room):
        return False
    return all(
        x1 - room >= right or x2 + room <= left or y1 - room >= low or y2 + room <= top
        for left, top, right, low in (tag.box for tag in tags)
    )


def _worth_seeing(strokes: Sequence[Stroke], wh: Size, letters: float) -> NDArray[np.float64]:
    """Points, a third of a letter apart, on all strokes and within small outlines, such as faces, (n, 2)."""
    points = [np.zeros((0, 2))]
    for stroke in strokes:
        for start, end in pairwise(stroke.points):
            count = 1 + int(3 * np.hypot(end[0] - start[0], end[1] - start[1]) / letters)
            points.append(np.linspace(start, end, count))
        (left, top), (right, low) = np.min(stroke.points, axis=0), np.max(stroke.points, axis=0)
        if stroke.points[0] == stroke.points[-1] and (right - left) * (low - top) < _SMALL * wh[0] * wh[1]:
            grid = np.meshgrid(np.arange(left, right, letters / 3), np.arange(top, low, letters / 3))
            points.append(np.stack(grid, axis=-1).reshape(-1, 2))
    return np.concatenate(points)


def _is_in(box: tuple[float, float, float, float], stroke: Stroke) -> bool:
    """Whether a label's middle lies within the reach of its own stroke, where the thing itself is."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across, down = zip(*stroke.points, strict=True)
    return bool(min(across) < x < max(across) and min(down) < y < max(down))


def _hidden(box: tuple[float, float, float, float], drawn: NDArray[np.float64]) -> int:
    x1, y1, x2, y2 = box
    x, y = drawn[:, 0], drawn[:, 1]
    return int(((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).sum())
