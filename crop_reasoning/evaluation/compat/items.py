"""Switches of the evaluators that compare one predicted box with the crops people drew, in pixels.

Boxes are `x1 y1 x2 y2` in pixels, possibly inverted or beyond the image: what a reference does with those is the point.
Arrays keep the reference's own precision (`dtype`), because float32 decides at a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash

RECALL_IOU = 0.75
Array = np.ndarray[Any, np.dtype[Any]]
Scored = tuple[float, float]
"""IoU and Disp (a quarter of the sum of four edge distances) of one image."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image of size `w` x `h` with its ground truths and one prediction, or several, best first."""

    w: int
    h: int
    truths: tuple[tuple[float, ...], ...]
    predictions: tuple[tuple[float, ...], ...]

    @property
    def prediction(self) -> tuple[float, ...]:
        return self.predictions[0]


def overlaps(
    box: Sequence[float] | Array, truths: Sequence[Sequence[float]] | Array, dtype: type = np.float64
) -> Array:
    """IoU of `box` (4,) with `truths` (g, 4): signed areas, and 0/0 is NaN, as array code without a guard has it."""
    a: Array = np.asarray(box, dtype)
    b: Array = np.asarray(truths, dtype).reshape(-1, 4)
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = intersections(a, b)
        union = area(b) + area(a) - shared
        return shared / union


def intersections(a: Array, b: Array) -> Array:
    """The area shared with each row of `b`, none if they do not meet."""
    width = np.maximum(b.dtype.type(0), np.minimum(b[:, 2], a[2]) - np.maximum(b[:, 0], a[0]))
    height = np.maximum(b.dtype.type(0), np.minimum(b[:, 3], a[3]) - np.maximum(b[:, 1], a[1]))
    return width * height


def area(boxes: Array) -> Array:
    """Signed areas of (..., 4): negative for a box that is inverted in one direction."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def edge_sums(
    box: Sequence[float] | Array, truths: Sequence[Sequence[float]] | Array, wh: tuple[float, float], dtype: type
) -> Array:
    """The sum of the four edge distances to each truth, x over the width and y over the height."""
    distance = np.abs(np.asarray(truths, dtype).reshape(-1, 4) - np.asarray(box, dtype))
    w, h = dtype(wh[0]), dtype(wh[1])
    return (distance[:, 0] + distance[:, 2]) / w + (distance[:, 1] + distance[:, 3]) / h


def drawn(truths: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """The truths without the rows of -1 that pad a list: those whose first number is negative are dropped."""
    return [truth for truth in truths if truth[0] >= 0]


def at_best_iou(ious: Array, sums: Array) -> tuple[float, float]:
    """IoU and edge sum of the truth with the largest IoU; of the nearest one only if its IoU is exactly as large."""
    if not len(ious):
        raise ReferenceCrash("IndexError", "no ground truth is left to take the largest IoU of")
    best, nearest = int(np.argmax(ious)), int(np.argmin(sums))
    index = nearest if ious[best] == ious[nearest] else best
    return float(ious[index]), float(sums[index])


def whole_pixels(box: Sequence[float]) -> tuple[int, ...]:
    """The box cut to whole pixels, toward zero."""
    return tuple(int(value) for value in box)


def ratio_of_sides(x1: Sequence[float], x2: Sequence[float]) -> float:
    """IoU by plain division, as Python code without a guard has it: an empty union is an error."""
    shared = max(0, min(x1[2], x2[2]) - max(x1[0], x2[0])) * max(0, min(x1[3], x2[3]) - max(x1[1], x2[1]))
    union = (x1[2] - x1[0]) * (x1[3] - x1[1]) + (x2[2] - x2[0]) * (x2[3] - x2[1]) - shared
    if union == 0:
        raise ReferenceCrash("ZeroDivisionError", "the union of the two boxes is empty")
    return shared / union


def means(scored: Sequence[Scored]) -> dict[str, float]:
    """`avg_iou` and `avg_disp`; no image at all is a division by zero."""
    if not scored:
        raise ReferenceCrash("ZeroDivisionError", "no image")
    return {
        "avg_iou": sum(iou for iou, _ in scored) / len(scored),
        "avg_disp": sum(disp for _, disp in scored) / len(scored),
    }


def recall(ious: Iterable[float], threshold: float = RECALL_IOU) -> float:
    """The share of images whose IoU reaches the threshold."""
    reached = [iou >= threshold for iou in ious]
    return sum(reached) / len(reached)


def over_items(items: Sequence[Item], score: Callable[[Item], Scored]) -> list[Scored]:
    """`score` of every item, with the edge sums it gives turned into Disp."""
    return [(iou, total / 4) for iou, total in map(score, items)]


def with_images(figures: dict[str, Any], scored: Sequence[Scored]) -> dict[str, Any]:
    """The figures with those of each image beside them."""
    return {**figures, "per_image": [list(pair) for pair in scored]}
