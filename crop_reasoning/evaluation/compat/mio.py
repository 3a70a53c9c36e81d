"""Multi in One (MIO), datasets/sacd_eval.py: SACD's IoU alone, in float32, one entry a subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.items import Item, overlaps
from crop_reasoning.evaluation.compat.network import through_network


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """The largest IoU of the first prediction over all truths, and the mean."""
    ious = [np.max(overlaps(i.prediction, through_network(i.truths, (i.w, i.h)), np.float32)) for i in items]
    return {"avg_iou": float(np.mean(np.array(ious, np.float32))), "per_image": [float(iou) for iou in ious]}
