"""Listwise-View-Ranking, eval.py: FCDB, FLMS and CUHK-ICD.

Departs from the canonical rules: boxes are whole pixels; on FLMS a truth that sticks out is dropped and, of truths with
equal IoU, the *larger* Disp counts, so IoU 0 gets the worst one; on ICD the recall counter is never incremented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.items import (
    Item,
    edge_sums,
    means,
    over_items,
    ratio_of_sides,
    recall,
    whole_pixels,
)

ROWS = 10
"""FLMS lists this many rows a photo, and no more are read."""


def fcdb(items: Sequence[Item]) -> dict[str, Any]:
    """One ground truth an image."""
    return _figures(over_items(items, lambda item: _compare(item, item.truths[0])))


def flms(items: Sequence[Item]) -> dict[str, Any]:
    """Several ground truths; an image of which none is left scores IoU 0 and Disp 0."""
    return _figures(
        over_items(items, lambda item: _worst_of_best(item, [t for t in item.truths[:ROWS] if _fits(t, item)]))
    )


def icd(items: Sequence[Item]) -> dict[str, Any]:
    """Each annotator alone, and the best of them; recall is 0 whatever the predictions."""
    annotators = min((len(item.truths) for item in items), default=0)
    separate = []
    for number in range(annotators):
        scored = over_items(items, lambda item, number=number: _compare(item, item.truths[number]))  # type: ignore[misc]
        separate.append({**means(scored), "alpha_recall_percent": 0.0})
    best = means(over_items(items, lambda item: _worst_of_best(item, item.truths)))
    return {"per_annotator": separate, "best_of_3": best, "count": len(items)}


def _figures(scored: Sequence[tuple[float, float]]) -> dict[str, Any]:
    percent = 100 * recall(iou for iou, _ in scored)
    return {**means(scored), "alpha_recall_percent": percent, "count": len(scored)}


def _fits(truth: Sequence[float], item: Item) -> bool:
    return truth[0] != -1 and truth[2] <= item.w and truth[3] <= item.h


def _compare(item: Item, truth: Sequence[float]) -> tuple[float, float]:
    box = whole_pixels(item.prediction)
    return ratio_of_sides(truth, box), float(edge_sums(box, [truth], (item.w, item.h), np.float64)[0])


def _worst_of_best(item: Item, truths: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Pairs are compared in full: of equal IoUs the larger edge sum wins."""
    return max([(0.0, 0.0), *(_compare(item, truth) for truth in truths)])
