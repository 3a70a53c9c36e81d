"""Candidate mode: how well a model's scores rank the crops of one photo that people have rated.

Opinions (MOS, higher is better) and scores in, numbers out. The definitions are GAICD's, made independent of the order
in which the candidates happen to stand: where scores tie, a figure is its expected value over all orders of the tied.
Weighted Acc needs ranks of the opinions as well, and those tie too: it is the expected value over both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, Literal

import numpy as np

from crop_reasoning.errors import DataError

RETURNS = (1, 2, 3, 4)
"""K: how many of the model's best candidates are judged."""
TOPS = (5, 10)
"""N: how many of people's best candidates count as hits, with all that tie with the last of them."""
Ties = Literal["expected", "file_order"]
Array = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """One photo's figures, each keyed by (K, N): Acc and weighted Acc in [0,1], SRCC and PCC in [-1,1].

    `constant`: a correlation has no value because all opinions or all scores are equal; it counts as 0. `failed`: there
    was not one score a candidate, or one was NaN; every figure is 0.
    """

    acc: Mapping[tuple[int, int], float]
    weighted: Mapping[tuple[int, int], float]
    srcc: float
    pcc: float
    constant: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class RankingReport:
    """Means over all `n` photos by label; `n_constant` and `n_failed` of them were counted as their docs say."""

    figures: Mapping[str, float]
    n: int
    n_constant: int
    n_failed: int


def acc_label(k: int, top: int, ties: Ties = "expected", *, weighted: bool = False) -> str:
    """The name a figure is printed under.

    >>> acc_label(1, 5)
    'Acc_{1/5} (candidates, tie-inclusive ≥, expected over tied scores)'
    """
    over = "expected over tied scores" if ties == "expected" else "tied scores in file order"
    rule = "exponential weights 1/N" if weighted else "tie-inclusive ≥"
    return f"Acc{'^w' if weighted else ''}_{{{k}/{top}}} (candidates, {rule}, {over})"


def rank_report(
    photos: Sequence[tuple[Sequence[float], Sequence[float] | None]], ties: Ties = "expected"
) -> RankingReport:
    """The means over photos of (opinions, scores), scores None where a model gave none; every photo counts once."""
    if not photos:
        raise DataError("no photo to rank candidates of; expected at least one with rated candidates")
    found = [rank(mos, scores, ties) for mos, scores in photos]
    figures: dict[str, float] = {}
    for top in TOPS:
        for name, weighted in (("acc", False), ("weighted", True)):
            row = [float(np.mean([getattr(one, name)[k, top] for one in found])) for k in RETURNS]
            figures |= {acc_label(k, top, ties, weighted=weighted): v for k, v in zip(RETURNS, row, strict=True)}
            figures[f"mean over K = 1 to 4 of {acc_label(0, top, ties, weighted=weighted).replace('0/', 'K/')}"] = sum(
                row
            ) / len(row)
    for name in ("srcc", "pcc"):
        label = f"{name.upper()} (candidates, mean over photos, 0 where constant)"
        figures[label] = float(np.mean([getattr(one, name) for one in found]))
    return RankingReport(figures, len(found), sum(o.constant for o in found), sum(o.failed for o in found))


def rank(mos: Sequence[float], scores: Sequence[float] | None, ties: Ties = "expected") -> Ranking:
    """One photo's figures. `DataError` for no candidates, or for opinions that are not finite: leave those out first.

    >>> rank([5, 4, 3, 2, 1, 1], [0.9, 0.1, 0.2, 0.3, 0.4, 0.5]).acc[1, 5]
    1.0
    """
    opinions = np.asarray(mos, np.float64)
    if opinions.ndim != 1 or not len(opinions) or not np.isfinite(opinions).all():
        raise DataError("candidates need finite opinions, at least one; leave out unrated ones (GAICD: MOS -2)")
    keys = [(k, top) for top in TOPS for k in RETURNS]
    given = np.asarray([] if scores is None else scores, np.float64)
    if given.shape != opinions.shape or np.isnan(given).any():
        return Ranking(dict.fromkeys(keys, 0.0), dict.fromkeys(keys, 0.0), 0.0, 0.0, failed=True)
    correlations = spearman(opinions, given), pearson(opinions, given)
    return Ranking(
        {(k, top): acc(opinions, given, k, top, ties) for k, top in keys},
        {(k, top): weighted_acc(opinions, given, k, top, ties) for k, top in keys},
        srcc=0.0 if math.isnan(correlations[0]) else correlations[0],
        pcc=0.0 if math.isnan(correlations[1]) else correlations[1],
        constant=any(map(math.isnan, correlations)),
    )


