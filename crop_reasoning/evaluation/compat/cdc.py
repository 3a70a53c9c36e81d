"""cropping-design-constraints (CDC), test.py: IoU alone, boxes in whole pixels; no truth left is a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import Item, drawn, overlaps, whole_pixels


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """The largest IoU of each image, and the mean."""
    ious = [_score(item) for item in items]
    return {"per_image": ious, "avg_iou": float(np.mean(ious)) if ious else float("nan")}


def _score(item: Item) -> float:
    truths = [whole_pixels(truth) for truth in drawn(item.truths)]
    if not truths:
        raise ReferenceCrash("ValueError", "no ground truth is left to take the largest IoU of")
    return float(np.max(overlaps(whole_pixels(item.prediction), truths)))
