"""Straight lines: found once per photo, judged as level, upright or slanted in the photo and in every crop of it.

OpenCV's segment detector (LSD) runs on the lightness at full and on all Lab channels at half scale; its fragments are
joined into lines that remember which stretches of them were seen. A line of many short stretches (the edges of a row
of tiles) counts with its longest few, so that a pattern is not taken for a line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame, Point, Primitives

_MOST_LINES = 48
_STRAY = 0.006  # of the diagonal: how far a fragment may lie beside the line it belongs to
_TURN = math.radians(4)
_SMALL_GAP = 0.02  # of the diagonal: closed without asking
_LARGE_GAP = 0.16  # of the diagonal: what may stand in front of a line; at most two of these
_BORDER = 0.025  # of the diagonal: what runs so near along the frame is its edge
_LEAST = 0.045  # of the diagonal: shorter lines are texture
LEVEL, UPRIGHT = 8.0, 82.0
"""Degrees: lines below `LEVEL` are level, lines above `UPRIGHT` are upright."""
SLANTED = (15.0, 75.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line: a point on it, its unit direction (dx >= 0) and the stretches seen, in px along the direction
    from that point; `contrast` is the mean gradient across it, in levels per px."""

    point: Point
    direction: Point
    runs: tuple[tuple[float, float], ...]
    contrast: float

    @property
    def slope(self) -> float:
        """Degrees in (-90, 90]; positive falls to the right, as y points down."""
        return math.degrees(math.atan2(self.direction[1], self.direction[0]))

    def at(self, along: float) -> Point:
        return (self.point[0] + along * self.direction[0], self.point[1] + along * self.direction[1])


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a frame shows of a line: its outer ends (px) and how many px of it were seen."""

    line: Line
    index: int
    start: Point
    end: Point
    seen: float

    @property
    def tilt(self) -> float:
        """Degrees from level, in [0, 90]."""
        return abs(self.line.slope)

    @property
    def weight(self) -> float:
        """The px seen, less where the line is faint."""
        return self.seen * ramp(self.line.contrast, 0.5, 4.0)


def find_segments(primitives: Primitives) -> tuple[Floats, Floats]:
    """Segments (n, 4) of the working frame, x1 y1 x2 y2: of both scales together, and of the coarse lightness alone."""
    import cv2

    detector = cv2.createLineSegmentDetector()
    coarse = [_detect(detector, cv2.pyrDown(channel), 2.0) for channel in primitives.channels]
    fine = _detect(detector, primitives.channels[0], 1.0)
    return np.concatenate([fine, *coarse]), np.concatenate(coarse)


def _detect(detector: object, channel: Floats, scale: float) -> Floats:
    found = detector.detect(np.clip(channel, 0, 255).astype(np.uint8))[0]  # type: ignore[attr-defined]
    if found is None:
        return np.zeros((0, 4), np.float32)
    return (found.reshape(-1, 4) + 0.5).astype(np.float32) * scale


def find_lines(segments: Floats, primitives: Primitives) -> tuple[Line, ...]:
    """The longest lines that segments (n, 4) lie on, longest first; each segment serves one line."""
    diagonal = primitives.diagonal
    spans = segments[:, 2:] - segments[:, :2]
    lengths = np.hypot(spans[:, 0], spans[:, 1])
    keep = lengths > 0.008 * diagonal
    segments, spans, lengths = segments[keep], spans[keep], lengths[keep]
    free = np.ones(len(lengths), bool)
    lines: list[Line] = []
    for seed in np.argsort(-lengths):
        if lengths[seed] < 0.02 * diagonal or len(lines) >= 2 * _MOST_LINES:
            break
        if not free[seed]:
            continue
        members = np.array([seed])
        for stray in (1.0, 1.6, 1.6):
            point, direction = _fit(segments[members], lengths[members])
            members = np.flatnonzero(
                _beside(segments, spans, lengths, point, direction, stray * _STRAY * diagonal) & free
            )
            if not len(members):
                break
        free[seed] = False
        if not len(members):
            continue
        free[members] = False
        runs = _runs(segments[members], point, direction, _SMALL_GAP * diagonal)
        if _seen(runs, diagonal)[0] >= _LEAST * diagonal:
            line = Line(point, direction, runs, _contrast(primitives, point, direction, runs))
            if line.contrast > max(1.2, 1.2 * primitives.noise):
                lines.append(line)
    lines.sort(key=lambda line: -_seen(line.runs, diagonal)[0])
    return tuple(lines[:_MOST_LINES])


def _fit(segments: Floats, weights: Floats) -> tuple[Point, Point]:
    """The line of least squared distance to the ends of segments, each weighted by its length."""
    ends = segments.reshape(-1, 2).astype(np.float64)
    weight = np.repeat(weights, 2).astype(np.float64)
    middle = (ends * weight[:, None]).sum(axis=0) / weight.sum()
    centered = ends - middle
    _, vectors = np.linalg.eigh((centered * weight[:, None]).T @ centered)
    dx, dy = (float(value) for value in vectors[:, 1])
    if dx < 0 or (dx == 0 and dy < 0):
        dx, dy = -dx, -dy
    return (float(middle[0]), float(middle[1])), (dx, dy)


def _beside(
    segments: Floats, spans: Floats, lengths: Floats, point: Point, direction: Point, stray: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which segments run along a line; short ones may turn more, as their angle is worth less."""
    nx, ny = -direction[1], direction[0]
    first = abs((segments[:, 0] - point[0]) * nx + (segments[:, 1] - point[1]) * ny)
    second = abs((segments[:, 2] - point[0]) * nx + (segments[:, 3] - point[1]) * ny)
    across = abs(spans[:, 0] * nx + spans[:, 1] * ny) / np.maximum(lengths, 1e-6)
    turn = np.maximum(math.sin(_TURN), np.minimum(1.0 / np.maximum(lengths, 1.0), 0.2))
    return (first < stray) & (second < stray) & (across < turn)


