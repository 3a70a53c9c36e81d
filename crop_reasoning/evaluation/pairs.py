"""Pairwise accuracy: how often the crop that people preferred is the one that a score prefers.

Margins in, numbers out: the score of the preferred crop minus that of the other. Whose scores they are (a
log-probability, a rule that sees no picture) is the caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crop_reasoning.errors import DataError
from crop_reasoning.records import Pair

EQUAL_SIZE = 0.01
"""Two crops whose areas differ by at most this share of the larger one are a pair of equal size."""


@dataclass(frozen=True, slots=True)
class PairFigures:
    """Accuracy over `n` pairs in [0,1], higher is better.

    `accuracy`: ties half, a pair that could not be scored wrong. `ties_wrong`: ties wrong as well, as FCDB's own script
    has it. `equal_size`: `accuracy` over the `n_equal_size` pairs in which "the larger one wins" says nothing, None if
    there are none. `n_ties` and `n_failed` pairs count as said. `consistent`: the share of pairs judged alike in both
    orders, None if they were shown in one.
    """

    accuracy: float
    ties_wrong: float
    equal_size: float | None
    n: int
    n_equal_size: int
    n_ties: int
    n_failed: int
    consistent: float | None = None

    @property
    def label(self) -> str:
        """What the figure is: orders, ties and n."""
        orders = "one order" if self.consistent is None else "both orders"
        return f"pair accuracy ({orders}, ties half, unscored pairs wrong, n = {self.n})"


def is_equal_size(pair: Pair) -> bool:
    """Whether the areas of a pair differ by at most `EQUAL_SIZE` of the larger one."""
    areas = (pair.chosen.area, pair.rejected.area)
    return max(areas) - min(areas) <= EQUAL_SIZE * max(areas)


def pair_value(margin: float | None) -> float:
    """What one pair is worth: 1 for a positive margin, half for none, 0 for a negative one or an unscored pair (None).

    >>> [pair_value(margin) for margin in (0.2, 0.0, -0.2, None, float("nan"))]
    [1.0, 0.5, 0.0, 0.0, 0.0]
    """
    if margin is None or not margin >= 0:  # NaN is no answer
        return 0.0
    return 0.5 if margin == 0 else 1.0


def pair_figures(
    margins: Sequence[float | None], equal_size: Sequence[bool], swapped: Sequence[float | None] | None = None
) -> PairFigures:
    """The figures of pairs; `swapped` are the margins of the same pairs with their crops shown in the other order.

    With both orders a pair is worth the mean of the two, so that a model that always names the first crop gets a half.
    `DataError` for no pairs or lists of different lengths.
    """
    shown = [margins] if swapped is None else [margins, swapped]
    if not margins or any(len(one) != len(margins) for one in (*shown, equal_size)):
        raise DataError(
            f"{', '.join(str(len(one)) for one in (*shown, equal_size))} margins and sizes of pairs; "
            "expected as many of each, at least one"
        )
    values = [sum(map(pair_value, both)) / len(both) for both in zip(*shown, strict=True)]
    strict = [sum(pair_value(m) == 1 for m in both) / len(both) for both in zip(*shown, strict=True)]
    alike = [value for value, is_equal in zip(values, equal_size, strict=True) if is_equal]
    flat = [margin for one in shown for margin in one]
    return PairFigures(
        accuracy=sum(values) / len(values),
        ties_wrong=sum(strict) / len(strict),
        equal_size=sum(alike) / len(alike) if alike else None,
        n=len(values),
        n_equal_size=len(alike),
        n_ties=sum(margin == 0 for margin in flat),
        n_failed=sum(margin is None or margin != margin for margin in flat),
        consistent=None if swapped is None else _consistent(margins, swapped),
    )


def _consistent(margins: Sequence[float | None], swapped: Sequence[float | None]) -> float:
    return sum(pair_value(a) == pair_value(b) for a, b in zip(margins, swapped, strict=True)) / len(margins)
