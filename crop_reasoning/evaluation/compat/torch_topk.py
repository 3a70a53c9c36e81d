"""Which of tied values `torch.topk` returns on a CPU: the order that quickselect happens to leave them in.

UNIC takes exactly N ground truths that way, so which of several crops of equal MOS counts depends on it. The steps are
those of the C++ standard library's selection: partition around a median of three until at most three values are left.
(Beyond 64 values for each one taken the library sorts otherwise; an image of GAICD has 90 candidates, of which 5 or 10
are taken.)
"""

from __future__ import annotations

from collections.abc import Sequence

from crop_reasoning.evaluation.compat.crash import ReferenceCrash

_FEW = 3
Pair = tuple[float, int]


def topk(values: Sequence[float], k: int) -> list[int]:
    """Places of the `k` largest values, largest first; more than there are is a crash."""
    if k > len(values):
        raise ReferenceCrash("RuntimeError", "selected index k out of range")
    queue = [(value, place) for place, value in enumerate(values)]
    _select(queue, k - 1)
    _insertion_sort(queue, 0, k - 1)
    return [place for _, place in queue[:k]]


def _select(queue: list[Pair], nth: int) -> None:
    first, last = 0, len(queue)
    while last - first > _FEW:
        cut = _partition(queue, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    _insertion_sort(queue, first, last)


def _partition(queue: list[Pair], first: int, last: int) -> int:
    """Split around a median of three, which is moved to the front; the start of the right part."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if _before(queue[a], queue[b]):
        median = b if _before(queue[b], queue[c]) else c if _before(queue[a], queue[c]) else a
    else:
        median = a if _before(queue[a], queue[c]) else c if _before(queue[b], queue[c]) else b
    queue[first], queue[median] = queue[median], queue[first]
    pivot, left, right = queue[first], first + 1, last
    while True:
        while _before(queue[left], pivot):
            left += 1
        right -= 1
        while _before(pivot, queue[right]):
            right -= 1
        if left >= right:
            return left
        queue[left], queue[right] = queue[right], queue[left]
        left += 1


def _insertion_sort(queue: list[Pair], first: int, last: int) -> None:
    """Stable, which the library's is as well for at most sixteen values."""
    queue[first:last] = sorted(queue[first:last], key=lambda pair: pair[0], reverse=True)


def _before(one: Pair, other: Pair) -> bool:
    return one[0] > other[0] or (one[0] != one[0] and other[0] == other[0])
