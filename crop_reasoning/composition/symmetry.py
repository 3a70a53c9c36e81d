"""Mirror symmetry: the axis, upright or level, about which a frame's structure repeats itself.

Structure is the gradient of lightness and color with its local strength evened out, so that faint texture counts as
much as bold shapes. What goes on along a row or a column (horizons, trunks) counts nothing: it mirrors itself about any
axis. One thing that stands across the axis is no symmetry; pairs on both sides are, and so is what fills the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from crop_reasoning.composition.elements import ramp
from crop_reasoning.composition.primitives import Floats, Frame, Primitives

_SIDE = 128  # px, the longer side of the maps
_FLOOR = (5.0, 14.0)  # levels per px: weaker gradients are evened out less; between these, by the strongest ones
_DETAIL_FLOOR = (7.0, 30.0)  # levels, the same for detail
_STRONG = 0.15  # of evened-out power: an edge
_LONG = 0.7  # of the frame: what goes on for as long mirrors itself about any axis
_FAR = 0.32  # of the frame: how far one curve or outline reaches from an axis that it stands across
_THREE = np.ones((3, 3), np.uint8)
_RICH = 2.4  # edges met on the way through a thing: fewer are one line or one outline
_LEAST_HALF = 0.25  # of the frame: axes nearer to a border mirror too little
_LEAST_CONTENT = 0.018  # of the frame's cells that must mirror on both sides together


@dataclass(frozen=True, slots=True)
class Structure:
    """Maps of the working frame at `scale` times its size: `dx` and `dy`, evened-out gradients (3, h, w) without what
    goes on along a column or a row, and `even`, evened-out detail (3, h, w)."""

    dx: Floats
    dy: Floats
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
    detail = np.asarray(small - cv2.GaussianBlur(small, (0, 0), sigma), np.float32)
    even = _evened(detail, detail, sigma, _floor(detail, 0.5, _DETAIL_FLOOR))
    dx = np.asarray(cv2.Sobel(small, cv2.CV_32F, 1, 0, ksize=3, scale=0.25), np.float32)
    dy = np.asarray(cv2.Sobel(small, cv2.CV_32F, 0, 1, ksize=3, scale=0.25), np.float32)
    both = np.concatenate([dx, dy], axis=2)
    floor = _floor(both, 0.4, _FLOOR)
    dx, dy = _evened(dx, both, sigma, floor), _evened(dy, both, sigma, floor)
    edge = np.clip((dx**2 + dy**2).sum(axis=2, keepdims=True) / _STRONG, 0, 1)  # taking means away draws no new edges
    dx = edge * (dx - cv2.blur(dx, (1, round(_LONG * size[1]) | 1)))
    dy = edge * (dy - cv2.blur(dy, (round(_LONG * size[0]) | 1, 1)))
    across, down, detail = (np.ascontiguousarray(each.transpose(2, 0, 1), np.float32) for each in (dx, dy, even))
    return Structure(across, down, detail, scale)


def _floor(values: Floats, share: float, limits: tuple[float, float]) -> float:
    """A share of the strongest there is in maps (h, w, n), within limits."""
    return float(np.clip(share * np.quantile(np.sqrt((values**2).sum(axis=2)), 0.98), *limits))


def _evened(values: Floats, reference: Floats, sigma: float, floor: float) -> Floats:
    """Maps (h, w, n) divided by the local strength of a reference (h, w, m)."""
    import cv2

    power = cv2.GaussianBlur((reference**2).sum(axis=2), (0, 0), sigma)
    return np.asarray(values / np.sqrt(power + floor**2)[..., None], np.float32)


def mirror(structure: Structure, frame: Frame) -> Mirror | None:
    """The stronger of the best upright and the best level axis of a frame (px of the working frame)."""
    rows, columns = frame.scaled(structure.scale).window(structure.dx.shape[1:])
    dx, dy = structure.dx[:, rows, columns], structure.dy[:, rows, columns]
    if min(dx.shape[1:]) < 12:
        return None
    upright = _best_axis(dx, dy)
    level = _best_axis(dy.transpose(0, 2, 1), dx.transpose(0, 2, 1))
    place, strength, is_upright = max((*upright, True), (*level, False), key=lambda found: found[1])
    return Mirror(is_upright, place, strength) if strength > 0 else None


def _best_axis(across: Floats, along: Floats) -> tuple[float, float]:
    """Place in [0,1] and strength of the best axis across the last dimension of gradients (3, h, w) across the axis,
    which change their sign in a mirror, and along it, which do not."""
    width = across.shape[2]
    size = fft.next_fast_len(2 * width)
    powers = [(fft.rfft(each, size, axis=2) ** 2).sum(axis=(0, 1)) for each in (along, across)]
    matched = fft.irfft(powers[0] - powers[1], size)[: 2 * width - 1]  # [s]: sum of f(x) f(s - x)
    energy = np.concatenate([[0.0], np.cumsum((across**2 + along**2).sum(axis=(0, 1)))])
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
    kept = _mirrored_pairs(across, along, best)
    strength = ramp(kept[0], 0.4, 0.7) * ramp(kept[1], 0.4 * _LEAST_CONTENT, 1.6 * _LEAST_CONTENT)
    rivals = _peaks(share, 0.85 * share[best], max(2, width // 16))
    if len(rivals) >= 4:  # a pattern mirrors about every motif
        strength *= 0.4
    return ((best + _peak_offset(share, best) + 1) / (2 * width), strength)


def _mirrored_pairs(across: Floats, along: Floats, axis_sum: int) -> tuple[float, float]:
    """Of edges that stand on one side of the axis only: the correlation with their mirror image, and their share of
    the cells. What stands across the axis joins only if it is dense and reaches far to both sides."""
    import cv2

    height, width = across.shape[1:]
    low, high = max(0, axis_sum - width + 1), min(width - 1, axis_sum) + 1
    across, along = across[:, :, low:high], along[:, :, low:high]
    power = (across**2 + along**2).sum(axis=0)
    fine = (power > 2 * _STRONG).astype(np.uint8)
    coarse = np.asarray(cv2.dilate((power > _STRONG).astype(np.uint8), _THREE), np.uint8)
    mask = _kept_parts(fine, height, width, pairs=True)
    mask &= _kept_parts(coarse, height, width, pairs=False)
    mask |= mask[:, ::-1]
    energy = float(power[mask].sum())
    matched = float((along * along[:, :, ::-1] - across * across[:, :, ::-1]).sum(axis=0)[mask].sum())
    return (matched / max(energy, 1e-6), float((power[mask] > _STRONG).sum()) / (height * width))


def _kept_parts(edges: NDArray[np.uint8], height: int, width: int, pairs: bool) -> NDArray[np.bool_]:
    """Cells (h, w) of the edges that may count. With `pairs`, what stands across the axis counts only if it is rich or
    whole; without, all but what reaches far to both sides and is one curve or one outline."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(edges)
    middle = edges.shape[1] / 2
    keep = np.zeros(count, bool)
    keep[0] = not pairs
    for index in range(1, count):
        x, w = stats[index, 0], stats[index, 2]
        reach = min(middle - x, x + w - middle) / width
        if reach * width <= 1 or (not pairs and reach <= _FAR):
            keep[index] = True
            continue
        whole = reach > 0.12 and stats[index, 3] > 0.8 * height  # a shore and its reflection, joined at the ends
        keep[index] = whole or (reach > 0.17 and _crossings(labels == index) > _RICH)
    return np.asarray(keep[labels])


def _crossings(part: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> float:
    """How many separate edges a row or a column through a thing meets, on average."""
    counts = []
    for axis in (0, 1):
        starts = (np.diff(part.astype(np.int8), axis=axis, prepend=0) == 1).sum(axis=axis)
        counts.append(float(starts[starts > 0].mean()))
    return sum(counts) / 2


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
