"""VLM-R1, test_rec_r1.py and test_rec_baseline.py: grounding, one box an answer, in pixels.

Departs from the canonical rules: no box is `[0, 0, 0, 0]`; the intersection is computed on inclusive last pixels, so an
overlap of one pixel or less in a direction scores 0; an empty union is a crash; a hit is an IoU strictly above .5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import Item

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_WHOLE = re.compile(r"\{.*\[" + r",\s*".join([r"(\d+)"] * 4) + r"\]\s*.*\}", re.DOTALL)
_ANY = re.compile(r"\[" + ",".join([r"\s*(-?\d*\.?\d+)\s*"] * 4) + r"\]")


def tagged(text: str, item: Item) -> dict[str, Any]:
    """The last list of four whole numbers within braces, within the first answer tag."""
    answer = _ANSWER.search(text)
    found = _WHOLE.search(answer.group(1).strip()) if answer else None
    box = [int(number) for number in found.groups()] if found else [0, 0, 0, 0]
    overlap = iou(box, item.truths[0])
    return {"box": box, "iou": overlap, "correct_at_0_5": overlap > 0.5}


def anywhere(text: str, item: Item) -> dict[str, Any]:
    """The first list of four numbers."""
    found = _ANY.search(text)
    box = [float(number) for number in found.groups()] if found else [0, 0, 0, 0]
    return {"box": box, "iou": iou(box, item.truths[0])}


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """The reference's IoU; inverted boxes have signed areas."""
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right, bottom = min(a[2], b[2]) - 1, min(a[3], b[3]) - 1
    shared = (right - left + 1) * (bottom - top + 1) if left < right and top < bottom else 0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    if union == 0:
        raise ReferenceCrash("ZeroDivisionError", "the union of the two boxes is empty")
    return float(shared) / union
