"""ShutterMuse, evaluation/photographer-side: reads a box out of text and scores it.

Departs from the canonical rules: the scale of the numbers is guessed (up to 1.5: fractions; up to 1200: thousandths;
else pixels); IoU and BDE each take their own best truth; BDE leaves images without a box out of its mean while IoU
counts them as 0.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.items import Item

UNIT_UP_TO, THOUSANDTHS_UP_TO = 1.5, 1200
KEYS = ("composition_xy", "bbox", "composition_bbox")
_NUMBER = r"\s*([-+]?\d*\.?\d+)\s*"
_POINTS = re.compile(rf"\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)")
_LIST = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """Means of boxes that are already in pixels; a prediction of no numbers is an image without a box."""
    scored = [score(item.prediction if item.predictions else None, item) for item in items]
    ious = [iou for iou, _ in scored]
    errors = [bde for _, bde in scored if bde is not None]
    return {
        "avg_iou": _mean(ious),
        "avg_bde": _mean(errors),
        "bde_sample_count": len(errors),
        "acc_max_0_8": _mean([float(iou >= 0.8) for iou in ious]),
        "acc_max_0_7": _mean([float(iou >= 0.7) for iou in ious]),
        "per_image": [list(pair) for pair in scored],
    }


def read_text(text: str, item: Item) -> dict[str, Any]:
    """The box in an answer, in pixels, or None, and what it is worth."""
    box = parse(text, item.w, item.h)
    iou, bde = score(box, item)
    return {"box": box, "iou_max": iou, "bde_min": bde}


def score(box: Sequence[float] | None, item: Item) -> tuple[float, float | None]:
    """The largest IoU and, of possibly another truth, the smallest BDE; no box is IoU 0 and no BDE at all."""
    if not box:
        return 0.0, None
    side = np.array([item.w, item.h, item.w, item.h], np.float64)
    errors = [float(np.abs(np.asarray(box) / side - np.asarray(truth) / side).sum()) / 4 for truth in item.truths]
    return max((guarded_iou(box, t) for t in item.truths), default=0.0), min(errors, default=None)


def guarded_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU with signed areas; 0 where the union is not positive."""
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def parse(text: str, w: int, h: int) -> list[float] | None:
    """The box that an answer means, in pixels and clipped; None if there is none or nothing of it is left."""
    found = _dictionary(text)
    if found is not None and (box := to_pixels(_values(found), w, h)):
        return box
    return to_pixels(_in_text(text), w, h)


def to_pixels(values: Sequence[Any] | None, w: int, h: int) -> list[float] | None:
    """Four numbers of guessed scale in pixels, clipped to the image."""
    try:
        numbers = [float(value) for value in values or ()]
    except (TypeError, ValueError):
        return None
    if len(numbers) != 4:
        return None
    largest = max(abs(number) for number in numbers)
    unit = 1.0 if largest <= UNIT_UP_TO else 1000.0 if largest <= THOUSANDTHS_UP_TO else None
    side = (float(w), float(h), float(w), float(h))
    scaled = numbers if unit is None else [number / unit * length for number, length in zip(numbers, side, strict=True)]
    x1, y1, x2, y2 = (max(0.0, min(length, number)) for number, length in zip(scaled, side, strict=True))
    return [x1, y1, x2, y2] if x1 < x2 and y1 < y2 else None


def _values(found: dict[str, Any]) -> Sequence[Any] | None:
    instances = found.get("instance_info")
    first = instances[0] if isinstance(instances, list) and instances else None
    holder = first if isinstance(first, dict) else found
    for key in KEYS:
        value = holder.get(key)
        if isinstance(value, list | tuple) and len(value) == 4:
            return list(value)
        if isinstance(value, str) and (numbers := _in_text(value)):
            return numbers
    return None


def _in_text(text: str) -> list[float] | None:
    found = _POINTS.search(text) or _LIST.search(text)
    return [float(number) for number in found.groups()] if found else None


def _dictionary(text: str) -> dict[str, Any] | None:
    """The first dictionary of the text: all of it, or its first balanced pair of braces."""
    for part in (text.strip(), _braces(text.strip())):
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(part)
            except Exception:  # whatever a text that is neither JSON nor a literal makes them raise
                continue
            if isinstance(value, dict):
                return value
    return None


def _braces(text: str) -> str:
    start = text.find("{")
    depth = 0
    for end in range(max(start, 0), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if start >= 0 and depth == 0:
            return text[start : end + 1]
    return ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
