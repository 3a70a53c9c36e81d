"""RethinkingImageCropping (RIC, Jia et al.), datasets/gaic_eval_ap.py and flms_eval.py; ProCrop ships the same text.

Departs from the canonical rules: "acc5" and "acc10" ask whether *any* of the first 5 or 10 predictions meets the
*single* best crop. Its average precision takes all crops of MOS 4 and more (the best ones where there are none), gives
a prediction the last free one it meets, and compares float32 IoUs with float64 thresholds, so IoU .90 exactly is a hit
for acc5 and none for mAP. Over k > 1 predictions its FLMS figures are oracles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import Item, overlaps
from crop_reasoning.evaluation.compat.network import Array, center_form, through_network

GOOD_MOS = 4.0
DEPTHS = (5, 10, 20, 40, 60, 90)
THRESHOLDS = np.arange(0.85, 0.951, 0.01)
RECALLS = np.linspace(0.0, 1.0, 101)
_SPACING = float(np.spacing(1))


def flms(items: Sequence[Item]) -> dict[str, Any]:
    """For each k: the largest IoU of the first k predictions with any truth, and the mean of their largest."""
    tables = [_largest(item) for item in items]
    depth = min((len(table) for table in tables), default=0)
    return {
        "iou_max_topk": {str(k): _mean([table[:k].max() for table in tables]) for k in range(1, depth + 1)},
        "iou_mean_topk": {str(k): _mean([table[:k].mean() for table in tables]) for k in range(1, depth + 1)},
    }


def gaicd(scenes: Sequence[Scene], epsilons: Mapping[str, float], best: Sequence[int | None] = ()) -> dict[str, Any]:
    """Acc at depth 5 and 10 and mean average precision at each threshold, by its name.

    `best`: the candidate that the reference took as the best one of each image. Its sort leaves crops of equal MOS in
    an order that depends on the processor, so that the choice is an input here; None is the first of them.
    """
    orders = [_good_first(scene, choice) for scene, choice in zip(scenes, best or [None] * len(scenes), strict=True)]
    matrices = [_matrix(scene, order) for scene, order in zip(scenes, orders, strict=True)]
    figures: dict[str, Any] = {
        "num_good_gt": [len(order) for order in orders],
        "best_gt_cxcywh_norm": [
            center_form([scene.candidates[order[0]]], (scene.w, scene.h))[0].tolist()
            for scene, order in zip(scenes, orders, strict=True)
        ],
        "as_released_ap_error": None,
    }
    for name, epsilon in epsilons.items():
        threshold = float(THRESHOLDS[np.argmin(np.abs(THRESHOLDS - epsilon))])
        figures[name] = _at(threshold, scenes, matrices)
    return figures


def _at(threshold: float, scenes: Sequence[Scene], matrices: Sequence[Array]) -> dict[str, Any]:
    reached = {depth: [_reached(matrix, depth, threshold) for matrix in matrices] for depth in (5, 10)}
    matched = [_matched(matrix, threshold) for matrix in matrices]
    n_truths = sum(matrix.shape[1] for matrix in matrices)
    n_predictions = max((len(scene.predictions) for scene in scenes), default=0)
    depths = [depth for depth in DEPTHS if depth <= n_predictions]
    depths += [n_predictions] if n_predictions not in depths else []
    found: dict[str, Any] = {}
    for depth, hits in reached.items():
        found[f"acc{depth}"] = float(np.mean(np.array(hits, np.float32)))
        found[f"per_image_acc{depth}"] = hits
    found["mAP"] = {str(depth): _precision(scenes, matched, n_truths, depth) for depth in depths}
    return found


def _reached(matrix: Array, depth: int, threshold: float) -> float:
    return float(bool((matrix[:depth, 0] >= np.float32(threshold)).any()))


def _matched(matrix: Array, threshold: float) -> list[bool]:
    """Whether each prediction meets a truth that none before it took; the last such truth is then taken."""
    free = [True] * matrix.shape[1]
    found = []
    for row in matrix.astype(np.float64):
        places = [place for place, iou in enumerate(row) if free[place] and not iou < threshold]
        if places:
            free[places[-1]] = False
        found.append(bool(places))
    return found


def _precision(scenes: Sequence[Scene], matched: Sequence[list[bool]], n_truths: int, depth: int) -> float:
    """Precision averaged over 101 recalls, predictions of all images pooled by score."""
    scores = np.concatenate([np.sort(np.asarray(s.scores, np.float32))[::-1][:depth] for s in scenes])
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate([np.asarray(one[:depth]) for one in matched])[order]
    true, false = np.cumsum(hits, dtype=np.float32), np.cumsum(~hits, dtype=np.float32)
    recalls = true / np.float32(n_truths)
    precisions = true / (false + true + np.float32(_SPACING))
    for place in range(len(precisions) - 1, 0, -1):
        precisions[place - 1] = max(precisions[place - 1], precisions[place])
    places = np.searchsorted(recalls.astype(np.float64), RECALLS, side="left")
    reached = [precisions[place] if place < len(precisions) else np.float32(0) for place in places]
    return float(np.mean(np.array(reached, np.float32)))


def _good_first(scene: Scene, best: int | None) -> list[int]:
    """Places of the good crops, best first; `best` moves to the front if no crop is better than it."""
    limit = min(GOOD_MOS, max(scene.mos))
    order = [place for place in scene.best_first if scene.mos[place] >= limit]
    if best is not None and scene.mos[best] == max(scene.mos):
        order = [best, *(place for place in order if place != best)]
    return order


def _matrix(scene: Scene, order: Sequence[int]) -> Array:
    truths = through_network([scene.candidates[place] for place in order], (scene.w, scene.h))
    return np.array([overlaps(box, truths, np.float32) for box in scene.ranked], np.float32)


def _largest(item: Item) -> Array:
    truths = [truth for truth in item.truths if truth[0] != -1]
    return np.array([np.max(overlaps(box, truths, np.float32)) for box in item.predictions], np.float32)


def _mean(values: Sequence[Any]) -> float:
    return float(sum(values, np.float32(0)) / np.float32(len(values))) if values else math.nan
