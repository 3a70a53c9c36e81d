"""Triangles: three straight edges that close, found once per photo among its longest lines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.lines import LEVEL, Line, Stretch
from crop_reasoning.composition.primitives import Frame, Point
from crop_reasoning.geometry import Box

_CANDIDATES = 18
_LEAST_ANGLE = 15.0
_CLEAR = 2.0  # times the noise: grain has some line in any direction
_LEAST_SEEN = 0.7  # of each side
_LIKE = 3.0  # how many times larger one of three like masses may be than another
_MOST_BEYOND = 0.3  # of a side: lines that run on past the corners cross, they do not close


@dataclass(frozen=True, slots=True)
class Triangle:
    """Three corners (px of the working frame), the share of its sides that was seen, and the lines it is made of."""

    corners: tuple[Point, Point, Point]
    seen: float
    lines: tuple[int, int, int]

    @property
    def area(self) -> float:
        (ax, ay), (bx, by), (cx, cy) = self.corners
        return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


def find_triangles(lines: tuple[Line, ...], frame: Frame, noise: float) -> tuple[Triangle, ...]:
    """Closed triangles of at least 2 % of the frame, the largest first; `noise` is the gradient that is everywhere."""
    found = []
    clear = [index for index, line in enumerate(lines) if line.contrast > _CLEAR * noise]
    for chosen in combinations(clear[:_CANDIDATES], 3):
        triangle = _closed([lines[index] for index in chosen], chosen, frame)
        if triangle is not None:
            found.append(triangle)
    return tuple(sorted(found, key=lambda triangle: -triangle.area * triangle.seen))


def strength(triangle: Triangle, frame: Frame) -> float:
    """How much a triangle shapes a frame that holds all of it: by its area and by how much of its sides is seen."""
    margin = 0.03 * frame.diagonal
    for x, y in triangle.corners:
        if not (frame.x1 - margin <= x <= frame.x2 + margin and frame.y1 - margin <= y <= frame.y2 + margin):
            return 0.0
    return ramp(triangle.area / frame.area, 0.02, 0.1) * ramp(triangle.seen, 0.5, 0.9)


def of_masses(boxes: list[Box], wh: tuple[float, float]) -> tuple[float, tuple[Point, ...]]:
    """How clearly three like things, given by their boxes in [0,1] of a frame of `wh` px, stand on the corners of a
    triangle, and those corners in [0,1]. More or fewer than three things of like size are none."""
    boxes = sorted(boxes, key=lambda box: -box.area)
    large = [box for box in boxes if box.area >= boxes[0].area / _LIKE]
    if len(large) != 3 or not 0.004 <= large[0].area <= 0.12:
        return 0.0, ()
    corners = [np.array(box.center) * wh for box in large]
    angles = []
    for index in range(3):
        first, second = corners[index - 1] - corners[index], corners[index - 2] - corners[index]
        cosine = float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9))
        angles.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    (ax, ay), (bx, by), (cx, cy) = (box.center for box in large)
    area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
    return ramp(area, 0.03, 0.11) * ramp(min(angles), 12, 30), tuple(box.center for box in large)


def belongs(stretch: Stretch, triangle: Triangle, frame: Frame) -> bool:
    """Whether a line is a side of a triangle or runs closely beside one: the other edge of a thick stroke."""
    near = 0.05 * frame.diagonal
    for a, b in ((0, 1), (1, 2), (2, 0)):
        (ax, ay), (bx, by) = triangle.corners[a], triangle.corners[b]
        length = float(np.hypot(bx - ax, by - ay))
        dx, dy = (bx - ax) / length, (by - ay) / length
        aside = [abs((x - ax) * -dy + (y - ay) * dx) for x, y in (stretch.start, stretch.end)]
        along = [(x - ax) * dx + (y - ay) * dy for x, y in (stretch.start, stretch.end)]
        if max(aside) < near and min(along) > -near and max(along) < length + near:
            return True
    return False


def carries(stretch: Stretch, triangle: Triangle, frame: Frame) -> bool:
    """Whether an upright ends at or in a triangle: a wall under a gable, a post of a trestle."""
    near = 0.03 * frame.diagonal
    return min(outside(stretch.start, triangle), outside(stretch.end, triangle)) < near


def outside(point: Point, triangle: Triangle) -> float:
    """How far (px) a point lies beyond the sides of a triangle; negative inside."""
    beyond = []
    middle = np.mean(triangle.corners, axis=0)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        (ax, ay), (bx, by) = triangle.corners[a], triangle.corners[b]
        length = float(np.hypot(bx - ax, by - ay))
        nx, ny = (by - ay) / length, (ax - bx) / length
        inward = 1.0 if (middle[0] - ax) * nx + (middle[1] - ay) * ny < 0 else -1.0
        beyond.append(inward * ((point[0] - ax) * nx + (point[1] - ay) * ny))
    return float(max(beyond))


def _closed(lines: list[Line], chosen: tuple[int, ...], frame: Frame) -> Triangle | None:
    corners = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        corner = crossing(lines[a], lines[b], np.sin(np.radians(_LEAST_ANGLE)))
        if corner is None or not (
            -0.05 * frame.width <= corner[0] - frame.x1 <= 1.05 * frame.width
            and -0.05 * frame.height <= corner[1] - frame.y1 <= 1.05 * frame.height
        ):
            return None
        corners.append(corner)
    shares = []
    for line, (first, second) in zip(lines, ((2, 0), (0, 1), (1, 2)), strict=True):
        low, high = sorted(_along(line, corners[which]) for which in (first, second))
        side = high - low
        if side < 0.12 * frame.diagonal:
            return None
        slack = 0.015 * frame.diagonal
        seen = sum(max(0.0, min(b + slack, high) - max(a - slack, low)) for a, b in line.runs)
        near = [run for run in line.runs if run[1] > low and run[0] < high]
        beyond = sum(max(0.0, low - a) + max(0.0, b - high) for a, b in near)
        share = min(1.0, seen / side)
        ground = abs(line.slope) < LEVEL  # a mountain stands on a longer line
        if share < _LEAST_SEEN or (beyond > _MOST_BEYOND * side and not ground):
            return None
        shares.append(share)
    triangle = Triangle((corners[0], corners[1], corners[2]), min(shares), (chosen[0], chosen[1], chosen[2]))
    return triangle if triangle.area >= 0.02 * frame.area else None


def crossing(a: Line, b: Line, least_sine: float) -> Point | None:
    """Where two lines cross; None if the sine of their angle is smaller than `least_sine`."""
    (ax, ay), (bx, by) = a.direction, b.direction
    sine = ax * by - ay * bx
    if abs(sine) < least_sine:
        return None
    px, py = b.point[0] - a.point[0], b.point[1] - a.point[1]
    return a.at((px * by - py * bx) / sine)


def _along(line: Line, point: Point) -> float:
    return (point[0] - line.point[0]) * line.direction[0] + (point[1] - line.point[1]) * line.direction[1]
