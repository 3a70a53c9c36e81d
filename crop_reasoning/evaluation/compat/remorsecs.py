"""pytorch-view-finding-network (remorsecs), evaluation.py: FCDB with recall strictly above the threshold.

Departs from the canonical rules: `>` instead of `≥`, percent, float32, predictions never clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.items import RECALL_IOU, Item, edge_sums, overlaps


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """Float32 means over all images, each with its first ground truth."""
    ious = np.array([overlaps(i.prediction, [i.truths[0]], np.float32)[0] for i in items], np.float32)
    sums = [edge_sums(i.prediction, [i.truths[0]], (i.w, i.h), np.float32)[0] for i in items]
    return {
        "avg_iou": float(ious.mean()),
        "avg_disp": float((np.array(sums, np.float32) / np.float32(4)).mean()),
        "alpha_recall_percent": float((100 * (ious > RECALL_IOU)).astype(np.float32).mean()),
        "count": len(items),
    }
