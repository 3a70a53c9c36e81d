"""Mirror symmetry: the axis, upright or level, about which a frame's structure repeats itself.

Structure is lightness and color with their local mean taken away and their local contrast evened out, so that faint
texture counts as much as bold shapes, and what is constant along x or along y (horizons, trunks) counts nothing: it
mirrors itself about any axis. One thing that stands across the axis is no symmetry; pairs on both sides are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from crop_reasoning.composition.primitives import Floats, Frame, Primitives, ramp

_SIDE = 128  # px, the longer side of the maps
_FLOOR = 7.0  # levels: contrast below this is evened out less
_LEAST_HALF = 0.25  # of the frame: axes nearer to a border mirror too little
_LEAST_CONTENT = 0.012  # of the frame's cells that must mirror on both sides together


@dataclass(frozen=True, slots=True)
class Structure:
    """Evened-out structure (3, h, w) of the working frame at `scale` times its size: `fine` without what is constant
    along a row or column, `even` with it."""

    fine: Floats
    even: Floats
    scale: float


@dataclass(frozen=True, slots=True)
class Mirror:
    """An axis: `upright` or level, its place in [0,1] of the frame, and its strength."""

    upright: bool
    place: float
    strength: float


def find_structure(primitives: Primitives) -> Structure:
    import cv2

    width, height = primitives.wh
    scale = min(1.0, _SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in primitives.channels], 2)
    small = cv2.GaussianBlur(small, (0, 0), 0.8)
    sigma = 0.05 * float(np.hypot(*size))
    detail = small - cv2.GaussianBlur(small, (0, 0), sigma)
    power = cv2.GaussianBlur((detail**2).sum(axis=2), (0, 0), sigma)
    even = detail / np.sqrt(power + _FLOOR**2)[..., None]
    reach = 2 * round(2.5 * sigma) + 1
    fine = even - cv2.blur(even, (reach, 1))
    fine -= cv2.blur(fine, (1, reach))
    return Structure(
        np.ascontiguousarray(fine.transpose(2, 0, 1)), np.ascontiguousarray(even.transpose(2, 0, 1)), scale
    )


def mirror(structure: Structure, frame: Frame) -> Mirror | None:
    """The stronger of the best upright and the best level axis of a frame (px of the working frame)."""
    rows, columns = frame.scaled(structure.scale).window(structure.fine.shape[1:])
    fine = structure.fine[:, rows, columns]
    if min(fine.shape[1:]) < 12:
        return None
    upright = _best_axis(fine)
    level = _best_axis(fine.transpose(0, 2, 1))
    place, strength, is_upright = max((*upright, True), (*level, False), key=lambda found: found[1])
    return Mirror(is_upright, place, strength) if strength > 0 else None


def _best_axis(fine: Floats) -> tuple[float, float]:
    """Place in [0,1] and strength of the best axis across the last dimension of (3, h, w)."""
    width = fine.shape[2]
    size = fft.next_fast_len(2 * width)
    spectrum = fft.rfft(fine, size, axis=2)
    matched = fft.irfft((spectrum**2).sum(axis=(0, 1)), size)[: 2 * width - 1]  # [s]: sum of f(x) f(s - x)
    energy = np.concatenate([[0.0], np.cumsum((fine**2).sum(axis=(0, 1)))])
    sums = np.arange(2 * width - 1)  # s = x + x', so the axis is at (s + 1) / 2 px
    low, high = np.maximum(0, sums - width + 1), np.minimum(width - 1, sums) + 1
    total = energy[high] - energy[low]
    candidates = (sums + 1) / (2 * width)
    usable = (candidates >= _LEAST_HALF) & (candidates <= 1 - _LEAST_HALF)
    share = np.where(usable, matched / np.maximum(total, 0.02 * energy[-1] + 1e-6), 0.0)
    # an axis that mirrors more of the frame's content is the better one
    value = share * np.sqrt(np.clip(total / max(energy[-1], 1e-6), 0, 1))
    best = int(np.argmax(value))
    if share[best] < 0.25:
        return (0.5, 0.0)
    kept = _mirrored_pairs(fine, best)
    strength = ramp(float(kept[0]), 0.3, 0.7) * ramp(float(kept[1]), 0.4 * _LEAST_CONTENT, 1.6 * _LEAST_CONTENT)
    rivals = _peaks(share, 0.85 * share[best], max(2, width // 16))
    if len(rivals) >= 4:  # a pattern mirrors about every motif
        strength *= 0.4
    return ((best + _peak_offset(share, best) + 1) / (2 * width), strength)


def _mirrored_pairs(fine: Floats, axis_sum: int) -> tuple[float, float]:
    """Of content that stands on one side of the axis only: the correlation with its mirror image, and its share of
    the cells. What stands across the axis joins only if it reaches far to both sides."""
    import cv2

    height, width = fine.shape[1:]
    low, high = max(0, axis_sum - width + 1), min(width - 1, axis_sum) + 1
    part = fine[:, :, low:high]
    flipped = part[:, :, ::-1]
    strong = ((part**2).sum(axis=0) > 0.08).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(strong, np.ones((3, 3), np.uint8)))
    middle = part.shape[2] / 2
    keep = np.zeros(count, bool)
    for index in range(1, count):
        left, right = stats[index, 0], stats[index, 0] + stats[index, 2]
        across = left < middle - 1 and right > middle + 1
        keep[index] = not across or min(middle - left, right - middle) > 0.3 * width
    mask = keep[labels]
    mask |= mask[:, ::-1]
    energy = float((part**2).sum(axis=0)[mask].sum())
    matched = float((part * flipped).sum(axis=0)[mask].sum())
    return (matched / max(energy, 1e-6), float((strong[mask] > 0).sum()) / (height * width))


def _peaks(values: np.ndarray[tuple[int], np.dtype[np.floating]], least: float, apart: int) -> list[int]:
    found: list[int] = []
    for index in np.argsort(-values):
        if values[index] < least:
            break
        if all(abs(index - other) >= 2 * apart for other in found):
            found.append(int(index))
    return found


def _peak_offset(values: np.ndarray[tuple[int], np.dtype[np.floating]], best: int) -> float:
    """The top of the parabola through a maximum and its neighbors, in steps from the maximum."""
    if not 0 < best < len(values) - 1:
        return 0.0
    before, top, after = (float(values[best + step]) for step in (-1, 0, 1))
    curve = before - 2 * top + after
    return 0.0 if curve >= 0 else float(np.clip((before - after) / (2 * curve), -0.5, 0.5))