def acc(mos: Array, scores: Array, k: int, top: int, ties: Ties = "expected") -> float:
    """Acc_{K/N}: the share of the `k` best-scored candidates whose opinion is at least the `top`-th best one's.

    Tie-inclusive: all that tie with the N-th opinion are hits. K and N are clamped to the number of candidates.
    """
    limit = np.sort(mos)[::-1][min(top, len(mos)) - 1]
    hits = (mos >= limit).astype(np.float64)
    certain, tied, places = _returned(_untied(scores, ties), k)
    expected = places / len(tied) * hits[tied].sum() if places else 0.0
    return float((hits[certain].sum() + expected) / min(k, len(mos)))


def weighted_acc(mos: Array, scores: Array, k: int, top: int, ties: Ties = "expected") -> float:
    """Acc^w_{K/N}: hits weigh exp((j - r_j) / N), where r_j is the j-th smallest rank (from 0) among the K returned.

    Only ranks below N are hits, so this one is not tie-inclusive; candidates of equal opinion are ranked in every order
    (or, with `file_order`, in the one they stand in). K and N are clamped to the number of candidates.
    """
    n = len(mos)
    k, top = min(k, n), min(top, n)
    certain, tied, places = _returned(_untied(scores, ties), k)
    classes = np.unique(-_untied(mos, ties), return_inverse=True)[1]
    sizes = np.bincount(classes)
    sure = np.bincount(classes[certain], minlength=len(sizes))
    free = np.bincount(classes[tied], minlength=len(sizes))
    # over classes of equal opinion, best first: how likely it is that so many of the tied scores were returned so far
    likely, rest, rank, before, total = {0: 1.0}, len(tied), 0, 0, 0.0
    for size, fixed, loose in zip(sizes.tolist(), sure.tolist(), free.tolist(), strict=True):
        following: dict[int, float] = {}
        for used, chance in likely.items():
            for taken in range(min(loose, places - used) + 1):
                odds = comb(loose, taken) * comb(rest - loose, places - used - taken) / comb(rest, places - used)
                if odds:
                    total += chance * odds * _class_weight(rank, size, fixed + taken, before + used, top)
                    following[used + taken] = following.get(used + taken, 0.0) + chance * odds
        likely, rest, rank, before = following, rest - loose, rank + size, before + fixed
        if rank >= top:
            break
    return total / k


def spearman(a: Array, b: Array) -> float:
    """Rank correlation, ties at their mean rank; NaN where either side is constant or shorter than two."""
    return pearson(mean_ranks(a), mean_ranks(b))


def pearson(a: Array, b: Array) -> float:
    """Linear correlation in [-1,1]; NaN where a side is constant, not finite or shorter than two.

    >>> round(pearson(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])), 9)
    1.0
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all() or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    return float(np.clip(x @ y, -1.0, 1.0))


def mean_ranks(values: Array) -> Array:
    """Ranks from 1, smallest first; tied values share the mean of their ranks.

    >>> mean_ranks(np.array([10.0, 20, 10])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[group.ravel()]


def _returned(scores: Array, k: int) -> tuple[Places, Places, int]:
    """Places returned for certain, places that tie for the last ones, and how many of those are returned."""
    k = min(k, len(scores))
    limit = np.sort(scores)[::-1][k - 1]
    certain, tied = np.flatnonzero(scores > limit), np.flatnonzero(scores == limit)
    return certain, tied, k - len(certain)


def _untied(values: Array, ties: Ties) -> Array:
    """The values, or with `file_order` numbers of the same order in which an earlier one always wins a tie."""
    if ties == "expected":
        return values
    order = np.argsort(-values, kind="stable")
    distinct = np.empty(len(values))
    distinct[order] = -np.arange(len(values), dtype=np.float64)
    return distinct


def _class_weight(start: int, size: int, picks: int, before: int, top: int) -> float:
    """The expected weight of `picks` of the `size` candidates that share the ranks from `start` on.

    `before` picks rank better. The i-th smallest of `picks` random places out of `size` is at t with the odds that i of
    the places before t and the rest of those after it were picked.
    """
    total = 0.0
    for i in range(picks):
        for t in range(min(size, top - start)):
            odds = comb(t, i) * comb(size - 1 - t, picks - 1 - i) / comb(size, picks)
            total += odds * math.exp((before + i - start - t) / top)
    return total
