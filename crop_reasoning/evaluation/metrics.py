"""What a predicted box is worth against the crops people made: IoU, boundary displacement, recall.

Boxes in, numbers out. This module must not know predictions, files or models; a failed answer reaches it as None.
The definitions are those common to the FCDB and FLMS evaluators: continuous, exclusive corners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import WHOLE, Box, Size, aspect_px, inside, iou
from crop_reasoning.records import CropRecord

RECALL_IOU = 0.75
PROTOCOL = (
    "one box an image; several ground truths: IoU is the largest over them, Disp is taken at that one (the smaller "
    "Disp if IoUs tie); Disp = BDE, the mean of four edge displacements in fractions of the sides; recall = share "
    f"with IoU ≥ {RECALL_IOU}; a failed answer counts as IoU 0 and the Disp of the whole frame; no image is left out"
)
WHOLE_SUBJECT = 0.98
"""A subject of which this share is inside counts as kept whole: its own box is no more exact than that."""
_EXACT = 1e-9  # a ratio of [0,1] floats may miss a threshold or a tie that pixels hit exactly
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class BoxScore:
    """IoU in [0,1] (higher is better) and Disp in [0,1] (lower is better) of one image."""

    iou: float
    disp: float

    @property
    def recalled(self) -> bool:
        """Whether IoU reaches `RECALL_IOU`; the threshold itself counts."""
        return self.iou >= RECALL_IOU - _EXACT


@dataclass(frozen=True, slots=True)
class BoxScores:
    """IoU and Disp of n images, (n,) each, as in `BoxScore`."""

    iou: Array
    disp: Array

    def recall(self, threshold: float = RECALL_IOU) -> float:
        """recall@threshold: the share of images whose IoU reaches it, in [0,1]; the threshold itself counts."""
        return float(np.mean(self.iou >= threshold - _EXACT))


@dataclass(frozen=True, slots=True)
class KeepAccuracy:
    """How well "keep the photo as it is" is told from "crop it", in [0,1].

    `accuracy` is over all photos, `kept` over the `n_keep` that are best as they are, `cropped` over the others; None
    where there are none of a kind.
    """

    accuracy: float
    kept: float | None
    cropped: float | None
    n: int
    n_keep: int


FAILED_IOU = 0.0


def displacement(a: Box, b: Box) -> float:
    """Boundary displacement (Disp, BDE): the mean of the four edge distances, as fractions of the image's sides.

    >>> round(displacement(Box(0, 0, 1, 1), Box(0.1, 0.2, 0.9, 1)), 4)
    0.1
    """
    return sum(abs(p - q) for p, q in zip(a.xyxy, b.xyxy, strict=True)) / 4


def score_box(box: Box | None, truths: Sequence[Box]) -> BoxScore:
    """The score of one prediction against one or more ground truths; None is an answer that yielded no box.

    IoU is the maximum over the truths, Disp that of the truth with the maximal IoU (the smaller one on ties). A failed
    answer gets IoU 0 and the Disp that the whole frame would get, so both means share one denominator.

    >>> score_box(Box(0, 0, 0.5, 1), [Box(0, 0, 1, 1), Box(0, 0, 0.5, 0.8)])
    BoxScore(iou=0.8, disp=0.04999999999999999)
    >>> score_box(None, [Box(0, 0, 0.5, 1)])
    BoxScore(iou=0.0, disp=0.125)
    """
    if not truths:
        raise DataError("no ground truth to score against; leave the image out and count it (`n_without_truth`)")
    if box is None:
        return BoxScore(FAILED_IOU, score_box(WHOLE, truths).disp)
    overlaps = [iou(box, truth) for truth in truths]
    largest = max(overlaps)
    tied = (displacement(box, t) for o, t in zip(overlaps, truths, strict=True) if o >= largest - _EXACT)
    return BoxScore(largest, min(tied))


def ground_truths(record: CropRecord) -> tuple[Box, ...]:
    """The crops a prediction is scored against: all of the record's highest score, hence several where people drew
    several (FLMS) and one where one was drawn or ranked first (FCDB). Empty for a record without crops."""
    if not record.crops:
        return ()
    top = max(crop.score for crop in record.crops)
    return tuple(crop.box for crop in record.crops if crop.score == top)


def score_many(boxes: Array, truths: Array, counts: Sequence[int]) -> BoxScores:
    """`score_box` of n images at once: `boxes` (n, 4) xyxy in [0,1], a row of NaN for a failed answer.

    `truths` (m, 4) are those of all images, one image after the other, `counts` (n,) how many each has; m is their sum.
    `DataError` for an image without a truth and for lengths that do not fit.
    """
    sizes = np.asarray(counts, np.int64)
    if boxes.shape != (len(sizes), 4) or truths.shape != (sizes.sum(), 4) or not len(sizes) or sizes.min() < 1:
        raise DataError(
            f"boxes of shape {boxes.shape}, truths of {truths.shape}, {len(sizes)} counts: expected (n, 4), (m, 4) and "
            "n counts of at least 1 that sum to m; leave images without ground truth out and count them"
        )
    failed = np.isnan(boxes.sum(axis=1))
    given = np.where(failed[:, None], np.array(WHOLE.xyxy), boxes)
    each, starts = np.repeat(given, sizes, axis=0), np.cumsum(sizes) - sizes
    overlap, apart = _overlaps(each, truths), np.abs(each - truths).sum(axis=1) / 4
    largest = np.maximum.reduceat(overlap, starts)
    at_largest = overlap >= np.repeat(largest, sizes) - _EXACT
    disp = np.minimum.reduceat(np.where(at_largest, apart, np.inf), starts)
    return BoxScores(np.where(failed, FAILED_IOU, largest), disp)


def by_annotator(box: Box | None, truths: Sequence[Box]) -> tuple[BoxScore, ...]:
    """The score against each annotator's crop alone, in their order: what CUHK-ICD reports, a mean for each person."""
    return tuple(score_box(box, [truth]) for truth in truths)


