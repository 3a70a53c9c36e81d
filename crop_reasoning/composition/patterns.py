"""Patterns: a motif that repeats in two directions (or many times in one) over much of a frame.

Found once per photo from the autocorrelation of its structure; a crop is judged by how many motifs it holds and how
much of it they cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import fft

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame
from crop_reasoning.composition.symmetry import Structure
from crop_reasoning.geometry import Box, from_xyxy_px

_LEAST_STEP = 4.0  # px of the structure map
_LEAST_MOTIFS = 9  # in two directions
_LEAST_REPEATS = 7  # in one
_FARTHEST = 0.55  # of the frame: two rows are half of it apart
_SOFT = 2.0  # px: how far a thing may stand out of its place


class Limits(NamedTuple):
    """What counts as a peak of an autocorrelation: its height, how far it falls off around it, and what is taken off
    the height to compare maps whose peaks mean less."""

    peak: float
    dip: float
    worth: float


_DETAIL = Limits(0.28, 0.16, 0.0)
_PRESENCE = Limits(0.5, 0.25, 0.25)  # there is some of it nearly everywhere


@dataclass(frozen=True, slots=True)
class Pattern:
    """Two steps (px of the working frame) that carry the motif onto itself, how well they do in [0,1], and where they
    do, (h, w) bool at `scale` times the working frame."""

    steps: tuple[tuple[float, float], tuple[float, float]]
    likeness: float
    where: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    scale: float


def find_pattern(structure: Structure) -> Pattern | None:
    """The motif's two shortest steps, or its one step if it comes often enough in a row; None where nothing repeats.

    Things of one kind repeat whatever their colors: where detail itself does not repeat, its mere presence may.
    """
    even = structure.even
    height, width = even.shape[1:]
    if min(height, width) < 24 or float((even**2).sum(axis=0).mean()) < 0.05:
        return None
    presence = _presence(even)
    correlations = [(even, _autocorrelation(even), _DETAIL), (presence, _autocorrelation(presence), _PRESENCE)]
    for search in (_lattice, _row):
        found = [pattern for each in correlations if (pattern := search(*each, structure.scale)) is not None]
        if found:
            return max(found, key=lambda pattern: pattern.likeness)
    return None


def _presence(even: Floats) -> Floats:
    """How much detail there is, of whatever sign and color, (1, h, w)."""
    import cv2

    strength = np.sqrt((even**2).sum(axis=0))
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), _SOFT), np.float32)[None]


def _lattice(even: Floats, correlation: Floats, limits: Limits, scale: float) -> Pattern | None:
    """The two shortest independent steps at which a map looks like itself."""
    height, width = even.shape[1:]
    peaks = _isolated_peaks(correlation, height, width, limits)
    for first in range(len(peaks)):
        for second in range(first + 1, len(peaks)):
            (ay, ax, a), (by, bx, b) = peaks[first], peaks[second]
            cross = abs(ax * by - ay * bx)
            if cross < 0.5 * math.hypot(ax, ay) * math.hypot(bx, by) or height * width / cross < _LEAST_MOTIFS:
                continue
            where = _agreement(even, (ay, ax)) & _agreement(even, (by, bx))
            return Pattern(((ax / scale, ay / scale), (bx / scale, by / scale)), min(a, b) - limits.worth, where, scale)
    return None


def _row(even: Floats, correlation: Floats, limits: Limits, scale: float) -> Pattern | None:
    """One step, along the width or the height, at which a map looks like itself again and again."""
    height, width = even.shape[1:]
    found: list[tuple[float, int, bool]] = []
    for profile, side, across in (
        (correlation[0, width - 1 :], width, True),
        (correlation[:, width - 1], height, False),
    ):
        for step in range(math.ceil(_LEAST_STEP), int(side / _LEAST_REPEATS) + 1):
            value = _repeats(profile, step, limits)
            if value > 0:
                found.append((value, step, across))
                break
    if not found:
        return None
    value, step, across = max(found)
    where = _agreement(even, (0, step) if across else (step, 0))
    if not where.any():
        return None
    beside = float(np.ptp(np.flatnonzero(where.any(axis=1 if across else 0))) + 1) / scale
    steps = ((step / scale, 0.0), (0.0, beside)) if across else ((0.0, step / scale), (beside, 0.0))
    return Pattern(steps, value - limits.worth, where, scale)


def _repeats(profile: Floats, step: int, limits: Limits) -> float:
    """The least of the peaks of an autocorrelation near once, twice and three times a step; 0 unless it falls off
    clearly between them."""
    near = max(1, round(0.12 * step))
    peaks = [profile[k * step - near : k * step + near + 1] for k in (1, 2, 3)]
    dips = [profile[round((k + 0.25) * step) : round((k + 0.75) * step) + 1].min() for k in (0, 1, 2)]
    value = min(float(peak.max()) for peak in peaks)
    top = int(peaks[0].argmax()) - near + step
    summit = float(profile[top]) >= float(profile[max(0, top - 2) : top + 3].max())
    clear = value - float(max(dips)) > 2 * limits.dip
    return value if summit and clear and value > limits.peak else 0.0


def pattern_strength(pattern: Pattern, frame: Frame) -> float:
    """How much of a frame the motif covers, how alike its repeats are, and whether there are enough of them."""
    rows, columns = frame.scaled(pattern.scale).window(pattern.where.shape)
    covered = float(pattern.where[rows, columns].mean())
    (ax, ay), (bx, by) = pattern.steps
    motifs = covered * frame.area / max(abs(ax * by - ay * bx), 1.0)
    return ramp(pattern.likeness, 0.15, 0.5) * ramp(covered, 0.2, 0.6) * ramp(motifs, 4, 13)


def extent(pattern: Pattern, frame: Frame) -> Box:
    """The box, in [0,1] of the frame, around where the motif repeats in it."""
    rows, columns = frame.scaled(pattern.scale).window(pattern.where.shape)
    part = pattern.where[rows, columns]
    y, x = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    height, width = part.shape
    return from_xyxy_px((x[0], y[0], x[-1] + 1, y[-1] + 1), (width, height))


def _autocorrelation(even: Floats) -> Floats:
    """Normalised by the energy of the overlap: (h, 2w - 1) for lags dy in [0, h), dx in (-w, w)."""
    height, width = even.shape[1:]
    shape = (fft.next_fast_len(2 * height), fft.next_fast_len(2 * width))
    centered = even - even.mean(axis=(1, 2), keepdims=True)
    power = (abs(fft.rfft2(centered, shape)) ** 2).sum(axis=0)
    raw = fft.irfft2(power, shape)
    lags = np.concatenate([raw[:height, -(width - 1) :], raw[:height, :width]], axis=1)
    overlap = np.outer(height - np.arange(height), width - abs(np.arange(1 - width, width)))
    mean = float((centered**2).sum()) / (height * width)
    return (lags / (overlap * mean + 1e-9)).astype(np.float32)


def _isolated_peaks(correlation: Floats, height: int, width: int, limits: Limits) -> list[tuple[int, int, float]]:
    """Peaks (dy, dx, value) of lags up to `_FARTHEST` of the frame that fall off on all sides; shortest first."""
    import cv2

    most_y, most_x = int(_FARTHEST * height), int(_FARTHEST * width)
    part = correlation[: most_y + 1, width - 1 - most_x : width + most_x]
    top = cv2.dilate(part, np.ones((5, 5), np.uint8))
    tops = [(int(y), int(x) - most_x) for y, x in np.argwhere((part >= top) & (part > limits.peak))]
    found: list[tuple[int, int, float]] = []
    for dy, dx in sorted(tops, key=lambda lag: math.hypot(*lag)):
        step = math.hypot(dy, dx)
        if step < _LEAST_STEP or (dy == 0 and dx < 0):
            continue
        shortest = math.hypot(*found[0][:2]) if found else step  # a wider ring would meet other repeats
        ring = _ring(correlation, dy, dx + width - 1, max(2.0, 0.45 * shortest))
        value = float(part[dy, dx + most_x])
        if value - float(ring.max()) > limits.dip:
            found.append((dy, dx, value))
    strongest = max((value for *_, value in found), default=0.0)
    good = [peak for peak in found if peak[2] >= 0.6 * strongest]
    return sorted(good, key=lambda peak: math.hypot(peak[0], peak[1]))[:12]


def _ring(correlation: Floats, row: int, column: int, radius: float) -> Floats:
    """Of every two opposite points of a circle about a lag, the lower value: on a ridge, which runs on both ways, it is
    high. Lags above the first row are those of the opposite lag; beyond the map the values are low."""
    height, lags = correlation.shape
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    y = np.round(row + radius * np.sin(angles)).astype(int)
    x = np.round(column + radius * np.cos(angles)).astype(int)
    x = np.where(y < 0, lags - 1 - x, x)
    y = abs(y)
    inside = (y < height) & (x >= 0) & (x < lags)
    values = np.where(inside, correlation[np.minimum(y, height - 1), np.clip(x, 0, lags - 1)], -1.0)
    return np.asarray(np.minimum(values[:12], values[12:]), np.float32)


def _agreement(even: Floats, step: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where a frame looks like itself one step further or one step back, (h, w)."""
    import cv2

    height, width = even.shape[1:]
    dy, dx = step
    sigma = max(3.0, 0.6 * math.hypot(dy, dx))
    energy = cv2.GaussianBlur((even**2).sum(axis=0), (0, 0), sigma)
    like = np.zeros((height, width), bool)
    for sy, sx in ((dy, dx), (-dy, -dx)):
        shifted = np.zeros_like(even)
        rows, from_rows = _overlap(sy, height)
        columns, from_columns = _overlap(sx, width)
        shifted[:, rows, columns] = even[:, from_rows, from_columns]
        product = cv2.GaussianBlur((even * shifted).sum(axis=0), (0, 0), sigma)
        like |= (product > 0.25 * energy) & (energy > 0.05)
    return like


def _overlap(step: int, size: int) -> tuple[slice, slice]:
    return (slice(max(0, step), min(size, size + step)), slice(max(0, -step), min(size, size - step)))
