"""Coordinates projected onto the candidate list: each box stands for the candidate it overlaps most.

Proposed in third-party plans; no released evaluator does it. A box that overlaps none stands for the first candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import overlaps

RETURNS = (1, 2, 3, 4)


def gaicd(scenes: Sequence[Scene], tops: Sequence[int]) -> dict[str, Any]:
    """For each N the figures of K = 1 to 4, tie-inclusive, N clamped to the number of candidates."""
    return {f"N{top}": [float(np.mean([_share(scene, k, top) for scene in scenes])) for k in RETURNS] for top in tops}


def _share(scene: Scene, k: int, top: int) -> float:
    limit = sorted(scene.mos, reverse=True)[min(top, len(scene.mos)) - 1]
    places = [int(np.argmax(np.nan_to_num(overlaps(box, scene.candidates)))) for box in scene.ranked[:k]]
    return sum(scene.mos[place] >= limit for place in places) / k