def oracle_at_k(boxes: Sequence[Box | None], truths: Sequence[Box], k: int) -> BoxScore:
    """`oracle@k`: the score of that one of the first `k` boxes which the ground truth itself would choose.

    The largest IoU counts, of equal ones the smaller Disp; boxes that are missing or None are failed answers. It bounds
    what a better choice among the proposals could reach, and is no result of a method: never report it as one.
    """
    scores = [score_box(box, truths) for box in (*boxes[:k], *([None] if not boxes[:k] else []))]
    return max(scores, key=lambda score: (score.iou, -score.disp))


def subject_kept(box: Box | None, subject: Box) -> float:
    """The share of the subject's box that the crop keeps: 1 kept whole, 0 lost, between them cut; a failed answer 0.

    >>> subject_kept(Box(0, 0, 0.5, 1), Box(0.25, 0, 0.75, 1))
    0.5
    """
    return inside(subject, box) if box else 0.0


def is_subject_cut(box: Box | None, subject: Box) -> bool:
    """Whether the crop keeps less of the subject than `WHOLE_SUBJECT`, or nothing; so does a failed answer."""
    return subject_kept(box, subject) < WHOLE_SUBJECT


def aspect_error(box: Box | None, aspect: tuple[float, float], wh: Size) -> float:
    """|ln(width / height of the crop in pixels ÷ the ratio asked for)|: 0 is exact, .1 about a tenth too wide or high.

    A failed answer has the error of the whole frame, as with Disp.

    >>> aspect_error(Box(0, 0, 1, 0.5), (2, 1), (100, 100))
    0.0
    """
    return abs(math.log(aspect_px(box or WHOLE, wh) * aspect[1] / aspect[0]))


def keep_accuracy(kept: Sequence[bool | None], best_kept: Sequence[bool]) -> KeepAccuracy:
    """Decisions to keep (None: a failed answer, wrong either way) against what people say is best.

    >>> keep_accuracy([True, False, None], [True, True, False])
    KeepAccuracy(accuracy=0.3333333333333333, kept=0.5, cropped=0.0, n=3, n_keep=2)
    """
    if not kept or len(kept) != len(best_kept):
        raise DataError(f"{len(kept)} decisions for {len(best_kept)} photos: expected as many of each, at least one")
    right = [decision is not None and decision == best for decision, best in zip(kept, best_kept, strict=True)]
    of = {kind: [r for r, best in zip(right, best_kept, strict=True) if best == kind] for kind in (True, False)}
    shares = {kind: sum(values) / len(values) if values else None for kind, values in of.items()}
    return KeepAccuracy(sum(right) / len(right), shares[True], shares[False], len(right), len(of[True]))


def _overlaps(a: Array, b: Array) -> Array:
    """IoU of rows with rows; valid boxes have an area, so there is always a union."""
    width = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas = [(one[:, 2] - one[:, 0]) * (one[:, 3] - one[:, 1]) for one in (a, b)]
    return shared / (areas[0] + areas[1] - shared)
