"""Curves: chains of short segments that turn smoothly, found once per photo, judged in every crop.

A curve leads *through* a frame: it is long, bends clearly, has no corner, and does not close (the outline of a disc
is a shape, not a curve).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame, Point, Primitives

_MOST_SEGMENTS = 500
_TURN = math.radians(50)
_CORNER = 66.0  # degrees within `_WINDOW` of the diagonal: the chain is cut there
_WINDOW = 0.04
_BESIDE = 0.05  # of the diagonal: the width of a stroke whose edges are the curve
_STEP = 0.01  # of the diagonal, between the points of a resampled chain


@dataclass(frozen=True, slots=True)
class Curve:
    """An open polyline (n, 2), px of the working frame, at equal steps of `step` px."""

    points: Floats
    step: float


def find_curves(segments: Floats, primitives: Primitives) -> tuple[Curve, ...]:
    """Smooth chains of at least 15 % of the diagonal, longest first."""
    diagonal = primitives.diagonal
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    order = np.argsort(-lengths)[:_MOST_SEGMENTS]
    order = order[lengths[order] > 0.008 * diagonal]
    segments = segments[order]
    if not len(segments):
        return ()
    curves = []
    for chain in _chains(segments, diagonal):
        points = _resampled(segments[chain].reshape(-1, 2), _STEP * diagonal)
        for piece in _cut_at_corners(points):
            if len(piece) * _STEP >= 0.15 and _visible(piece, primitives):
                curves.append(Curve(piece, _STEP * diagonal))
    return tuple(sorted(curves, key=lambda curve: -len(curve.points))[:24])


def curve_strength(curve: Curve, frame: Frame) -> tuple[float, Floats]:
    """How much of a frame a curve leads through and how clearly it bends; its points inside, (n, 2) px."""
    x, y = curve.points[:, 0], curve.points[:, 1]
    within = (x >= frame.x1) & (x <= frame.x2) & (y >= frame.y1) & (y <= frame.y2)
    points = curve.points[_longest_run(within)]
    if len(points) < 8:
        return 0.0, points
    apart = points[:, None] - points[None]
    extent = float(np.sqrt((apart**2).sum(axis=2).max()))
    centered = points - points.mean(axis=0)
    normal = np.linalg.eigh(centered.T @ centered)[1][:, 0]
    offset = centered @ normal
    bend = float(offset.max() - offset.min()) / max(extent, 1e-6)
    headings = np.unwrap(np.arctan2(*np.diff(points[::2], axis=0).T[::-1]))
    turned = abs(math.degrees(float(headings[-1] - headings[0]))) if len(headings) > 1 else 0.0
    closing = ramp(turned, 260, 200)  # an outline that comes back to where it began
    bent = ramp(_from_two_lines(points) / max(extent, 1e-6), 0.002, 0.005)
    smooth = ramp(_roughness(points) / max(extent, 1e-6), 0.016, 0.008)
    return ramp(extent / frame.diagonal, 0.18, 0.44) * ramp(bend, 0.05, 0.1) * closing * bent * smooth, points


def _from_two_lines(points: Floats) -> float:
    """Root mean square distance (px) of points (n, 2) from the best two straight lines, one after the other."""
    x, y = (points - points.mean(axis=0)).astype(np.float64).T
    sums = np.cumsum(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y]), axis=1)
    cuts = np.unique(np.linspace(0.12, 0.88, 20) * len(x)).astype(int)
    first = sums[:, np.maximum(cuts, 1) - 1]
    rest = sums[:, -1:] - first
    return math.sqrt(max(0.0, float((_off_line(first) + _off_line(rest)).min())) / len(x))


def _off_line(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Summed squared distance from the best line, of sums (n, x, y, xx, yy, xy) over points."""
    count, x, y, xx, yy, xy = sums
    a, b, c = xx - x * x / count, yy - y * y / count, xy - x * y / count
    return np.asarray((a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c * c))


def _roughness(points: Floats) -> float:
    """Root mean square distance (px) of points (n, 2) from the smooth curve of fifth degree through them."""
    along = np.linspace(-1, 1, len(points))
    basis = np.polynomial.legendre.legvander(along, 5)
    fitted = basis @ np.linalg.lstsq(basis, points, rcond=None)[0]
    return float(np.sqrt(((points - fitted) ** 2).sum(axis=1).mean()))


