"""lmms-eval, refcoco/utils_rec.py and refcoco_grounding/utils.py: grounding out of text, in pixels.

Departs from the canonical rules: no box is all zeros; the second one is an oracle: of every box it can find, read as
pixels and as thousandths, the one with the largest IoU counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from crop_reasoning.evaluation.compat.items import Item, ratio_of_sides

KEYS = ("bbox_2d", "bbox", "box", "coordinates", "coord", "location", "position")
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LIST = re.compile(r"\[\s*" + r",\s*".join([_NUMBER] * 4) + r"\s*\]")
_FOUR = re.compile(r"\[?\s*" + r"\s*[,\s]\s*".join([_NUMBER] * 4) + r"\s*\]?")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)


def rec(text: str, item: Item) -> dict[str, Any]:
    """The first list of four numbers in brackets."""
    found = _LIST.search(text)
    box = [float(number) for number in found.groups()] if found else [0, 0, 0, 0]
    return {"box": box, "iou": ratio_of_sides(item.truths[0], box)}


def grounding(text: str, item: Item) -> dict[str, Any]:
    """Every box that can be read, and the best of them in the better of two readings."""
    parsed = list(_boxes(_json(text.strip()))) or [[float(n) for n in m.groups()] for m in _FOUR.finditer(text)]
    readings = [r for box in parsed for r in (box, _thousandths(box, item.w, item.h))]
    chosen = max(readings, key=lambda box: positive_iou(box, item.truths[0]), default=[0.0] * 4)
    return {"parsed": parsed, "chosen": chosen, "iou": positive_iou(chosen, item.truths[0])}


def positive_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU in which a side is never negative; 0 for an empty union."""
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = sum(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (a, b)) - shared
    return shared / union if union > 0 else 0.0


def _thousandths(box: Sequence[float], w: int, h: int) -> list[float]:
    return [value / 1000.0 * side for value, side in zip(box, (w, h, w, h), strict=True)]


def _json(text: str) -> Any:
    """The first of these that is JSON: the fenced part, the text, from its first bracket to its last, its braces."""
    fenced = _FENCE.search(text)
    parts = [fenced.group(1)] if fenced else []
    parts.append(text)
    for opening, closing in ("[]", "{}"):
        start, end = text.find(opening), text.rfind(closing)
        if start != -1 and end > start:
            parts.append(text[start : end + 1])
    for part in parts:
        try:
            return json.loads(part)
        except (ValueError, RecursionError):
            continue
    return None


def _boxes(value: Any) -> Iterator[list[float]]:
    if isinstance(value, list):
        if len(value) == 4 and all(isinstance(number, int | float) for number in value):
            yield [float(number) for number in value]
            return
        for part in value:
            yield from _boxes(part)
    elif isinstance(value, dict):
        for key in KEYS:
            numbers = value.get(key)
            if isinstance(numbers, list) and len(numbers) == 4:
                try:
                    yield [float(number) for number in numbers]
                    return
                except (TypeError, ValueError):
                    continue
        for part in value.values():
            yield from _boxes(part)
