"""Chains of segments: edges that turn smoothly, followed from one straight piece to the next, at equal steps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.composition.primitives import Floats, Primitives

_MOST_SEGMENTS = 500
_TURN = math.radians(50)
_CORNER = 66.0  # degrees within `_WINDOW` of the diagonal: the chain is cut there
_WINDOW = 0.04
_BREAK, _WIDE = 30.0, 0.06  # a lesser corner, within so much of the diagonal, cuts where ...
_STRAIGHT = 12  # ... so many points beside it lie on a line
_LONG = 20  # points on a line: more than a gentle bend has
_ONE_EDGE = 0.45
STEP = 0.01
"""Of the diagonal: between the points of a chain."""


def find_chains(segments: Floats, primitives: Primitives) -> list[Floats]:
    """Smooth polylines (n, 2), px of the working frame, on the edges that segments (m, 4) were found on."""
    diagonal = primitives.diagonal
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    order = np.argsort(-lengths)[:_MOST_SEGMENTS]
    order = order[lengths[order] > 0.008 * diagonal]
    segments = _without_doubles(segments[order], diagonal)
    if not len(segments):
        return []
    found = []
    for chain in _chains(segments, diagonal):
        points = _on_the_edge(_resampled(segments[chain].reshape(-1, 2), STEP * diagonal), primitives)
        found += [piece for piece in _cut_at_corners(points) if _visible(piece, primitives)]
    return found


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
    normal = normals(points)
    offsets = np.arange(-5, 6, dtype=np.float32)
    places = points[:, None] + offsets[None, :, None] * normal[:, None]
    strength = np.linalg.norm(change(places, np.broadcast_to(normal[:, None], places.shape), primitives), axis=-1)
    best = offsets[(strength - 0.02 * strength.max() * abs(offsets)).argmax(axis=1)]
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
    """The pieces of a chain (n, 2) between its corners, and between its bends and the long straight lines that they end
    on at an angle: a thing before a horizon is no bend of the horizon."""
    sharp = _turns(points, round(_WINDOW / STEP / 2)) > _CORNER
    broken = _turns(points, round(_WIDE / STEP / 2)) > _BREAK
    for index in np.flatnonzero(broken & ~sharp):
        beside = (points[max(0, index - _STRAIGHT - 1) : index - 1], points[index + 2 : index + 2 + _STRAIGHT])
        sharp[index] = any(len(side) == _STRAIGHT and _is_straight(side) for side in beside)
    pieces, start = [], 0
    for index in np.flatnonzero(sharp):
        pieces.append(points[start : max(start, int(index) - 1)])
        start = int(index) + 1
    pieces.append(points[start:])
    pieces = [_without_straight_end(_without_straight_end(piece)[::-1])[::-1] for piece in pieces]
    return [piece for piece in pieces if len(piece) > 2]


def _without_straight_end(points: Floats) -> Floats:
    """A chain (n, 2) without the long straight line it may begin with: what a bend grows out of is no part of it."""
    if len(points) < _LONG or not _is_straight(points[:_LONG]):
        return points
    end = _LONG
    while end < len(points) and _is_straight(points[: end + 1]):
        end += 1
    return points[end - 1 :]


def _turns(points: Floats, reach: int) -> Floats:
    """At each point of a chain (n, 2), degrees between the steps of `reach` points before and after; 0 at the ends."""
    turns = np.zeros(len(points), np.float32)
    if len(points) > 2 * reach:
        steps = points[reach:] - points[:-reach]
        heading = np.arctan2(steps[:, 1], steps[:, 0])
        turn = (heading[reach:] - heading[:-reach] + math.pi) % (2 * math.pi) - math.pi
        turns[reach:-reach] = abs(np.degrees(turn))
    return turns


def _is_straight(points: Floats) -> bool:
    """Whether points (n, 2) at equal steps lie on one line, within a quarter of a step."""
    (dx, dy), step = points[-1] - points[0], float(np.hypot(*(points[1] - points[0])))
    off = (points - points[0]) @ np.array([-dy, dx]) / max(float(np.hypot(dx, dy)), 1e-6)
    return float(abs(off).max()) < 0.25 * step


def _visible(points: Floats, primitives: Primitives) -> bool:
    """Whether the gradient nearly all along a curve stands out from what is everywhere, and the color changes across it
    much alike from end to end: else it leaps from one thing to another."""
    if float((primitives.energy[pixels(points, primitives)] > max(1.2, 1.5 * primitives.noise)).mean()) <= 0.85:
        return False
    across = change(points, normals(points), primitives)
    strength = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    return float(np.linalg.norm((across / strength).mean(axis=0))) > _ONE_EDGE


def colors(points: Floats, primitives: Primitives) -> Floats:
    """The Lab color, (..., 3), at points (..., 2)."""
    return np.moveaxis(primitives.channels[:, *pixels(points, primitives)], 0, -1)


def change(points: Floats, heading: Floats, primitives: Primitives) -> Floats:
    """How the Lab color changes, in levels per px (..., 3), at points (..., 2) towards a heading (..., 2)."""
    rows, columns = pixels(points, primitives)
    dx, dy = primitives.dx[:, rows, columns], primitives.dy[:, rows, columns]
    return np.asarray(np.moveaxis(dx * heading[..., 0] + dy * heading[..., 1], 0, -1), np.float32)


def pixels(points: Floats, primitives: Primitives) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    width, height = primitives.wh
    x = np.clip(points[..., 0], 0, width - 1).astype(np.intp)
    return np.clip(points[..., 1], 0, height - 1).astype(np.intp), x


def normals(points: Floats) -> Floats:
    """Unit normals (n, 2) of a polyline (n, 2), n at least 2."""
    tangent = np.gradient(points, axis=0)
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.asarray(across / np.maximum(np.hypot(*tangent.T)[:, None], 1e-6), np.float32)
