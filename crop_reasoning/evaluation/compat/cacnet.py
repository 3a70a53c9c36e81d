"""CACNet-Pytorch, eval.py: the evaluator that HCIC, CGS and Venus share.

Departs from the canonical rules: float32; a prediction comes out of the network's frame; truths beyond the image stay;
an inverted or empty prediction keeps the Disp of its own edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import (
    RECALL_IOU,
    Item,
    at_best_iou,
    drawn,
    edge_sums,
    means,
    over_items,
    overlaps,
    recall,
    with_images,
)


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """Means over all images; IoU is the largest over the truths, Disp that of the same truth."""
    scored = over_items(items, score)
    figures = {**means(scored), "avg_recall": recall(iou for iou, _ in scored)}
    return with_images({**figures, "alpha": RECALL_IOU, "count": len(items)}, scored)


def score(item: Item, *, through_network: bool = True, clip: bool = True) -> tuple[float, float]:
    """IoU and edge sum of one image.

    `through_network`: the prediction is a fraction of the network's input first, in float32, and scaled back, which
    moves its edges by a rounding error. `clip`: it is then clipped to the image.
    """
    side = np.array([item.w, item.h, item.w, item.h], np.float32)
    box = np.asarray(item.prediction, np.float64)
    pixels = (box / side).astype(np.float32) * side if through_network else box.astype(np.float32)
    if clip:
        pixels = np.clip(pixels, 0, side)
    return compare(pixels, item)


def compare(pixels: Sequence[float] | np.ndarray, item: Item) -> tuple[float, float]:
    """IoU and edge sum in float32; rows of -1 are dropped."""
    truths = np.asarray(drawn(item.truths), np.float32).reshape(-1, 4)
    return at_best_iou(overlaps(pixels, truths, np.float32), edge_sums(pixels, truths, (item.w, item.h), np.float32))


def compare_boxes(items: Sequence[Item]) -> dict[str, Any]:
    """The comparison alone, without the evaluation loop: an empty prediction has nothing to compare."""
    return with_images({}, over_items(items, lambda item: compare(_first(item), item)))


def _first(item: Item) -> tuple[float, ...]:
    if not item.predictions or len(item.prediction) != 4:
        raise ReferenceCrash("IndexError", "an empty list of predictions has no best one")
    return item.prediction
