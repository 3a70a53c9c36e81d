"""A community replication of Cropper, evaluation/metrics.py: any of K boxes with IoU above .5 with any of N crops.

Kept to show how far a lenient reading inflates a figure: the whole image scores 1 on all of GAICD v1's test photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.shuttermuse import guarded_iou

OVERLAP = 0.5
RETURNS = (1, 2, 3, 4)


def gaicd(scenes: Sequence[Scene], tops: Sequence[int]) -> dict[str, Any]:
    """For each N the shares of images for K = 1 to 4; too few boxes or crops are a miss."""
    return {f"N{top}": [float(np.mean([_hit(scene, k, top) for scene in scenes])) for k in RETURNS] for top in tops}


def _hit(scene: Scene, k: int, top: int) -> bool:
    if len(scene.predictions) < k or len(scene.candidates) < top:
        return False
    truths = [scene.candidates[place] for place in scene.best_first[:top]]
    return any(_iou(box, truth) > OVERLAP for box in scene.ranked[:k] for truth in truths)


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    meet = min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
    return guarded_iou(a, b) if meet else 0.0
