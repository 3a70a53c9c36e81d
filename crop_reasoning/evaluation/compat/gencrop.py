"""GenCrop, test_gencrop_u.py and util/box.py: FCDB, FLMS and SACD.

Departs from the canonical rules: every row of the list is a ground truth (padding and inverted rows too), predictions
are never clipped, an invalid one keeps the Disp of its own edges. SACD's truths are the best box and every crop box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import (
    Item,
    area,
    at_best_iou,
    edge_sums,
    intersections,
    means,
    over_items,
    with_images,
)


def evaluate(items: Sequence[Item], *, best_box_only: bool = False) -> dict[str, Any]:
    """Means over all images (SACD: over all subjects); `best_box_only` leaves out every truth but the first."""
    if best_box_only:
        items = [replace(item, truths=item.truths[:1]) for item in items]
    scored = over_items(items, _score)
    return with_images(means(scored), scored)


def _score(item: Item) -> tuple[float, float]:
    ious = np.array([box_iou(item.prediction, truth) for truth in item.truths])
    return at_best_iou(ious, edge_sums(item.prediction, item.truths, (item.w, item.h), np.float64))


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU that is 0 without dividing wherever nothing is shared."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shared = float(intersections(one, other[None])[0])
    if shared <= 0:
        return 0.0
    union = float(area(one) + area(other)) - shared
    if union == 0:
        raise ReferenceCrash("ZeroDivisionError", "the union of the two boxes is empty")
    return shared / union
