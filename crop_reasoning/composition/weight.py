"""Visual weight: where it lies in a frame, what is left empty, and what a crop's border cuts through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crop_reasoning.composition.primitives import Floats, Frame, Point, Primitives, frame_of
from crop_reasoning.composition.subject import Subjects
from crop_reasoning.geometry import Box, inside

_QUIET = 2.0  # levels per px: weaker gradients are empty space
_BAND = 0.02  # of a crop's side: the strip along its border


@dataclass(frozen=True, slots=True)
class Balance:
    """The centroid of visual weight in [0,1] of the frame, and the shares of it in the left and the upper half."""

    centroid: Point
    left: float
    top: float

    @property
    def right(self) -> float:
        return 1 - self.left

    @property
    def bottom(self) -> float:
        return 1 - self.top


@dataclass(frozen=True, slots=True)
class EdgeCuts:
    """What a crop's border cuts: of the subjects it shows, the share that is cut; the share of the main subject that
    is lost; the number of faces cut; the mean saliency of the border strip, in [0,1]. Borders of the photo cut
    nothing."""

    subjects: float
    lost: float
    faces: int
    border: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Maps (h, w) at `scale` times the working frame: visual weight, and whether a cell is empty space."""

    weight: Floats
    empty: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    scale: float


def find_weights(primitives: Primitives, subjects: Subjects) -> Weights:
    import cv2

    height, width = subjects.saliency.shape
    scale = width / primitives.wh[0]
    energy = cv2.resize(primitives.energy, (width, height), interpolation=cv2.INTER_AREA)
    energy = np.asarray(cv2.GaussianBlur(energy, (0, 0), 1.5), np.float32)
    detail = np.clip(energy / max(float(np.quantile(energy, 0.98)), 2 * _QUIET), 0, 1)
    empty = (energy < max(_QUIET, 1.1 * primitives.noise)) & (subjects.saliency < 0.25)
    return Weights(0.6 * subjects.saliency + 0.4 * detail, empty, scale)


def balance(weights: Weights, frame: Frame) -> Balance:
    """The balance of a frame; a frame without any weight balances in its middle."""
    part = weights.weight[frame.scaled(weights.scale).window(weights.weight.shape)]
    columns, rows = part.sum(axis=0), part.sum(axis=1)
    total = float(columns.sum())
    if total < 1e-3 * part.size:
        return Balance((0.5, 0.5), 0.5, 0.5)
    (x, left), (y, top) = _centroid(columns / total), _centroid(rows / total)
    return Balance((x, y), left, top)


def negative_space(weights: Weights, frame: Frame) -> float:
    """Share of a frame that holds neither detail nor a subject."""
    return float(weights.empty[frame.scaled(weights.scale).window(weights.empty.shape)].mean())


def cuts(subjects: Subjects, crop: Box) -> EdgeCuts:
    """What the border of a crop (in [0,1] of the photo) cuts through."""
    shares = [(subject.kind, inside(subject.box, crop)) for subject in subjects.found]
    shown = [(kind, share) for kind, share in shares if share > 0.02]
    cut = [(kind, share) for kind, share in shown if share < 0.98]
    return EdgeCuts(
        subjects=len(cut) / len(shown) if shown else 0.0,
        lost=1 - inside(subjects.box, crop) if subjects.box else 0.0,
        faces=sum(kind == "face" for kind, _ in cut),
        border=_border(subjects.saliency, crop),
    )


def _border(saliency: Floats, crop: Box) -> float:
    height, width = saliency.shape
    rows, columns = frame_of(crop, (width, height)).window(saliency.shape)
    part = saliency[rows, columns]
    down, across = max(1, round(_BAND * part.shape[0])), max(1, round(_BAND * part.shape[1]))
    strips = [
        strip
        for strip, drawn in (
            (part[:down], crop.y1 > 0),
            (part[-down:], crop.y2 < 1),
            (part[:, :across], crop.x1 > 0),
            (part[:, -across:], crop.x2 < 1),
        )
        if drawn
    ]
    return float(np.mean([strip.mean() for strip in strips])) if strips else 0.0


def _centroid(shares: Floats) -> tuple[float, float]:
    """Of shares along one side: their mean place in [0,1] and how much lies in the first half."""
    count = len(shares)
    sums = np.concatenate([[0.0], np.cumsum(shares)])
    place = float((shares * (np.arange(count) + 0.5)).sum() / count)
    return place, float(np.interp(count / 2, np.arange(count + 1), sums))
