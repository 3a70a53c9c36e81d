"""flickr-cropping-dataset, baselines/saliency_crop.py: accuracy on FCDB's ranked pairs.

Departs from the canonical rules: a tie of the scores is wrong, which costs a model that answers in few steps; the crop
with three of five votes or more is preferred, the pairs stand in one order only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crop_reasoning.evaluation.compat.crash import ReferenceCrash

MAJORITY = 3


def evaluate(votes_for_first: Sequence[int], scores: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Correct pairs, all pairs, their ratio and one minus it."""
    if not scores:
        raise ReferenceCrash("ZeroDivisionError", "no pair")
    correct = 0
    for votes, (first, second) in zip(votes_for_first, scores, strict=True):
        correct += first > second if votes >= MAJORITY else second > first
    accuracy = correct / len(scores)
    return {"correct": correct, "total": len(scores), "accuracy": accuracy, "swap_error": 1 - accuracy}
