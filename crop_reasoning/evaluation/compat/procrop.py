"""ProCrop, cropping/dataset/flms_eval.py and gaic_transforms.py: FLMS (transcribed by hand from the stored text).

Departs from the canonical rules: x stands for the row; truths are clamped and cut to whole pixels of the image whose
short side is 640 (the long side 1024 at most); Disp is the smallest over the truths whatever their IoU, and divides row
distances by the width and column distances by the height; float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.items import Item, overlaps
from crop_reasoning.evaluation.compat.network import Array, center_form, corner_form

SHORT, LONG = 640, 1024


def evaluate(items: Sequence[Item]) -> dict[str, Any]:
    """`..._topk[k]`: over the first k predictions, the largest IoU, the mean of their best IoUs, the smallest Disp."""
    tables = [_tables(item) for item in items]
    depth = min((len(item.predictions) for item in items), default=0)
    figures: dict[str, Any] = {"iou_max_topk": {}, "iou_mean_topk": {}, "disp_max_topk": {}}
    for k in range(1, depth + 1):
        figures["iou_max_topk"][str(k)] = _mean([ious[:k].max() for ious, _ in tables])
        figures["iou_mean_topk"][str(k)] = _mean([ious[:k].mean() for ious, _ in tables])
        figures["disp_max_topk"][str(k)] = _mean([disps[:k].min() for _, disps in tables])
    figures["per_image_top1"] = [[float(ious[0]), float(disps[0])] for ious, disps in tables]
    return figures


def resized_sides(w: int, h: int) -> tuple[int, int]:
    """Width and height with the short side at `SHORT`, less where the long side would pass `LONG`."""
    short, long = min(w, h), max(w, h)
    size = int(LONG * float(short) / float(long)) if float(long) / float(short) * SHORT > LONG else SHORT
    if short == size:
        return (w, h)
    return (size, int(size * h / w)) if w < h else (int(size * w / h), size)


def _tables(item: Item) -> tuple[Array, Array]:
    """For each prediction its largest IoU and its smallest Disp over the truths."""
    truths = _truths(item)
    boxes = np.asarray(item.predictions, np.float32)[:, [1, 0, 3, 2]]
    ious = np.array([overlaps(box, truths, np.float32).max() for box in boxes], np.float32)
    apart = np.abs(boxes[:, None] - truths[None])
    rows, columns = apart[..., 0] + apart[..., 2], apart[..., 1] + apart[..., 3]
    disps = (rows / np.float32(item.w) + columns / np.float32(item.h)) / np.float32(4)
    return ious, disps.min(axis=1)


def _truths(item: Item) -> Array:
    """The truths as rows `y1 x1 y2 x2` in pixels, quantized on the resized image and scaled back."""
    w, h = item.w, item.h
    rows = [(y1, x1, min(y2, h), min(x2, w)) for x1, y1, x2, y2 in item.truths if y1 != -1]
    if not rows:
        raise ReferenceCrash("RuntimeError", "no ground truth is left to scale")
    new_w, new_h = resized_sides(w, h)
    ratio = np.array([new_h / h, new_w / w, new_h / h, new_w / w], np.float32)
    whole = np.trunc(np.asarray(rows, np.float32) * ratio)
    scaled = corner_form(center_form(whole, (new_h, new_w))) * np.array([h, w, h, w], np.float32)
    return np.clip(scaled, 0, np.array([np.inf, np.inf, h, w], np.float32))


def _mean(values: Sequence[Any]) -> float:
    total = np.float32(0)
    for value in values:
        total += value
    return float(total / np.float32(len(values)))
