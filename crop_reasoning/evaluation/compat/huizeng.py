"""GAICD's authors in PyTorch (HuiZeng), TestAccuracy.py and croppingDataset.py; grid and resizing of their demo.

Departs from the canonical rules: tied scores keep the file's order, one constant image makes SRCC and PCC NaN, fewer
than ten candidates are a crash. (The released script also divides by 200 whatever the number of images; not kept.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from crop_reasoning.evaluation.compat.candidates import (
    MOS_MEAN,
    MOS_SPREAD,
    Image,
    accuracies,
    correlations,
    named,
    weighted_accuracies,
    with_means,
)

BINS = 12.0
STEPS = {"16_9": (16, 9), "4_3": (16, 12), "1_1": (12, 12)}
"""Width and height, px, that one step of a fixed ratio's windows grows by and moves by."""
Row = Sequence[float]


def candidate_mode(images: Sequence[Image]) -> dict[str, Any]:
    """All figures of the authors' test script."""
    return {
        **named(accuracies(images), "acc4"),
        **named(weighted_accuracies(images), "wacc4"),
        **with_means(correlations(images)),
    }


def grid(w: float, h: float) -> list[list[float]]:
    """The demo's candidates, `y1 x1 y2 x2`, not rounded: 0.5 < width / height < 2, tighter than the annotation's."""
    step_w, step_h = w / BINS, h / BINS
    found = []
    for top, left, bottom, right in product(range(4), range(4), range(8, 12), range(8, 12)):
        aspect = (right - left) * step_w / (bottom - top) / step_h
        if (bottom - top) * (right - left) > 0.4999 * BINS * BINS and 0.5 < aspect < 2.0:
            edges = ((step_h, top), (step_w, left), (step_h, bottom), (step_w, right))
            found.append([step * (0.5 + place) for step, place in edges])
    return found


def fixed_ratio(w: int, h: int, ratio: str) -> list[list[float]]:
    """Windows of one ratio with over .4 of the image, `y1 x1 y2 x2`; the last row and column are *inside*."""
    step_w, step_h = STEPS[ratio]
    found = []
    for size in range(14, 30):
        width, height = step_w * size, step_h * size
        if height < h and width < w and height * width > 0.4 * h * w:
            for left, top in product(range(0, w - width, step_w), range(0, h - height, step_h)):
                found.append([float(top), float(left), float(top + height - 1), float(left + width - 1)])
    return found


def resized(w: int, h: int, short: float) -> tuple[int, int]:
    """Width and height with the short side near `short`, both multiples of 32."""
    scale = short / min(w, h)
    return round(w * scale / 32.0) * 32, round(h * scale / 32.0) * 32


def transform(rows: Sequence[Row], w: int, h: int, short: float) -> dict[str, Any]:
    """What the network is given: the resized sides, boxes grown to whole pixels, and normalized MOS."""
    new_w, new_h = resized(w, h, short)
    scale_w, scale_h = float(new_w) / w, float(new_h) / h
    box = {
        "xmin": [math.floor(row[1] * scale_w) for row in rows],
        "ymin": [math.floor(row[0] * scale_h) for row in rows],
        "xmax": [math.ceil(row[3] * scale_w) for row in rows],
        "ymax": [math.ceil(row[2] * scale_h) for row in rows],
    }
    return {"resized_hw": [new_h, new_w], "bbox": box, "MOS": [(row[4] - MOS_MEAN) / MOS_SPREAD for row in rows]}


def source_boxes(w: int, h: int, short: float) -> list[list[int]]:
    """The demo's candidates of the resized image, rounded to the pixels of the source, `y1 x1 y2 x2`."""
    new_w, new_h = resized(w, h, short)
    scale_w, scale_h = w / float(new_w), h / float(new_h)
    scales = (scale_h, scale_w, scale_h, scale_w)
    return [[round(edge * scale) for edge, scale in zip(box, scales, strict=True)] for box in grid(new_w, new_h)]
