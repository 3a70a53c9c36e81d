"""ACPD-Net, test_cropping.py: an oracle over *all* detections, chosen with the ground truth.

Departs from the canonical rules: not one prediction an image but the best of all (`oracle@k`); float32; never clipped;
on FLMS the tie rule compares an IoU with a Disp, so it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.cacnet import compare
from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import (
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


def fcdb(items: Sequence[Item]) -> dict[str, Any]:
    """One ground truth, compared with every detection at once."""
    return _figures(over_items(items, _best_detection))


def flms(items: Sequence[Item]) -> dict[str, Any]:
    """Several ground truths: the best detection of those that each had its best truth."""
    return _figures(over_items(items, _best_of_bests))


def _figures(scored: Sequence[tuple[float, float]]) -> dict[str, Any]:
    figures = {**means(scored), "avg_recall": recall(iou for iou, _ in scored), "count": len(scored)}
    return with_images(figures, scored)


def _best_detection(item: Item) -> tuple[float, float]:
    truths = drawn(item.truths[:1])
    if not truths:
        raise ReferenceCrash("IndexError", "the ground truth is a row of -1")
    ious = overlaps(truths[0], item.predictions, np.float32)
    return at_best_iou(ious, edge_sums(truths[0], item.predictions, (item.w, item.h), np.float32))


def _best_of_bests(item: Item) -> tuple[float, float]:
    bests = [compare(box, replace(item, predictions=(box,))) for box in item.predictions]
    ious, sums = np.array([b[0] for b in bests], np.float32), np.array([b[1] for b in bests], np.float32)
    best, nearest = int(np.argmax(ious)), int(np.argmin(sums))
    return bests[nearest if ious[best] == sums[nearest] else best]
