"""UNIC, util/misc.py (meters during training) and init_view/val.py: one predicted box against exactly N candidates.

Departs from the canonical rules: exactly N ground truths, of tied ones those that `torch.topk` happens to return. The
meters want an IoU strictly above the threshold, in float32 fractions; the script reaches it, in float64 pixels. (The
released runs use images with an MOS above 4 alone and divide by 349; that is the caller's choice of images.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import overlaps
from crop_reasoning.evaluation.compat.network import Array, center_form, corner_form
from crop_reasoning.evaluation.compat.torch_topk import topk


def meter(scenes: Sequence[Scene], epsilon: float, top: int) -> dict[str, Any]:
    """`accuracy_best` (N = 5) and `accuracy_best_10`: strictly above, float32, fractions of the image."""
    per_image: list[Any] = []
    chosen: list[list[int] | None] = []
    for scene in scenes:
        try:
            places = topk(np.asarray(scene.mos, np.float32).tolist(), top)
        except ReferenceCrash as crash:
            per_image.append({"error": crash.kind})
            chosen.append(None)
            continue
        truths = _fractions([scene.candidates[place] for place in places], scene)
        box = _fractions([scene.ranked[0]], scene)[0]
        per_image.append(float(np.max(overlaps(box, truths, np.float32)) > np.float32(epsilon)))
        chosen.append(places)
    crashed = None in chosen
    return {"per_image": per_image, "mean": None if crashed else float(np.mean(per_image)), "selected_gt_index": chosen}


def script(scenes: Sequence[Scene], epsilon: float, top: int = 5) -> dict[str, Any]:
    """`val.py`: at least the threshold, float64, pixels; truths clipped to the image."""
    chosen = [topk(np.asarray(scene.mos, np.float32).tolist(), top) for scene in scenes]
    largest = []
    for scene, places in zip(scenes, chosen, strict=True):
        sides = np.array([scene.w, scene.h, scene.w, scene.h], np.float32)
        truths = np.clip(np.array([scene.candidates[place] for place in places], np.float32), 0, sides)
        largest.append(max(0.0, float(np.max(overlaps(scene.ranked[0], truths)))))
    hits = [int(iou >= epsilon) for iou in largest]
    return {"per_image": hits, "mean": float(np.mean(hits)), "max_iou": largest, "selected_gt_index": chosen}


def _fractions(boxes: Sequence[Sequence[float]], scene: Scene) -> Array:
    return corner_form(center_form(boxes, (scene.w, scene.h)))
