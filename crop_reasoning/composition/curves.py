"""Curves: chains of short segments that turn smoothly, found once per photo, judged in every crop.

A curve leads *through* a frame: it is long, bends clearly, has no corner, and does not close. What bounds a thing is
the thing's outline, not a curve, even where only a part of it was followed: `Curve.encloses` tells them apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame, Point, Primitives
from crop_reasoning.composition.symmetry import Mirror

_MOST_SEGMENTS = 500
_TURN = math.radians(50)
_CORNER = 66.0  # degrees within `_WINDOW` of the diagonal: the chain is cut there
_WINDOW = 0.04
_SPAN = 0.06  # of a curve: over so much of it its heading is taken
_SWINGS = (3.4, 2.4)  # all turns by their range: 1 for an arc, 2 for an S; a figure's outline sways to and fro
_ONE_EDGE = 0.45
_BESIDE = 0.05  # of the diagonal: the width of a stroke whose edges are the curve
_RAYS = 48
_ENCLOSES = (0.9, 0.65)
_STEP = 0.01  # of the diagonal, between the points of a resampled chain


@dataclass(frozen=True, slots=True)
class Curve:
    """An open polyline (n, 2), px of the working frame, at equal steps of `step` px; `encloses` is the share, in [0,1],
    of the directions on its hollow side in which the thing it bounds ends, too."""

    points: Floats
    step: float
    encloses: float


def find_curves(segments: Floats, primitives: Primitives) -> tuple[Curve, ...]:
    """Smooth chains of at least 15 % of the diagonal, longest first."""
    diagonal = primitives.diagonal
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    order = np.argsort(-lengths)[:_MOST_SEGMENTS]
    order = order[lengths[order] > 0.008 * diagonal]
    segments = _without_doubles(segments[order], diagonal)
    if not len(segments):
        return ()
    curves = []
    for chain in _chains(segments, diagonal):
        points = _on_the_edge(_resampled(segments[chain].reshape(-1, 2), _STEP * diagonal), primitives)
        for piece in _cut_at_corners(points):
            if len(piece) * _STEP >= 0.15 and _visible(piece, primitives):
                curves.append(Curve(piece, _STEP * diagonal, _enclosing(piece, primitives)))
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
    headings = _headings(points, max(2, round(_SPAN * len(points))))
    turned = abs(math.degrees(float(headings[-1] - headings[0])))
    swings = float(abs(np.diff(headings)).sum()) / max(float(np.ptp(headings)), 1e-6)
    graceful = ramp(swings, *_SWINGS)
    closing = ramp(turned, 260, 200) * ramp(curve.encloses, *_ENCLOSES)  # an outline comes back to where it began
    off = _from_straight(points) / max(extent, 1e-6)
    bent = max(ramp(off, 0.0015, 0.0035), ramp(off / max(bend, 1e-6), 0.015, 0.03))
    smooth = ramp(_roughness(points) / (len(points) * curve.step), 0.016, 0.008)
    return ramp(extent / frame.diagonal, 0.18, 0.44) * ramp(bend, 0.04, 0.085) * closing * bent * smooth * graceful, points


def _from_straight(points: Floats) -> float:
    """Root mean square distance (px) of points (n, 2) from the best three straight lines, one after the other."""
    x, y = (points - points.mean(axis=0)).astype(np.float64).T
    sums = np.cumsum(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y]), axis=1)
    sums = np.concatenate([np.zeros((6, 1)), sums], axis=1)
    cuts = np.unique((np.linspace(0, 1, 25) * len(x)).round().astype(int))
    first, second = np.triu_indices(len(cuts), 1)
    parts = _off_line(sums[:, cuts[second]] - sums[:, cuts[first]])  # of the points between any two cuts
    off = np.zeros((len(cuts), len(cuts)))
    off[first, second] = parts
    two = (off[0][:, None] + off).min(axis=0)  # up to each cut, in two lines
    return math.sqrt(max(0.0, float((two + off[:, -1]).min())) / len(x))


def _off_line(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Summed squared distance from the best line, of sums (n, x, y, xx, yy, xy) over points."""
    count, x, y, xx, yy, xy = sums
    count = np.maximum(count, 1)
    a, b, c = xx - x * x / count, yy - y * y / count, xy - x * y / count
    return np.asarray((a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c * c))


