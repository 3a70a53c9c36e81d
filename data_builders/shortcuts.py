"""How often a rule that sees no picture names the winner of a pair: what a model could learn instead of taste."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from crop_reasoning.geometry import Box
from crop_reasoning.records import Pair
from data_builders.pairs import differences

FOLDS, STEPS, RIDGE = 5, 12, 1e-3
_TIE = 1e-5  # boxes are stored with six decimals
Array = np.ndarray[Any, np.dtype[np.float64]]
Share = dict[str, float]


def shortcuts(pairs: Sequence[Pair]) -> dict[str, Share]:
    """For each rule the number of pairs `n` it speaks of and the share `right` of them, ties half; no share of none."""
    bigger, wider = differences(pairs).T
    return {
        "bigger wins, unequal size": share((bigger[bigger != 0] > 0).tolist()),
        "wider wins, unequal aspect": share((wider[wider != 0] > 0).tolist()),
        "second listed wins": share(float(pair.votes[1] > pair.votes[0]) for pair in pairs if pair.votes),
        "nearer the center wins": share(_right(centrality(pair.chosen) - centrality(pair.rejected)) for pair in pairs),
        "all geometry together": all_geometry(pairs),
    }


def first_proposal(lines: Iterable[dict[str, Any]], members: set[str]) -> Share:
    """How often, of the two crops of a pair, the one that stands first among the proposals is preferred.

    `lines` are those of `pair_rationales.jsonl`, of which those of the records `members` count.
    """

    def value(line: dict[str, Any]) -> float:
        boxes = [proposal["box"] for proposal in line["chosen"]["proposals"]]
        return float(boxes.index(line["pair"]["chosen"]) < boxes.index(line["pair"]["rejected"]))

    return share(value(line) for line in lines if line["pair"]["record_id"] in members)


def all_geometry(pairs: Sequence[Pair]) -> Share:
    """The accuracy on unseen photos of a logistic regression on the differences of `features`, and on whether the
    chosen crop is bigger and wider at all, so that "much bigger wins, a little bigger loses" can be told.

    Photos are dealt into `FOLDS` by a hash of their record's id; too few of them for every fold give no share.
    """
    values = np.array([[features(pair.chosen), features(pair.rejected)] for pair in pairs]).reshape(-1, 2, 5)
    rows = np.concatenate([values[:, 0] - values[:, 1], np.sign(differences(pairs))], axis=1)
    folds = np.array([int(hashlib.sha256(pair.record_id.encode()).hexdigest()[:8], 16) % FOLDS for pair in pairs])
    if len(set(folds.tolist())) < FOLDS:
        return {"n": len(pairs)}
    right = 0.0
    for fold in range(FOLDS):
        held = rows[folds == fold] @ _fit(rows[folds != fold])
        right += float(np.sum(np.where(np.abs(held) <= _TIE, 0.5, held > 0)))
    return {"n": len(pairs), "right": round(right / len(pairs), 6)}


def features(box: Box) -> tuple[float, ...]:
    """Area, log of the aspect, distance of the center from the photo's, and where the center lies."""
    return (box.area, math.log(box.width / box.height), -centrality(box), *box.center)


def centrality(box: Box) -> float:
    """How near a crop's center is to the photo's: minus their distance."""
    return -math.dist(box.center, (0.5, 0.5))


def share(values: Iterable[float]) -> Share:
    """How many values there are and their mean; no mean of none."""
    found = list(values)
    return {"n": len(found), "right": round(math.fsum(found) / len(found), 6)} if found else {"n": 0}


def _right(gap: float) -> float:
    return 0.5 if abs(gap) <= _TIE else float(gap > 0)


def _fit(rows: Array) -> Array:
    """Weights that make `weights @ row` positive, by Newton's method; no intercept: a pair has no first crop."""
    scale = np.sqrt((rows**2).mean(axis=0)) + 1e-12
    scaled = rows / scale
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(scaled @ weights, -30, 30)))
        slope = scaled.T @ (1 - likely) / len(rows) - RIDGE * weights
        curve = (scaled * (likely * (1 - likely))[:, None]).T @ scaled / len(rows) + RIDGE * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return weights / scale
