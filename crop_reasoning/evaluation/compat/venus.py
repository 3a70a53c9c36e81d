"""Venus, 2_turn.py and 3_calc_on_FLMS.py: reads `(x,y)` points out of an answer and scores the first two on FLMS.

Departs from the canonical rules: no spaces, signs or decimals are read; an answer without a point, or with one, stops
the script; a number above 1000 anywhere makes the box invalid: IoU 0 and the smallest Disp of the whole frame (over the
padding rows as well), counted; an inverted box keeps the Disp of its own edges. Float32.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.cacnet import compare
from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import Item, edge_sums, means, recall

GRID = 1000
_POINT = re.compile(r"\((\d+),(\d+)\)")


def read_text(text: str, item: Item) -> dict[str, Any]:
    """The numbers found, and what the script makes of the image."""
    try:
        result = evaluate([(text, item)])
    except ReferenceCrash as crash:
        result = {"error": crash.kind}
    return {"coordinates_string": coordinates(text), "result": result}


def evaluate(answers: Sequence[tuple[str, Item]]) -> dict[str, Any]:
    """Means over all images, and how many had a valid box."""
    scored = []
    n_valid = 0
    for text, item in answers:
        found = coordinates(text)
        if found is None:
            raise ReferenceCrash("KeyError", "an answer without a point is missing in the file")
        numbers = np.array([float(number) for number in found.split()], np.float32)
        valid = bool((numbers <= GRID).all())
        n_valid += valid
        iou, total = _score(numbers, item) if valid else _invalid(item)
        scored.append((iou, total / 4))
    return {
        **means(scored),
        "avg_recall": recall(iou for iou, _ in scored),
        "valid_crop": n_valid,
        "count": len(scored),
    }


def coordinates(text: str) -> str | None:
    """All points of the answer as one line of numbers; None if there is none."""
    return " ".join(f"{x} {y}" for x, y in _POINT.findall(text)) or None


def _score(numbers: np.ndarray[Any, np.dtype[np.float32]], item: Item) -> tuple[float, float]:
    if len(numbers) < 4:
        raise ReferenceCrash("IndexError", "one point is no box")
    side = np.array([item.w, item.h, item.w, item.h], np.float32)
    box = np.clip(numbers[:4] * side / np.float32(GRID), 0, side)
    return compare(box, replace(item, predictions=(tuple(box.tolist()),)))


def _invalid(item: Item) -> tuple[float, float]:
    frame = (0, 0, item.w, item.h)
    return 0.0, float(edge_sums(frame, item.truths, (item.w, item.h), np.float32).min())
