"""Coordinate mode: whether the boxes a model writes meet the crops that people rated best.

A figure of this mode lies 7 to 29 points above the candidate-mode figure of the same predictor, so it has a name of its
own, `AccBox`, and its label says K, N, the threshold and the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, iou

TopRule = Literal["tie-inclusive", "exactly N"]
_EXACT = 1e-9  # a ratio of [0,1] floats may miss a threshold that pixels reach exactly


def acc_box_label(k: int, top: int, epsilon: float, rule: TopRule = "tie-inclusive") -> str:
    """The name a figure is printed under.

    >>> acc_box_label(1, 5, 0.9)
    'AccBox_{1/5}@0.90 (boxes, tie-inclusive, IoU ≥ 0.90)'
    """
    return f"AccBox_{{{k}/{top}}}@{epsilon:.2f} (boxes, {rule}, IoU ≥ {epsilon:.2f})"


def best_rated(mos: Sequence[float], top: int, rule: TopRule = "tie-inclusive") -> list[int]:
    """Places of the `top` best-rated candidates, with all that tie with the last one unless `exactly N`.

    With `exactly N` ties fall to the candidate that stands first. N is clamped to the number of candidates.

    >>> best_rated([3.0, 5.0, 4.0, 4.0], 2), best_rated([3.0, 5.0, 4.0, 4.0], 2, "exactly N")
    ([1, 2, 3], [1, 2])
    """
    if not mos or top < 1:
        raise DataError(f"{len(mos)} rated candidates, the best {top} of them: expected at least one of each")
    order = sorted(range(len(mos)), key=lambda place: -mos[place])[: min(top, len(mos))]
    if rule == "exactly N":
        return order
    return [place for place, value in enumerate(mos) if value >= mos[order[-1]]]


def acc_box(
    boxes: Sequence[Box | None],
    candidates: Sequence[Box],
    mos: Sequence[float],
    *,
    k: int,
    top: int,
    epsilon: float,
    rule: TopRule = "tie-inclusive",
) -> float:
    """The share of the first `k` boxes (best first) whose IoU with a top-N candidate is at least `epsilon`, in [0,1].

    None is an answer without a box, a miss like every box that was not given: the divisor is always `k`.

    >>> grid = [Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1)]
    >>> acc_box([Box(0, 0, 0.5, 1), None], grid, [4.0, 2.0], k=2, top=1, epsilon=0.9)
    0.5
    """
    truths = [candidates[place] for place in best_rated(mos, top, rule)]
    hits = [box is not None and max(iou(box, truth) for truth in truths) >= epsilon - _EXACT for box in boxes[:k]]
    return sum(hits) / k
