"""What is true of a painted scene: which of the ten elements it has, where they lie, and which a fair judge may name.

Scenes sketch in pixels; `Truth` holds fractions of the image. An element is *true*, *ambiguous* (named or not: neither
is an error) or *absent*.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from benchmarks.scenes.objects import Subject
from benchmarks.scenes.painting import Array, Point, PxBox

Line = tuple[float, float, float, float]
THIRDS, GOLDEN = (1 / 3, 2 / 3), (0.382, 0.618)
ON, OFF = 0.03, 0.1
"""A subject's center nearer to a line than `ON` (share of the side) stands on it, farther than `OFF` it does not;
between them no fair judge would insist. Thirds and golden lines are 0.049 apart, so a subject on one is ambiguous for
the other, except that on a third it is nowhere *on* a golden line, for which `ON_GOLDEN` is stricter."""
ON_GOLDEN = 0.02
MIRRORED = 0.8
"""From this mirror correlation on, a scene that is not built as symmetric is ambiguous: its pixels do mirror."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Geometry of one element in [0,1] of the image; what an element has none of is empty.

    lines: (x1, y1, x2, y2) of horizontal, vertical and diagonal ones; axis: of symmetry, edge to edge; vanishing: where
    the diagonal lines meet; polygon: of a triangle; curve: polyline; point, box: the subject's center and box;
    grid: of a pattern: (x, y) of one motif's center, (dx, dy) to the next motif across, (dx, dy) to the next one down.
    """

    lines: tuple[Line, ...] = ()
    axis: Line | None = None
    vanishing: Point | None = None
    polygon: tuple[Point, ...] = ()
    curve: tuple[Point, ...] = ()
    point: Point | None = None
    box: Line | None = None
    grid: tuple[Point, Point, Point] | None = None


@dataclass(slots=True)
class Sketch:
    """What a style says of its picture, in px: truths, ambiguous elements, boxes that could pass for the subject."""

    truths: dict[str, Truth] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)
    masses: list[PxBox] = field(default_factory=list)
    subject: Subject | None = None


def in_frame(truth: Truth, wh: tuple[int, int]) -> Truth:
    """The same geometry in fractions of a frame `wh`; lines are cut at its edges."""
    width, height = wh

    def point(at: Point) -> Point:
        return (at[0] / width, at[1] / height)

    def line(of: Line) -> Line:
        x1, y1, x2, y2 = cut(of, wh)
        return (x1 / width, y1 / height, x2 / width, y2 / height)

    return replace(
        truth,
        lines=tuple(line(of) for of in truth.lines),
        axis=line(truth.axis) if truth.axis else None,
        vanishing=point(truth.vanishing) if truth.vanishing else None,
        polygon=tuple(point(at) for at in truth.polygon),
        curve=tuple(point((x, y)) for x, y in truth.curve if 0 <= x <= width and 0 <= y <= height),
        grid=(point(truth.grid[0]), point(truth.grid[1]), point(truth.grid[2])) if truth.grid else None,
    )


def cut(line: Line, wh: tuple[int, int]) -> Line:
    """The part of a line that lies in the frame (Liang and Barsky 1984)."""
    x1, y1, x2, y2 = line
    dx, dy = x2 - x1, y2 - y1
    start, end = 0.0, 1.0
    for step, room in ((-dx, x1), (dx, wh[0] - x1), (-dy, y1), (dy, wh[1] - y1)):
        if step < 0:
            start = max(start, room / step)
        elif step > 0:
            end = min(end, room / step)
    return (x1 + start * dx, y1 + start * dy, x1 + end * dx, y1 + end * dy)


def angle_of(line: Sequence[float], wh: tuple[int, int]) -> float:
    """Degrees in [0, 180) of a line in fractions of a frame `wh`; 0 is level, 90 upright, 45 falls to the right.

    >>> angle_of((0, 0, 1, 1), (100, 100))
    45.0
    """
    return math.degrees(math.atan2((line[3] - line[1]) * wh[1], (line[2] - line[0]) * wh[0])) % 180


def placements(center: Point) -> tuple[set[str], set[str]]:
    """The placement elements that are true, and those that are ambiguous, of a subject at `center`, in [0,1]."""
    thirds, golden = (min(abs(share - line) for share in center for line in lines) for lines in (THIRDS, GOLDEN))
    middle = max(abs(share - 0.5) for share in center)
    in_margin = middle > 0.25 + ON  # near an edge one good coordinate convinces nobody, and is no error either
    true, ambiguous = set(), set()
    for name, distance, on in (
        ("rule of thirds", thirds, ON),
        ("golden ratio", golden, ON_GOLDEN),
        ("center", middle, ON),
    ):
        if distance <= on and not in_margin:
            true.add(name)
        elif distance <= OFF:
            ambiguous.add(name)
    return true, ambiguous


def judge(sketch: Sketch, wh: tuple[int, int], pixels: Array) -> tuple[dict[str, Truth], frozenset[str]]:
    """All truths in fractions of the frame, and the ambiguous elements; `pixels` is the finished picture (RGB)."""
    truths = {name: in_frame(truth, wh) for name, truth in sketch.truths.items()}
    ambiguous = set(sketch.ambiguous)
    if sketch.subject:
        box = _shares(sketch.subject.box, wh)
        center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        true, perhaps = placements(center)
        truths |= {name: Truth(point=center, box=box) for name in true}
        ambiguous |= perhaps
    for mass in sketch.masses:
        box = _shares(mass, wh)
        true, perhaps = placements(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        ambiguous |= true | perhaps
    if best_mirror(pixels) >= MIRRORED:
        ambiguous.add("symmetric")
    return truths, frozenset(ambiguous - truths.keys())


def _shares(box: PxBox, wh: tuple[int, int]) -> Line:
    return (box[0] / wh[0], box[1] / wh[1], box[2] / wh[0], box[3] / wh[1])


def best_mirror(pixels: Array) -> float:
    """The best mirror correlation of a picture, reduced to 64 px, about an upright or level axis at 0.42 to 0.58."""
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize((64, 64), Image.Resampling.BOX), np.float32)
    return max(mirror_correlation(turned, at) for turned in (grey, grey.T) for at in range(27, 38))


def mirror_correlation(grey: Array, column: int) -> float:
    """Correlation of the part left of `column` with the mirrored part right of it, as wide as the frame allows."""
    reach = min(column, grey.shape[1] - column)
    left = grey[:, column - reach : column].astype(np.float64)
    right = grey[:, column : column + reach][:, ::-1].astype(np.float64)
    left, right = left - left.mean(), right - right.mean()
    return float((left * right).sum() / (math.sqrt((left**2).sum() * (right**2).sum()) + 1e-9))


def bounds(points: Iterable[Point]) -> PxBox:
    """The smallest box around points."""
    xs, ys = zip(*points, strict=True)
    return (min(xs), min(ys), max(xs), max(ys))
