"""The three constant crops every table shows: the whole image, a centered crop, and the best constant box.

A baseline is a box. Only `best_constant` looks at data, and only at the training records it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation.metrics import ground_truths
from crop_reasoning.geometry import WHOLE, Box, centered
from crop_reasoning.records import CropRecord

BASELINES = ("whole_image", "center_crop:SCALE", "best_constant")
_STARTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_STEPS = (0.08, 0.04, 0.02, 0.01, 0.005, 0.0025)


def whole_image() -> Box:
    """The photo as it is."""
    return WHOLE


def center_crop(scale: float) -> Box:
    """The centered crop whose sides are `scale` of the photo's, 0 < scale <= 1."""
    if not 0 < scale <= 1:
        raise RecipeError(
            f"center_crop:{scale:g}: expected a scale above 0 and at most 1, for instance center_crop:0.9"
        )
    return centered(scale)


def best_constant(training: Sequence[CropRecord]) -> Box:
    """The box with the highest mean IoU with the ground truths of `training` (several truths: the largest counts).

    Found by pattern search from several starts down to steps of 1/400 of a side; deterministic. `DataError` without
    records that hold a crop.
    """
    truths = [ground_truths(record) for record in training if record.crops]
    if not truths:
        raise DataError("best_constant: no training records with crops to fit; build the train split first")
    edges = np.array([box.xyxy for boxes in truths for box in boxes])
    starts = np.concatenate([[0], np.cumsum([len(boxes) for boxes in truths])[:-1]])
    seeds = [np.array(centered(scale).xyxy) for scale in _STARTS]
    seeds += [edges.mean(axis=0), np.median(edges, axis=0)]
    climbed = [_climb(seed, edges, starts) for seed in seeds]
    best = max(climbed, key=lambda box: _mean_iou(box, edges, starts))
    return Box(*(round(float(edge), 6) for edge in best))


def baseline(spec: str, training: Sequence[CropRecord]) -> Box:
    """The box that a name on the command line means.

    >>> baseline("center_crop:0.5", []).xyxy
    (0.25, 0.25, 0.75, 0.75)
    """
    name, _, scale = spec.partition(":")
    if name == "whole_image" and not scale:
        return whole_image()
    if name == "best_constant" and not scale:
        return best_constant(training)
    if name == "center_crop":
        with suppress(ValueError):  # no number, or one that is no scale: then it is as unknown as any other name
            return center_crop(float(scale))
    raise RecipeError(f"baseline {spec!r} is unknown; expected one of {', '.join(BASELINES)}")


def _mean_iou(box: np.ndarray, edges: np.ndarray, starts: np.ndarray) -> float:
    width = np.minimum(box[2], edges[:, 2]) - np.maximum(box[0], edges[:, 0])
    height = np.minimum(box[3], edges[:, 3]) - np.maximum(box[1], edges[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
    overlap = shared / (areas + (box[2] - box[0]) * (box[3] - box[1]) - shared)
    return float(np.maximum.reduceat(overlap, starts).mean())


def _climb(box: np.ndarray, edges: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Move edges singly and in pairs while that helps, then halve the step."""
    moves = [np.array(m) for m in np.ndindex(3, 3, 3, 3) if sum(v != 1 for v in m) in (1, 2)]
    value = _mean_iou(box, edges, starts)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for move in moves:
                tried = np.clip(box + (move - 1) * step, 0.0, 1.0)
                if tried[2] - tried[0] < step or tried[3] - tried[1] < step:
                    continue
                found = _mean_iou(tried, edges, starts)
                if found > value + 1e-12:
                    box, value, improved = tried, found, True
    return box
