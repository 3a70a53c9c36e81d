"""How often a measure prefers the crop that people prefer, and the best weighted sum of measures.

Numbers in, figures out. A pair is the difference `chosen - rejected` of each measure, NaN where one of the two crops
has no such value. A weighted sum of differences without an intercept cannot know which crop was named first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean

Array = NDArray[np.float64]
SAME = 1e-5
"""Differences up to this are rounding (of boxes to 1e-6, of equal areas to 5e-6): the pair is a tie."""
FEW = 30
FOLDS = 5
PENALTIES = tuple(10.0**power for power in np.arange(-4, 1.1, 0.5))
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of pairs whose preferred crop has the greater value, ties half, with its 95 % interval by photo; the share
    of ties (a pair without the value is one); and the share of the pairs that are none, None for fewer than `FEW`."""

    share: Interval
    ties: float
    decided: Interval | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A weighted sum: `weights` (k,) of differences divided by `scales` (k,), and the L2 penalty that was chosen."""

    weights: Array
    scales: Array
    penalty: float

    def margins(self, differences: Array) -> Array:
        """(n,) positive where the sum prefers the chosen crop."""
        return np.asarray(_scaled(differences, self.scales) @ self.weights)


def outcomes(differences: Array) -> Array:
    """(n,) 1 where a pair's chosen crop has more, 0 where less, 0.5 on a tie or without a value.

    >>> outcomes(np.array([0.2, -0.1, 0.0, np.nan])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    known = np.nan_to_num(differences)
    return np.where(np.abs(known) <= SAME, 0.5, (known > 0).astype(np.float64))


def accuracy(differences: Array, photos: Sequence[str]) -> Accuracy:
    """How often the differences (n,) are positive; `photos` (n) names the photo of each pair."""
    values = outcomes(differences)
    sure = np.flatnonzero(values != 0.5)
    decided = bootstrap_mean(values[sure].tolist(), [photos[place] for place in sure]) if sure.size >= FEW else None
    return Accuracy(bootstrap_mean(values.tolist(), photos), float((values == 0.5).mean()), decided)


def fit(differences: Array, photos: Sequence[str], seed: int = 0) -> Fit:
    """The logistic regression of "chosen" on differences (n, k): no intercept, each measure in units of its root mean
    square, the L2 penalty of `PENALTIES` that has the least loss on photos left out (`FOLDS` parts of the photos).

    `DataError` for fewer photos than folds.
    """
    names = sorted(set(photos))
    if len(names) < FOLDS:
        raise DataError(f"{len(names)} photos with pairs to fit on, expected at least {FOLDS}")
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {name: int(place) % FOLDS for name, place in zip(names, order, strict=True)}
    folds = np.array([fold_of[photo] for photo in photos])
    losses = []
    for penalty in PENALTIES:
        left_out = [_held_out_losses(differences, folds == fold, penalty) for fold in range(FOLDS)]
        losses.append(np.concatenate(left_out).mean())
    penalty = PENALTIES[int(np.argmin(losses))]
    return _fitted(differences, penalty)


def _held_out_losses(differences: Array, held_out: NDArray[np.bool_], penalty: float) -> Array:
    margins = _fitted(differences[~held_out], penalty).margins(differences[held_out])
    return np.asarray(np.logaddexp(0, -margins))


def _fitted(differences: Array, penalty: float) -> Fit:
    """Newton's method on mean log loss + penalty / 2 * |weights|²; the loss is convex, few steps suffice."""
    scales = np.sqrt((np.nan_to_num(differences) ** 2).mean(axis=0))
    x = _scaled(differences, scales)
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(x @ weights, -30, 30)))  # the probability given to the rejected crop
        gradient = penalty * weights - x.T @ wrong / len(x)
        curvature = (x * (wrong * (1 - wrong))[:, None]).T @ x / len(x) + penalty * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return Fit(weights, scales, penalty)


def _scaled(differences: Array, scales: Array) -> Array:
    """Differences in units of `scales`; without a value, and of a measure that never differs, none."""
    return np.asarray(np.nan_to_num(differences) / np.where(scales > 0, scales, 1))
