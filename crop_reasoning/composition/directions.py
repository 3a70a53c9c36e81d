"""What the lines of a frame say: level, upright, slanted, or converging on a vanishing point."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from crop_reasoning.composition import triangles
from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.lines import LEVEL, SLANTED, UPRIGHT, Stretch
from crop_reasoning.composition.primitives import Frame, Point
from crop_reasoning.composition.triangles import Triangle, crossing

_NEAR = 0.03  # of the diagonal: ends that join
_BROAD = 0.4  # a box whose width is this share of its height, or more, is no pole
_ALIKE = 0.7  # of the longer one's length: uprights of one size
_PARTNER = 0.4  # of an upright's length: as much of its mirror image is seen at least
_APART = 0.04  # of the diagonal: nearer uprights are two edges of one stroke
_CARRYING = 0.9  # of the height: mirrored uprights that are longer carry the picture ...
_ROW, _TALL = 5, 0.7  # ... and so do rows of at least so many, at least so tall (of the height)
_LEVEL, _TILTED_SEA, _ACROSS = (7.0, 4.0), (10.0, 5.0), 0.8  # degrees, twice; of the width
_PLUMB = (7.0, 3.0)  # degrees
_BRIDGED = 0.5  # of what stands in front of a line counts against it
_MARGIN = (0.1, 0.07)  # of the width, of the height
_HELPS, _SEVERAL = 0.3, 3  # of the side: a line that counts beside others; so many at different places
_OF_THE_WIDTH, _OF_THE_HEIGHT, _ALONE = (0.35, 0.85), (0.35, 0.85), (0.5, 1.0)
_TO_A_HORIZON, _FROM_BOTH_SIDES, _FROM_ONE_SIDE = (0.55, 1.25), (0.8, 1.5), (1.4, 2.1)  # diagonals of lines that meet
_SAME_WAY = 6.5  # degrees: lines that meet so nearly in one direction are one
_LEAST_FAN = 28.0  # degrees between the outermost of lines that meet: nearly parallel ones meet anywhere


@dataclass(frozen=True, slots=True)
class Converging:
    """Lines that meet: where (px), which (one of each direction), and how much of them the frame shows; `indices` are
    those of all lines through the point, the other edges of the same strokes among them. Two slanted lines are enough
    where they meet on a `horizon`."""

    point: Point
    members: tuple[Stretch, ...]
    indices: frozenset[int]
    horizon: bool
    strength: float


def level_strength(stretches: list[Stretch], frame: Frame) -> tuple[float, Stretch | None]:
    """How much level lines carry a frame, and the one that carries most. Only one that reaches nearly all across may be
    as far from level as a tilted sea: edges that run into the distance are."""

    def measured(s: Stretch) -> float:
        steep = _TILTED_SEA if s.seen > _ACROSS * frame.width else _LEVEL
        return _reach(s) / frame.width * ramp(s.tilt, *steep)

    level = [s for s in stretches if s.tilt <= LEVEL + 4 and _off_margin(s, 1, frame)]
    reach, best = _carried(level, measured)
    return ramp(reach, *_OF_THE_WIDTH), best


def upright_strength(stretches: list[Stretch], frame: Frame) -> tuple[float, Stretch | None]:
    """How much upright lines carry a frame, and the one that carries most: a lonely one must be longer than one of
    several that stand apart."""

    def measured(s: Stretch) -> float:
        return _reach(s) / frame.height * ramp(90 - s.tilt, *_PLUMB)

    upright = [s for s in stretches if s.tilt >= UPRIGHT - 4 and _off_margin(s, 0, frame)]
    reach, best = _carried(upright, measured)
    several = len(_positions([s for s in upright if measured(s) > _HELPS], frame)) >= _SEVERAL
    return ramp(reach, *(_OF_THE_HEIGHT if several else _ALONE)), best


def _reach(s: Stretch) -> float:
    """The px seen, less where the line is faint or stands behind things."""
    return s.weight - _BRIDGED * (math.dist(s.start, s.end) - s.seen)


def _off_margin(s: Stretch, axis: int, frame: Frame) -> bool:
    """Whether a stretch keeps clear of the borders on an axis (0: left and right): what runs beside one frames it."""
    low, size = ((frame.x1, frame.width), (frame.y1, frame.height))[axis]
    place = ((s.start[axis] + s.end[axis]) / 2 - low) / size
    return _MARGIN[axis] < place < 1 - _MARGIN[axis]


def walls(stretches: list[Stretch], frame: Frame, axis: float | None) -> frozenset[int]:
    """Indices of the uprights that only bound something: the side walls of a broad box, and, given an upright mirror
    `axis` (px), those that have their mirror image. Rows of tall like uprights do not, nor mirrored very long ones."""
    uprights = [s for s in stretches if s.tilt >= UPRIGHT - 4]
    level = [s for s in stretches if s.tilt <= LEVEL + 4]
    found = set()
    for a in uprights:
        row = _positions([s for s in uprights if s.seen >= _ALIKE * a.seen], frame)
        if len(row) >= _ROW and a.seen > _TALL * frame.height:
            continue
        bound = axis if a.seen < _CARRYING * frame.height else None
        for b in uprights:
            if (bound is not None and _mirrored(a, b, bound, frame)) or _boxed(a, b, uprights, level, frame):
                found.add(a.index)
    return frozenset(found)


def _positions(uprights: list[Stretch], frame: Frame) -> list[float]:
    """The places across of uprights, those of one stroke taken together."""
    kept: list[float] = []
    for x in sorted((s.start[0] + s.end[0]) / 2 for s in uprights):
        if not kept or x - kept[-1] > _APART * frame.diagonal:
            kept.append(x)
    return kept


def _mirrored(a: Stretch, b: Stretch, axis: float, frame: Frame) -> bool:
    near = 1.5 * _NEAR * frame.diagonal
    (ax, top), (bx, other) = _top(a), _top(b)
    level = abs(top - other) < near or abs(_foot(a)[1] - _foot(b)[1]) < near
    return a is not b and abs(ax + bx - 2 * axis) < near and level and b.seen >= _PARTNER * a.seen


def _boxed(a: Stretch, b: Stretch, uprights: list[Stretch], level: list[Stretch], frame: Frame) -> bool:
    """Whether two uprights are the side walls of a broad box: level lines join their tops and their feet, or one of
    these is the frame's border, and no other upright of their size stands between them."""
    near = _NEAR * frame.diagonal
    (ax, top), (bx, other_top) = _top(a), _top(b)
    (_, foot), (_, other_foot) = _foot(a), _foot(b)
    wide = abs(ax - bx)
    if a is b or not _alike(a, b) or wide < _BROAD * a.seen or abs(top - other_top) > near:
        return False
    between = [s for s in uprights if _alike(s, a) and min(ax, bx) + near < _top(s)[0] < max(ax, bx) - near]
    if between or abs(foot - other_foot) > near:
        return False
    low, high = min(ax, bx), max(ax, bx)

    def joined(y: float, border: float) -> bool:
        if abs(y - border) < near:
            return True
        beside = [s for s in level if abs((s.start[1] + s.end[1]) / 2 - y) < near]
        return any(min(s.end[0], high) - max(s.start[0], low) > 0.6 * wide for s in beside)

    return joined(top, frame.y1) and joined(foot, frame.y2)


