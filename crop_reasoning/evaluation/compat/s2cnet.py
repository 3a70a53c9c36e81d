"""S2CNet, test.py: the averages of Acc_{K/N} and SRCC, candidates in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crop_reasoning.evaluation.compat.candidates import Image, accuracies, correlations, reference_averages


def candidate_mode(images: Sequence[Image]) -> dict[str, Any]:
    """As HCIC's, but candidates are not sorted by MOS."""
    return reference_averages(images, lambda: accuracies(images), correlations(images))
