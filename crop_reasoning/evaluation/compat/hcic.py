"""Human-Centric-Image-Cropping (HCIC), test.py: box metrics on FLMS; its candidate metrics are in `candidates`.

Departs from the canonical rules: truths beyond the image are dropped, predictions are cut to whole pixels and never
clipped, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crop_reasoning.evaluation.compat.cacnet import compare
from crop_reasoning.evaluation.compat.candidates import Image, accuracies, correlations, reference_averages
from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import Item, means, recall, whole_pixels


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """Means over all images; where one has no truth left, only what each image gave."""
    per_image: list[Any] = []
    crashed = False
    for item in items:
        inside = [t for t in item.truths if t[0] >= 0 and t[1] >= 0 and t[2] <= item.w and t[3] <= item.h]
        try:
            iou, total = compare(whole_pixels(item.prediction), replace(item, truths=tuple(inside)))
            per_image.append([iou, total / 4])
        except ReferenceCrash as crash:
            per_image.append({"error": crash.kind})
            crashed = True
    if crashed:
        return {"per_image": per_image, "error": "see per_image"}
    return {**means(per_image), "avg_recall": recall(iou for iou, _ in per_image), "per_image": per_image}


def candidate_mode(images: Sequence[Image]) -> dict[str, Any]:
    """SRCC and the two averages of Acc_{K/N}, candidates sorted by MOS as its annotation file has them."""
    return reference_averages(images, lambda: accuracies(images, by_mos=True), correlations(images, by_mos=True))