def _alike(a: Stretch, b: Stretch) -> bool:
    return min(a.seen, b.seen) >= _ALIKE * max(a.seen, b.seen)


def _top(s: Stretch) -> Point:
    return min(s.start, s.end, key=lambda point: point[1])


def _foot(s: Stretch) -> Point:
    return max(s.start, s.end, key=lambda point: point[1])


def _carried(stretches: list[Stretch], measured: Callable[[Stretch], float]) -> tuple[float, Stretch | None]:
    """What the longest of stretches measures, with some help from the next two, and which it is."""
    if not stretches:
        return 0.0, None
    reaches = sorted(((measured(s), s) for s in stretches), key=lambda pair: -pair[0])
    return reaches[0][0] + 0.2 * sum(reach for reach, _ in reaches[1:3] if reach > _HELPS), reaches[0][1]


def slanted_strength(stretches: list[Stretch], frame: Frame) -> tuple[float, Stretch | None]:
    """How much single slanted lines draw through a frame, and the longest."""
    slanted = [s for s in stretches if SLANTED[0] <= s.tilt <= SLANTED[1]]
    if not slanted:
        return 0.0, None
    longest = max(slanted, key=lambda s: s.weight)
    reach = longest.weight / frame.diagonal
    return ramp(reach, 0.2, 0.55), longest