def _runs(segments: Floats, point: Point, direction: Point, gap: float) -> tuple[tuple[float, float], ...]:
    dx, dy = direction
    ends = (segments.reshape(-1, 2, 2) - np.array(point)) @ np.array([dx, dy])
    runs: list[tuple[float, float]] = []
    for low, high in sorted((float(min(pair)), float(max(pair))) for pair in ends):
        if runs and low - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], max(runs[-1][1], high))
        else:
            runs.append((low, high))
    return tuple(runs)


def _seen(runs: tuple[tuple[float, float], ...], diagonal: float) -> tuple[float, float, float]:
    """The most px seen in at most three neighboring runs with no gap above `_LARGE_GAP`, and where those begin, end."""
    best = (0.0, 0.0, 0.0)
    for first in range(len(runs)):
        seen = 0.0
        for last in range(first, min(first + 3, len(runs))):
            if last > first and runs[last][0] - runs[last - 1][1] > _LARGE_GAP * diagonal:
                break
            seen += runs[last][1] - runs[last][0]
            if seen > best[0]:
                best = (seen, runs[first][0], runs[last][1])
    return best


def _contrast(primitives: Primitives, point: Point, direction: Point, runs: tuple[tuple[float, float], ...]) -> float:
    """Mean over the runs of the largest gradient across the line, in any channel, within 2 px beside it."""
    along = np.concatenate([np.linspace(low, high, max(2, int((high - low) / 3))) for low, high in runs])
    nx, ny = -direction[1], direction[0]
    width, height = primitives.wh
    best = np.zeros(len(along))
    for beside in (-2.0, -1.0, 0.0, 1.0, 2.0):
        x = np.clip(point[0] + along * direction[0] + beside * nx, 0, width - 1).astype(int)
        y = np.clip(point[1] + along * direction[1] + beside * ny, 0, height - 1).astype(int)
        across = abs(primitives.dx[:, y, x] * nx + primitives.dy[:, y, x] * ny).max(axis=0)
        best = np.maximum(best, across)
    return float(best.mean())


def stretches(lines: tuple[Line, ...], frame: Frame) -> list[Stretch]:
    """What a frame shows of each line, those of at least 8 % of its diagonal, longest first."""
    found = []
    for index, line in enumerate(lines):
        low, high = _inside(line, frame)
        runs = tuple((max(a, low), min(b, high)) for a, b in line.runs if b > low and a < high)
        seen, start, end = _seen(runs, frame.diagonal)
        if seen >= 0.08 * frame.diagonal and not _on_border(line.at(start), line.at(end), frame):
            found.append(Stretch(line, index, line.at(start), line.at(end), seen))
    return sorted(found, key=lambda stretch: -stretch.seen)


def _on_border(start: Point, end: Point, frame: Frame) -> bool:
    """Whether both ends lie on the same border of a frame: a white edge or a crop's own, not the picture's."""
    margin = _BORDER * frame.diagonal
    return any(
        all(abs(end_point[axis] - border) < margin for end_point in (start, end))
        for axis, border in ((0, frame.x1), (0, frame.x2), (1, frame.y1), (1, frame.y2))
    )


def _inside(line: Line, frame: Frame) -> tuple[float, float]:
    """The range along a line that lies in a frame; empty (low > high) where it misses the frame."""
    low, high = -math.inf, math.inf
    for place, step, first, last in (
        (line.point[0], line.direction[0], frame.x1, frame.x2),
        (line.point[1], line.direction[1], frame.y1, frame.y2),
    ):
        if abs(step) < 1e-9:
            if not first <= place <= last:
                return (1.0, 0.0)
            continue
        a, b = sorted(((first - place) / step, (last - place) / step))
        low, high = max(low, a), min(high, b)
    return (low, high)
