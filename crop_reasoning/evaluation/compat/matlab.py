"""GAICD's authors in MATLAB, testModel.m (transcribed), before and after the correction of July 2019.

Before it, Acc_{K/N} judged the K-th return alone: figures for K ≥ 2 published until then compare with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crop_reasoning.evaluation.compat.candidates import Image, accuracies, named


def candidate_mode(images: Sequence[Image], *, kth_only: bool = False) -> dict[str, Any]:
    """Acc_{K/N} in the file's order; `kth_only` is the rule before the correction."""
    return named(accuracies(images, kth_only=kth_only), "acc4")
