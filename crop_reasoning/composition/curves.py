"""Curves: chains of short segments that turn smoothly, found once per photo, judged in every crop.

A curve leads *through* a frame: it is long, comes in near a border unless it is very long, bends clearly and smoothly,
has no corner, and does not close. What bounds a thing is the thing's outline, not a curve, even where only a part of it
was followed: `Curve.encloses` and `Curve.outline` tell them apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.composition import outlines
from crop_reasoning.composition.chains import STEP, change, colors, find_chains, normals
from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame, Point, Primitives
from crop_reasoning.composition.subject import Subjects
from crop_reasoning.composition.symmetry import Mirror

_SPAN = 0.06  # of a curve: over so much of it its heading is taken
_SWINGS = (3.4, 2.3)  # all turns by their range: 1 for an arc, 2 for an S; a figure's outline sways to and fro
_BESIDE = 0.05  # of the diagonal: the width of a stroke whose edges are the curve
_MOST_CURVES = 24
_RAYS = 48
_EXTENT, _VERY_LONG = (0.2, 0.54), (0.45, 0.6)  # of the diagonal
_ENTERS = (0.26, 0.14)  # of the diagonal: the nearer end from the nearest border
_ROUGH = (0.01, 0.006)  # of the length
_IN_PIECES = (2.2, 1.5)  # off a smooth curve by off three straight lines
_CONTRAST = (0.1, 0.4)  # of strong edges'
_SWAYS = 1.6  # all turns by their range: what the frame cuts is ground, as a bay is, if its edge bends one way
_OUTLINE = (0.75, 0.45)
_ENCLOSES = (0.9, 0.65)


@dataclass(frozen=True, slots=True)
class Curve:
    """An open polyline (n, 2), px of the working frame, at equal steps of `step` px; `encloses` is the share, in [0,1],
    of the directions on its hollow side in which the thing it bounds ends, too; `outline` the share of it that lies on
    or bounds a thing or a person; `contrast` the mean gradient across it, by that of strong edges."""

    points: Floats
    step: float
    encloses: float
    outline: float
    contrast: float


def find_curves(segments: Floats, primitives: Primitives, subjects: Subjects) -> tuple[Curve, ...]:
    """Smooth chains of at least 15 % of the diagonal, longest first."""
    pieces = [piece for piece in find_chains(segments, primitives) if len(piece) * STEP >= 0.15]
    longest = sorted(pieces, key=lambda piece: -len(piece))[:_MOST_CURVES]
    strong = max(float(np.quantile(primitives.energy, 0.985)), 1.0)
    return tuple(
        Curve(
            piece,
            STEP * primitives.diagonal,
            _enclosing(piece, primitives),
            outlines.outline(piece, subjects, primitives.wh, cut=_swings(_bearings(piece)) > _SWAYS),
            float(np.linalg.norm(change(piece, normals(piece), primitives), axis=1).mean()) / strong,
        )
        for piece in longest
    )


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
    headings = _bearings(points)
    turned = abs(math.degrees(float(headings[-1] - headings[0])))
    closing = ramp(turned, 260, 200) * ramp(curve.encloses, *_ENCLOSES)  # an outline comes back to where it began
    closing *= ramp(curve.outline, *_OUTLINE)
    off = _from_straight(points) / max(extent, 1e-6)
    bent = max(ramp(off, 0.0015, 0.0035), ramp(off / max(bend, 1e-6), 0.015, 0.03))
    rough = _roughness(points)
    bent *= ramp(bend, 0.04, 0.085) * ramp(rough / max(off * extent, 1e-6), *_IN_PIECES)
    smooth = ramp(rough / (len(points) * curve.step), *_ROUGH) * ramp(_swings(headings), *_SWINGS)
    long, clear = ramp(extent / frame.diagonal, *_EXTENT), ramp(curve.contrast, *_CONTRAST)
    through = max(ramp(_inward(points, frame) / frame.diagonal, *_ENTERS), ramp(extent / frame.diagonal, *_VERY_LONG))
    return long * through * bent * smooth * clear * closing, points


def _inward(points: Floats, frame: Frame) -> float:
    """How far (px) the nearer end of a curve (n, 2) is from the nearest border of a frame."""
    (x, y) = points[[0, -1]].T
    return float(np.min([x - frame.x1, frame.x2 - x, y - frame.y1, frame.y2 - y]))


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


def _bearings(points: Floats) -> Floats:
    return _headings(points, max(2, round(_SPAN * len(points))))


def _swings(headings: Floats) -> float:
    """All turns by the range of the headings (radians, n): 1 for an arc, 2 for an S."""
    return float(abs(np.diff(headings)).sum()) / max(float(np.ptp(headings)), 1e-6)


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
    across = change(points, outward, primitives)
    color = colors(points - 3 * outward, primitives)
    contrast = float(np.linalg.norm(across.mean(axis=0)))
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
    found = change(along, heading, primitives)
    strong = np.linalg.norm(found, axis=-1)
    alike = found @ across.mean(axis=0) > 0.6 * contrast * strong
    ending = np.linalg.norm(colors(along - 3 * heading, primitives) - np.median(color, axis=0), axis=-1) < 3 * contrast
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


def along(start: Point, end: Point, path: Floats, frame: Frame) -> bool:
    """Whether a straight line from `start` to `end` (px) runs along a curve's points (n, 2), as a piece of it."""
    steps = np.linspace(0, 1, 7)[:, None]
    points = np.array(start) * (1 - steps) + np.array(end) * steps
    distance = np.sqrt(((points[:, None] - path[None]) ** 2).sum(axis=2)).min(axis=1)
    return bool((distance < _BESIDE * frame.diagonal).mean() > 0.8)


def twin(path: Floats, curves: tuple[Curve, ...], mirrored: Mirror, frame: Frame) -> bool:
    """Whether curves that were found lie where the mirror image of a curve's points (n, 2) lies: one symmetry."""
    axis = 0 if mirrored.upright else 1
    place = frame.x1 + mirrored.place * frame.width if mirrored.upright else frame.y1 + mirrored.place * frame.height
    image = path.copy()
    image[:, axis] = 2 * place - image[:, axis]
    others = np.concatenate([curve.points for curve in curves])
    nearest = np.sqrt(((image[:, None] - others[None]) ** 2).sum(axis=2)).min(axis=1)
    return bool((nearest < _BESIDE / 2 * frame.diagonal).mean() > 0.6)


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return slice(0, 0)
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))