def along(start: Point, end: Point, path: Floats, frame: Frame) -> bool:
    """Whether a straight line from `start` to `end` (px) runs along a curve's points (n, 2), as a piece of it."""
    steps = np.linspace(0, 1, 7)[:, None]
    points = np.array(start) * (1 - steps) + np.array(end) * steps
    distance = np.sqrt(((points[:, None] - path[None]) ** 2).sum(axis=2)).min(axis=1)
    return bool((distance < _BESIDE * frame.diagonal).mean() > 0.8)


def _chains(segments: Floats, diagonal: float) -> list[list[int]]:
    """Segments whose end is the other's beginning, each the other's best continuation.

    The detector orders every segment so that its darker side lies on the same hand, so directions agree along an edge.
    """
    first, last = segments[:, :2], segments[:, 2:]
    heading = np.arctan2(last[:, 1] - first[:, 1], last[:, 0] - first[:, 0])
    gap = first[None] - last[:, None]  # [i, j]: from the end of i to the beginning of j
    distance = np.hypot(gap[..., 0], gap[..., 1])
    turn = abs((heading[None] - heading[:, None] + math.pi) % (2 * math.pi) - math.pi)
    ahead = gap[..., 0] * np.cos(heading)[:, None] + gap[..., 1] * np.sin(heading)[:, None]
    aside = abs(gap[..., 1] * np.cos(heading)[:, None] - gap[..., 0] * np.sin(heading)[:, None])
    near = (distance < 0.02 * diagonal) | ((distance < 0.06 * diagonal) & (aside < 0.35 * distance))
    cost = distance / diagonal + 0.04 * turn
    cost[~(near & (turn < _TURN) & (ahead > -0.012 * diagonal))] = np.inf
    np.fill_diagonal(cost, np.inf)
    following, preceding = cost.argmin(axis=1), cost.argmin(axis=0)
    indices = np.arange(len(segments))
    linked = np.isfinite(cost[indices, following]) & (preceding[following] == indices)
    begins = np.ones(len(segments), bool)
    begins[following[linked]] = False
    seen: set[int] = set()
    chains = []
    for start in (*np.flatnonzero(begins), *indices):  # rings have no beginning: any of theirs will do
        chain: list[int] = []
        current = int(start)
        while current not in seen:
            seen.add(current)
            chain.append(current)
            if not linked[current]:
                break
            current = int(following[current])
        if len(chain) > 2:
            chains.append(chain)
    return chains


def _resampled(points: Floats, step: float) -> Floats:
    """A polyline at equal steps, slightly smoothed."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, lengths[-1], step)
    even = np.stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)], axis=1)
    if len(even) > 4:
        even[1:-1] = (even[:-2] + even[1:-1] + even[2:]) / 3
    return even.astype(np.float32)


def _cut_at_corners(points: Floats) -> list[Floats]:
    reach = max(2, round(_WINDOW / _STEP / 2))
    if len(points) < 2 * reach + 2:
        return [points]
    before = points[reach:-reach] - points[: -2 * reach]
    after = points[2 * reach :] - points[reach:-reach]
    turn = np.arctan2(*after.T[::-1]) - np.arctan2(*before.T[::-1])
    sharp = abs(np.degrees((turn + math.pi) % (2 * math.pi) - math.pi)) > _CORNER
    pieces, start = [], 0
    for index in np.flatnonzero(sharp) + reach:
        pieces.append(points[start : int(index) - 1])
        start = int(index) + 1
    pieces.append(points[start:])
    return [piece for piece in pieces if len(piece) > 2]


def _visible(points: Floats, primitives: Primitives) -> bool:
    """Whether the gradient nearly all along a curve stands out from what is everywhere."""
    width, height = primitives.wh
    x = np.clip(points[:, 0], 0, width - 1).astype(int)
    y = np.clip(points[:, 1], 0, height - 1).astype(int)
    return float((primitives.energy[y, x] > max(1.2, 1.5 * primitives.noise)).mean()) > 0.85


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return slice(0, 0)
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))
