"""GAIC-Pytorch (bo-zhang-cs), evaluate/test.py, cropping_dataset.py and candidate_generation.py.

Departs from the canonical rules: candidates are sorted by MOS on loading, so that tied scores fall to the better crop
(a constant scorer reaches Acc 1); MOS in float32; one of two variants rounds Acc to three digits before averaging.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.candidates import (
    Image,
    accuracies,
    averages,
    correlations,
    named,
    weighted_accuracies,
    with_means,
)
from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.huizeng import resized

LEAST_SIDE = 100


def official(images: Sequence[Image]) -> dict[str, Any]:
    """The variant that follows the authors' script."""
    table = accuracies(images, by_mos=True)
    return {
        **named(table, "acc4"),
        **averages(images, table),
        **named(weighted_accuracies(images, by_mos=True), "wacc4"),
        **with_means(correlations(images, by_mos=True, single=True)),
    }


def rounded(images: Sequence[Image]) -> dict[str, Any]:
    """The variant that rounds each Acc_{K/N} to three digits first."""
    table = accuracies(images, by_mos=True, digits=3)
    found = with_means(correlations(images, by_mos=True, single=True))
    return {**named(table, "acc4"), **averages(images, table), **found}


def grid(w: int, h: int) -> list[list[int]]:
    """Candidates `x1 y1 x2 y2`, cut to whole pixels; the loops run over x first, which is another order."""
    if min(w, h) <= LEAST_SIDE:
        raise ReferenceCrash("AssertionError", f"a side of {w} x {h} px is not above {LEAST_SIDE} px")
    step_w, step_h = w / 12, h / 12
    found = []
    for left, top, right, bottom in product(range(4), range(4), range(8, 12), range(8, 12)):
        aspect = (bottom - top) * step_h / ((right - left) * step_w)
        if (right - left) * (bottom - top) / 144.0 > 0.4999 and 0.5 < aspect < 2.0:
            edges = ((step_w, left), (step_h, top), (step_w, right), (step_h, bottom))
            found.append([int(step * (0.5 + place)) for step, place in edges])
    return found


def rescale(rows: Sequence[Sequence[float]], w: int, h: int, short: float) -> list[list[float]]:
    """Boxes of the annotation, best MOS first, grown to whole pixels of the resized image, `x1 y1 x2 y2`."""
    new_w, new_h = resized(w, h, short)
    ratio_w, ratio_h = float(new_w) / w, float(new_h) / h
    found = [
        [
            math.floor(int(row[1]) * ratio_w),
            math.floor(int(row[0]) * ratio_h),
            math.ceil(int(row[3]) * ratio_w),
            math.ceil(int(row[2]) * ratio_h),
        ]
        for row in rows
    ]
    return np.array(found, np.float32).reshape(-1, 4).tolist()
