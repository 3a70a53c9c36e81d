"""What a predicted box is worth against the crops people made: IoU, boundary displacement, recall.

Boxes in, numbers out. This module must not know predictions, files or models; a failed answer reaches it as None.
The definitions are those common to the FCDB and FLMS evaluators: continuous, exclusive corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import WHOLE, Box, iou
from crop_reasoning.records import CropRecord

RECALL_IOU = 0.75
PROTOCOL = (
    "one box an image; several ground truths: IoU is the largest over them, Disp is taken at that one (the smaller "
    "Disp if IoUs tie); Disp = BDE, the mean of four edge displacements in fractions of the sides; recall = share "
    f"with IoU ≥ {RECALL_IOU}; a failed answer counts as IoU 0 and the Disp of the whole frame; no image is left out"
)
_EXACT = 1e-9  # a ratio of [0,1] floats may miss a threshold or a tie that pixels hit exactly


@dataclass(frozen=True, slots=True)
class BoxScore:
    """IoU in [0,1] (higher is better) and Disp in [0,1] (lower is better) of one image."""

    iou: float
    disp: float

    @property
    def recalled(self) -> bool:
        """Whether IoU reaches `RECALL_IOU`; the threshold itself counts."""
        return self.iou >= RECALL_IOU - _EXACT


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