def converging(stretches: list[Stretch], frame: Frame) -> Converging | None:
    """The point on which at least three lines of different directions converge, by votes weighted with length; a
    horizon through it is one of them."""
    lines = [s for s in stretches if s.tilt > 3][:20]
    best: tuple[float, Point] = (0.0, (0.0, 0.0))
    for a, b in combinations(lines, 2):
        point = crossing(a.line, b.line, math.sin(math.radians(8)))
        if point is None or not _reasonable(point, frame):
            continue
        votes = sum(s.seen for s in _distinct(_through(lines, point, frame, 0.018), point))
        if votes > best[0]:
            best = (votes, point)
    if not best[0]:
        return None
    members = _through(lines, best[1], frame, 0.018)
    point = _nearest_point(members)
    members = _distinct(_through(lines, point, frame, 0.018), point)
    slanted = [s for s in members if SLANTED[0] - 5 <= s.tilt <= SLANTED[1] + 5]
    horizon = _on_horizon(stretches, point, frame)
    if len(members) + horizon < 3 or len(slanted) < 2:
        return None
    headings = sorted(_heading(s, point) for s in members)
    spread = max(b - a for a, b in zip(headings, [*headings[1:], headings[0] + 360], strict=True))
    slopes = sorted(s.line.slope for s in members)
    between = max(b - a for a, b in zip(slopes, [*slopes[1:], slopes[0] + 180], strict=True))
    if 180 - between < _LEAST_FAN:
        return None
    reach = sum(s.weight for s in members) / frame.diagonal
    sides = {(s.start[0] + s.end[0]) / 2 > point[0] for s in members}
    enough = _TO_A_HORIZON if horizon else _FROM_BOTH_SIDES if len(sides) == 2 else _FROM_ONE_SIDE
    everything = frozenset(s.index for s in _through(stretches, point, frame, 0.04) if s.tilt > 3)
    strength = ramp(reach, *enough) * (1.0 if spread < 335 else 0.5)
    return Converging(point, tuple(members), everything, horizon, strength)


def in_perspective(meeting: Converging, triangle: Triangle, frame: Frame) -> bool:
    """Whether lines that meet, two of them the sides of a triangle, run away into the distance rather than close it:
    they meet on the horizon, or go on past the third side."""
    if meeting.horizon:
        return True
    near = 0.015 * frame.diagonal
    ends = [max(s.start, s.end, key=lambda end: math.dist(end, meeting.point)) for s in meeting.members]
    return sum(triangles.outside(end, triangle) > near for end in ends) >= 2


def _on_horizon(stretches: list[Stretch], point: Point, frame: Frame) -> bool:
    """Whether a long level line passes a point."""
    for s in stretches:
        (dx, dy), (x, y) = s.line.direction, s.line.point
        across = abs((point[0] - x) * -dy + (point[1] - y) * dx)
        if s.tilt <= LEVEL / 2 and across < 0.018 * frame.diagonal and s.seen > 0.4 * frame.width:
            return True
    return False


def _reasonable(point: Point, frame: Frame) -> bool:
    return (
        frame.x1 - 0.3 * frame.width <= point[0] <= frame.x2 + 0.3 * frame.width
        and frame.y1 - 0.3 * frame.height <= point[1] <= frame.y2 + 0.3 * frame.height
    )


def _through(stretches: list[Stretch], point: Point, frame: Frame, tolerance: float) -> list[Stretch]:
    """Stretches whose line passes a point that is at, or beyond, one of their ends."""
    kept = []
    for s in stretches:
        dx, dy = s.line.direction
        across = abs((point[0] - s.line.point[0]) * -dy + (point[1] - s.line.point[1]) * dx)
        first = (point[0] - s.start[0]) * dx + (point[1] - s.start[1]) * dy
        last = (s.end[0] - point[0]) * dx + (s.end[1] - point[1]) * dy
        if across <= tolerance * frame.diagonal and min(first, last) <= 0.1 * (first + last):
            kept.append(s)
    return kept


def _heading(s: Stretch, point: Point) -> float:
    """Degrees in which a stretch lies, seen from a point."""
    x, y = (s.start[0] + s.end[0]) / 2 - point[0], (s.start[1] + s.end[1]) / 2 - point[1]
    return math.degrees(math.atan2(y, x))


def _distinct(stretches: list[Stretch], point: Point) -> list[Stretch]:
    """Of stretches in nearly the same direction (the two edges of one stroke), the longest."""
    kept: list[tuple[Stretch, float]] = []
    for s in stretches:
        heading = _heading(s, point)
        if all(abs((heading - other + 180) % 360 - 180) > _SAME_WAY for _, other in kept):
            kept.append((s, heading))
    return [s for s, _ in kept]


def _nearest_point(stretches: list[Stretch]) -> Point:
    """The point of least squared distance to all lines, each weighted by its length."""
    matrix, vector = np.zeros((2, 2)), np.zeros(2)
    for s in stretches:
        normal = np.array([-s.line.direction[1], s.line.direction[0]])
        outer = s.seen * np.outer(normal, normal)
        matrix += outer
        vector += outer @ np.array(s.line.point)
    x, y = np.linalg.solve(matrix + 1e-9 * np.eye(2), vector)
    return (float(x), float(y))
