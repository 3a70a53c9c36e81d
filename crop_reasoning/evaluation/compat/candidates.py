"""Switches of the evaluators that rank GAICD's candidates by a model's scores.

An image is its MOS and its scores, in the order of the annotation file. Every reference sorts both in descending order
with a stable sort, so tied scores keep the order in which the candidates stand: what that order is, is a switch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.ranking import pearson, spearman

RETURNS = (1, 2, 3, 4)
TOPS = (5, 10)
MOS_MEAN, MOS_SPREAD = 2.95, 0.8
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Image:
    """The rated candidates of one image: opinion and predicted score of each."""

    mos: tuple[float, ...]
    scores: tuple[float, ...]


Table = dict[int, list[float]]
"""For each N the four figures of K = 1 to 4."""


def accuracies(
    images: Sequence[Image], *, by_mos: bool = False, kth_only: bool = False, digits: int | None = None
) -> Table:
    """Acc_{K/N}, tie-inclusive.

    `by_mos`: candidates are sorted by MOS on loading, so ties of the scores fall to the better crop. `kth_only`: only
    the K-th return counts, not the first K. `digits`: each figure is rounded before anything is averaged.
    """

    def one(image: Image, top: int, k: int) -> float:
        returned = descending(image.scores)
        limit = image.mos[descending(image.mos)[top - 1]]
        hits = [image.mos[place] >= limit for place in returned[:k]]
        return float(hits[-1]) if kth_only else sum(hits) / k

    return _table(images, one, by_mos, digits)


def weighted_accuracies(images: Sequence[Image], *, by_mos: bool = False) -> Table:
    """Acc^w_{K/N}: a hit weighs less the later its rank; candidates of equal MOS rank in the order they stand in."""

    def one(image: Image, top: int, k: int) -> float:
        ranked = descending(image.mos)
        ranks = sorted(ranked.index(place) for place in descending(image.scores)[:k])
        return sum(math.exp((j - rank) / top) for j, rank in enumerate(ranks) if rank < top) / k

    return _table(images, one, by_mos, None)


def correlations(images: Sequence[Image], *, by_mos: bool = False, single: bool = False) -> dict[str, list[float]]:
    """SRCC and PCC of each image, NaN where either side is constant. `single`: MOS as float32."""
    found: dict[str, list[float]] = {"srcc": [], "pcc": []}
    for image in map(_by_mos, images) if by_mos else images:
        opinion: Array = (np.array(image.mos, np.float64) - MOS_MEAN) / MOS_SPREAD
        if single:
            opinion = np.array(image.mos, np.float32)
        found["srcc"].append(rank_correlation(opinion, image.scores))
        found["pcc"].append(linear_correlation(opinion, image.scores))
    return found


def rank_correlation(mos: Any, scores: Any) -> float:
    """Spearman's, as scipy answers: NaN for constants, NaN and fewer than two values; infinities are ranked."""
    a, b = _equally_long(mos, scores)
    return spearman(a, b) if len(a) > 1 and not (np.isnan(a).any() or np.isnan(b).any()) else math.nan


def linear_correlation(mos: Any, scores: Any) -> float:
    """Pearson's, as scipy answers: NaN for constants and values that are not finite; fewer than two are an error."""
    a, b = _equally_long(mos, scores)
    if len(a) < 2:
        raise ReferenceCrash("ValueError", "a correlation needs two values")
    return pearson(a, b) if np.isfinite(a).all() and np.isfinite(b).all() else math.nan


def averages(images: Sequence[Image], table: Table) -> dict[str, float]:
    """The means over K, by their names in the references."""
    return {f"avg_acc{top}": sum(row) / len(row) for top, row in table.items()}


def named(table: Table, name: str) -> dict[str, list[float]]:
    """The table under the references' names, `acc4_5` and `acc4_10`."""
    return {f"{name}_{top}": row for top, row in table.items()}


def with_means(found: dict[str, list[float]]) -> dict[str, Any]:
    """Correlations of each image and their means, which one NaN makes NaN."""
    return {**found, **{f"avg_{name}": float(np.mean(values)) for name, values in found.items()}}


def reference_averages(
    images: Sequence[Image], table: Callable[[], Table], found: dict[str, list[float]]
) -> dict[str, Any]:
    """SRCC and the averages of Acc_{K/N} only, as two references print them; SRCC comes first and survives a crash."""
    figures = with_means({"srcc": found["srcc"]})
    try:
        return {**figures, **averages(images, table())}
    except ReferenceCrash as crash:
        return {**figures, "error": crash.kind}


def descending(values: Sequence[float]) -> list[int]:
    """Places in descending order of value, ties in the order they stand in (NaN as Python's sort leaves it)."""
    return sorted(range(len(values)), key=values.__getitem__, reverse=True)


def _table(images: Sequence[Image], one: Callable[[Image, int, int], float], by_mos: bool, digits: int | None) -> Table:
    if not images:
        raise ReferenceCrash("ZeroDivisionError", "no image")
    for image in images:
        if len(image.mos) < max(TOPS):
            raise ReferenceCrash("IndexError", f"an image has fewer than {max(TOPS)} rated candidates")
        if len(image.scores) != len(image.mos):
            raise ReferenceCrash("IndexError", "an image has not one score a rated candidate")
    loaded = [_by_mos(image) for image in images] if by_mos else images
    table = {top: [sum(one(image, top, k) for image in loaded) / len(loaded) for k in RETURNS] for top in TOPS}
    return table if digits is None else {top: [round(value, digits) for value in row] for top, row in table.items()}


def _by_mos(image: Image) -> Image:
    order = descending(image.mos)
    return Image(tuple(image.mos[i] for i in order), tuple(image.scores[i] for i in order))


def _equally_long(mos: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(mos), np.asarray(scores, np.float64)
    if a.shape != b.shape:
        raise ReferenceCrash("ValueError", "the two lists differ in length")
    return a, b