def _roughness(points: Floats) -> float:
    """Root mean square distance (px) of points (n, 2) from the smooth curve of fifth degree through them."""
    along = np.linspace(-1, 1, len(points))
    basis = np.polynomial.legendre.legvander(along, 5)
    fitted = basis @ np.linalg.lstsq(basis, points, rcond=None)[0]
    return float(np.sqrt(((points - fitted) ** 2).sum(axis=1).mean()))


def _headings(points: Floats, reach: int) -> Floats:
    """Headings (radians, unwrapped) of a polyline (n, 2), each taken over `reach` of its points."""
    steps = points[reach:] - points[:-reach]
    return np.asarray(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])), np.float32)


def _enclosing(points: Floats, primitives: Primitives) -> float:
    """Of the directions from the middle of what a curve (n, 2) bends around that do not meet it, the share in which an
    edge of the same kind is met inside the picture: as strong, and either with the same change of color or at the end
    of the same color. A curve that bends both ways bounds nothing."""
    turns = np.diff(_headings(points, 2))
    if abs(turns.sum()) < 0.7 * abs(turns).sum():
        return 0.0
    middle = _middle(points)
    rays = points - middle
    outward = rays / np.maximum(np.hypot(*rays.T)[:, None], 1e-6)
    change = _change(points, outward, primitives)
    color = _colors(points - 3 * outward, primitives)
    contrast = float(np.linalg.norm(change.mean(axis=0)))
    angles = np.linspace(-math.pi, math.pi, _RAYS, endpoint=False)
    own = np.arctan2(rays[:, 1], rays[:, 0])
    apart = abs((angles[:, None] - own[None] + math.pi) % (2 * math.pi) - math.pi).min(axis=1)
    free = angles[apart > 2 * math.pi / _RAYS]
    if len(free) < _RAYS / 8:
        return 1.0
    reach = np.arange(4, primitives.diagonal, 1.5, dtype=np.float32)
    towards = np.stack([np.cos(free), np.sin(free)], axis=1)[:, None]
    along = (middle + reach[None, :, None] * towards).astype(np.float32)
    heading = np.broadcast_to(towards, along.shape)
    found = _change(along, heading, primitives)
    strong = np.linalg.norm(found, axis=-1)
    alike = found @ change.mean(axis=0) > 0.6 * contrast * strong
    ending = np.linalg.norm(_colors(along - 3 * heading, primitives) - np.median(color, axis=0), axis=-1) < 3 * contrast
    width, height = primitives.wh
    inside = ((along > 2) & (along < np.array([width - 3, height - 3]))).all(axis=-1)
    met = (inside & (strong > 0.5 * contrast) & (alike | ending)).any(axis=1)
    return float(met.mean())


def _middle(points: Floats) -> Floats:
    """The centroid of the area between a curve (n, 2) and the chord of its ends."""
    x, y = (points - points[0]).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = float(cross.sum())
    if abs(area) < 1e-3:
        return np.asarray(points.mean(axis=0), np.float32)
    center = [float(((axis + np.roll(axis, -1)) * cross).sum()) / (3 * area) for axis in (x, y)]
    return np.asarray(points[0] + center, np.float32)


def _colors(points: Floats, primitives: Primitives) -> Floats:
    """The Lab color, (..., 3), at points (..., 2)."""
    return np.moveaxis(primitives.channels[:, *_pixels(points, primitives)], 0, -1)


def _change(points: Floats, heading: Floats, primitives: Primitives) -> Floats:
    """How the Lab color changes, in levels per px (..., 3), at points (..., 2) towards a heading (..., 2)."""
    rows, columns = _pixels(points, primitives)
    dx, dy = primitives.dx[:, rows, columns], primitives.dy[:, rows, columns]
    return np.asarray(np.moveaxis(dx * heading[..., 0] + dy * heading[..., 1], 0, -1), np.float32)


def _pixels(points: Floats, primitives: Primitives) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    width, height = primitives.wh
    x = np.clip(points[..., 0], 0, width - 1).astype(np.intp)
    return np.clip(points[..., 1], 0, height - 1).astype(np.intp), x


