"""How sure a mean is: percentile bootstrap intervals, and the paired difference of two runs.

Numbers in, intervals out; seeded, so that the same file gives the same interval. Needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crop_reasoning.errors import DataError

LEVEL, RESAMPLES = 0.95, 2000
_CHUNK = 4_000_000  # random indices held at once


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `n` values with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap_mean(values: Sequence[float], groups: Sequence[Hashable] | None = None, seed: int = 0) -> Interval:
    """The mean with its percentile bootstrap interval (Efron 1979), `RESAMPLES` resamples.

    `groups` names what each value belongs to (the photo of a pair): whole groups are then resampled, because values of
    one photo are not independent. `DataError` for no values or for groups of another length.

    >>> bootstrap_mean([0.5, 0.5, 0.5])
    Interval(mean=0.5, low=0.5, high=0.5, n=3)
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        raise DataError("no values to average; expected at least one scored image")
    if groups is None:
        sums: np.ndarray = data
        counts: np.ndarray = np.ones(data.size)
    else:
        if len(groups) != data.size:
            raise DataError(f"{len(groups)} group names for {data.size} values; expected one each")
        numbers: dict[Hashable, int] = {}
        members = [numbers.setdefault(group, len(numbers)) for group in groups]
        sums = np.bincount(members, weights=data)
        counts = np.bincount(members)
    rng = np.random.default_rng(seed)
    means = []
    step = max(1, _CHUNK // sums.size)
    for start in range(0, RESAMPLES, step):
        index = rng.integers(sums.size, size=(min(step, RESAMPLES - start), sums.size))
        means.append(sums[index].sum(axis=1) / counts[index].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    mean = float(data.mean())
    return Interval(mean, min(float(low), mean), max(float(high), mean), int(data.size))


def paired_difference(first: Mapping[str, float], second: Mapping[str, float], seed: int = 0) -> Interval:
    """The mean of `first - second` over the same images, with the interval of that difference.

    Both map image ids to values; `DataError` if the ids are not the same, for a difference of two sets means nothing.

    >>> paired_difference({"a": 0.75, "b": 0.5}, {"a": 0.5, "b": 0.25})
    Interval(mean=0.25, low=0.25, high=0.25, n=2)
    """
    if first.keys() != second.keys():
        only = sorted(first.keys() ^ second.keys())
        raise DataError(
            f"the two files do not score the same images: {len(only)} stand in one only (for instance {only[0]!r}); "
            "score both on the same split and limit"
        )
    return bootstrap_mean([first[key] - second[key] for key in first], seed=seed)
