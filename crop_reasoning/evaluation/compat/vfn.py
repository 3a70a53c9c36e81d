"""View-Finding-Network, vfn_eval.py: FCDB's official evaluator.

Departs from the canonical rules: recall in percent, predictions never clipped, an empty union is a crash. It also
scores the ground truth as one of the candidate windows, which is the ranker's business and not this file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.items import (
    RECALL_IOU,
    Item,
    edge_sums,
    means,
    over_items,
    ratio_of_sides,
    recall,
)


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """Means over all images, each with its first ground truth."""
    scored = over_items(items, _score)
    percent = 100 * recall(iou for iou, _ in scored)
    return {**means(scored), "alpha_recall_percent": percent, "alpha": RECALL_IOU, "count": len(items)}


def _score(item: Item) -> tuple[float, float]:
    truth = item.truths[0]
    sums = edge_sums(item.prediction, [truth], (item.w, item.h), np.float64)
    return ratio_of_sides(truth, item.prediction), float(sums[0])
