"""Our own rules on the inputs of the golden files on which a reference crashes.

A crash of a reference is not ours to copy. Wherever one is recorded, the canonical evaluator must give a finite figure
or count the image as one without ground truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.coordinate import acc_box
from crop_reasoning.evaluation.metrics import score_box
from crop_reasoning.evaluation.ranking import RETURNS, TOPS, rank
from crop_reasoning.geometry import Box, clip
from data_builders.gaicd import UNRATED

Input = Mapping[str, Any]


def box_px(values: Sequence[float], w: float, h: float) -> Box | None:
    """Four numbers in pixels as a box clipped to the image; None if they are no box or nothing of it is inside."""
    try:
        x1, y1, x2, y2 = (float(value) for value in values)
        return clip(x1 / w, y1 / h, x2 / w, y2 / h)
    except (DataError, ValueError, TypeError, ZeroDivisionError):
        return None


def undefined(kind: str, case: Input) -> str:
    """Why the canonical evaluator has no figure for this input; empty where it has one, as it must."""
    figures = CANONICAL[kind](case) if kind in CANONICAL else []
    wrong = [figure for figure in figures if not math.isfinite(figure)]
    return f"the canonical evaluator answers {wrong[0]} where the reference crashes" if wrong else ""


def _items(case: Input) -> list[float]:
    found: list[float] = []
    for one in case["items"]:
        truths = [box_px(truth, one["w"], one["h"]) for truth in one["gt"]]
        kept = [truth for truth in truths if truth is not None]
        if kept:  # an image without ground truth is counted and left out
            score = score_box(box_px(one.get("pred", ()), one["w"], one["h"]), kept)
            found += [score.iou, score.disp]
    return found


def _candidates(case: Input) -> list[float]:
    found: list[float] = []
    for one in case["images"]:
        rows = [line.split() for line in one["lines"]]
        mos = [float(row[4]) for row in rows if float(row[4]) != UNRATED]
        ranking = rank(mos, one["pred"])
        found += [*ranking.acc.values(), *ranking.weighted.values(), ranking.srcc, ranking.pcc]
    return found


def _boxes(case: Input) -> list[float]:
    found: list[float] = []
    for one in case["images"]:
        grid = [(box_px(box, one["w"], one["h"]), mos) for box, mos in zip(one["boxes"], one["mos"], strict=True)]
        kept = [(box, mos) for box, mos in grid if box is not None]
        order = sorted(range(len(one["pred"])), key=lambda place: -one["score"][place])
        boxes = [box_px(one["pred"][place], one["w"], one["h"]) for place in order]
        crops, opinions = [box for box, _ in kept], [mos for _, mos in kept]
        found += [acc_box(boxes, crops, opinions, k=k, top=top, epsilon=0.85) for k in RETURNS for top in TOPS]
    return found


def _pair(case: Input) -> list[float]:
    pred, gt = case["pred"], case["gt"]
    side = max(1.0, *(abs(float(value)) for value in (*pred, *gt)))
    truth = box_px(gt, side, side)
    return [score_box(box_px(pred, side, side), [truth]).iou] if truth else []


def _answer(case: Input) -> list[float]:
    truth = box_px(case["gt"][0], case["w"], case["h"])
    return [score_box(None, [truth]).disp] if truth else []


def _vector(case: Input) -> list[float]:
    ranking = rank(case["mos"], case["pred"]) if case["mos"] else None
    return [ranking.srcc, ranking.pcc] if ranking else []


CANONICAL: dict[str, Callable[[Input], list[float]]] = {
    "items": _items,
    "candidates": _candidates,
    "boxes": _boxes,
    "pair": _pair,
    "answer": _answer,
    "answers": lambda case: [value for one in case["items"] for value in _answer(one)],
    "vector": _vector,
}
