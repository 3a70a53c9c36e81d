"""Acc_{K/N} of boxes as Jia et al.'s paper can be read; no released code computes it.

Departs from the canonical `AccBox` in one thing: predictions stand as they are, in pixels, not clipped to the image.
The rule `exactly N` is the second reading: N crops and no more, tied ones in the order of the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import overlaps
from crop_reasoning.evaluation.coordinate import TopRule, best_rated

RETURNS = (1, 2, 3, 4)


def gaicd(scenes: Sequence[Scene], epsilon: float, tops: Sequence[int], rule: TopRule) -> dict[str, list[float]]:
    """For each N the means of K = 1 to 4; N is clamped to the number of candidates."""
    return {
        f"N{top}": [float(np.mean([_share(scene, k, top, epsilon, rule) for scene in scenes])) for k in RETURNS]
        for top in tops
    }


def _share(scene: Scene, k: int, top: int, epsilon: float, rule: TopRule) -> float:
    truths = [scene.candidates[place] for place in best_rated(scene.mos, top, rule)]
    return sum(bool((overlaps(box, truths) >= epsilon).any()) for box in scene.ranked[:k]) / k