def along(start: Point, end: Point, path: Floats, frame: Frame) -> bool:
    """Whether a straight line from `start` to `end` (px) runs along a curve's points (n, 2), as a piece of it."""
    steps = np.linspace(0, 1, 7)[:, None]
    points = np.array(start) * (1 - steps) + np.array(end) * steps
    distance = np.sqrt(((points[:, None] - path[None]) ** 2).sum(axis=2)).min(axis=1)
    return bool((distance < _BESIDE * frame.diagonal).mean() > 0.8)


def twin(path: Floats, curves: tuple[Curve, ...], mirrored: Mirror, frame: Frame) -> bool:
    """Whether curves that were found lie where the mirror image of a curve's points (n, 2) is: both are the symmetry's."""
    axis = 0 if mirrored.upright else 1
    place = frame.x1 + mirrored.place * frame.width if mirrored.upright else frame.y1 + mirrored.place * frame.height
    image = path.copy()
    image[:, axis] = 2 * place - image[:, axis]
    others = np.concatenate([curve.points for curve in curves])
    nearest = np.sqrt(((image[:, None] - others[None]) ** 2).sum(axis=2)).min(axis=1)
    return bool((nearest < _BESIDE / 2 * frame.diagonal).mean() > 0.6)


def _without_doubles(segments: Floats, diagonal: float) -> Floats:
    """Segments (n, 4), longest first, without those that run along a longer one: one edge seen in several channels."""
    first, spans = segments[:, :2], segments[:, 2:] - segments[:, :2]
    lengths = np.hypot(*spans.T)
    unit = spans / lengths[:, None]
    ends = segments.reshape(-1, 2, 2)[None] - first[:, None, None]  # [i, j, end]: from the beginning of i
    along = (ends * unit[:, None, None]).sum(axis=3)
    aside = abs(ends[..., 0] * unit[:, None, None, 1] - ends[..., 1] * unit[:, None, None, 0])
    slack = 0.01 * diagonal
    within = (aside < 0.006 * diagonal) & (along > -slack) & (along < lengths[:, None, None] + slack)
    double = within.all(axis=2) & (unit @ unit.T > 0.9)
    return segments[~np.triu(double, 1).any(axis=0)]


def _on_the_edge(points: Floats, primitives: Primitives) -> Floats:
    """Points (n, 2) of a polyline moved across it, by at most 5 px, to where the gradient is strongest."""
    if len(points) < 5:
        return points
    normal = _normals(points)
    offsets = np.arange(-5, 6, dtype=np.float32)
    places = points[:, None] + offsets[None, :, None] * normal[:, None]
    change = np.linalg.norm(_change(places, np.broadcast_to(normal[:, None], places.shape), primitives), axis=-1)
    best = offsets[(change - 0.02 * change.max() * abs(offsets)).argmax(axis=1)]
    padded = np.pad(best, 2, mode="edge")
    steady = np.median(np.stack([padded[k : k + len(best)] for k in range(5)]), axis=0)
    moved = points + steady[:, None] * normal
    moved[1:-1] = (moved[:-2] + moved[1:-1] + moved[2:]) / 3
    return np.asarray(moved, np.float32)


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
    near = (distance < 0.02 * diagonal) | ((distance < 0.09 * diagonal) & (aside < 0.35 * distance))
    cost = distance / diagonal + 0.04 * turn
    cost[~(near & (turn < _TURN) & (ahead > -0.022 * diagonal))] = np.inf
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
    """Whether the gradient nearly all along a curve stands out from what is everywhere, and the color changes across it
    much alike from end to end: else it leaps from one thing to another."""
    if float((primitives.energy[_pixels(points, primitives)] > max(1.2, 1.5 * primitives.noise)).mean()) <= 0.85:
        return False
    change = _change(points, _normals(points), primitives)
    strength = np.maximum(np.linalg.norm(change, axis=1, keepdims=True), 1e-6)
    return float(np.linalg.norm((change / strength).mean(axis=0))) > _ONE_EDGE


def _normals(points: Floats) -> Floats:
    """Unit normals (n, 2) of a polyline (n, 2), n at least 2."""
    tangent = np.gradient(points, axis=0)
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.asarray(across / np.maximum(np.hypot(*tangent.T)[:, None], 1e-6), np.float32)


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return slice(0, 0)
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))
