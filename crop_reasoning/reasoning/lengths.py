"""Lengths: how many tokens a sample costs, from its texts and its image's size alone, so that none is ever cut.

An answer ends with the coordinates, and a trainer that truncates from the right removes exactly those, silently. So
lengths are counted before any pixel is decoded, and a sample that is too long is refused by its name. This module sums
up and refuses; what a sample's tokens are, `training.samples` knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crop_reasoning.errors import DataError

MAX_NAMED = 10
"""An error names this many of the samples that are too long and counts the rest."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The lengths of a data set in tokens. `refused` holds (name, tokens) of each sample above `max_tokens`."""

    n: int
    longest: int
    mean: float
    max_tokens: int
    refused: tuple[tuple[str, int], ...]

    def require(self) -> None:
        """`DataError` naming the samples that are too long, if there are any.

        >>> audit([("a", 90), ("b", 120)], max_tokens=100).require()
        Traceback (most recent call last):
        ...
        crop_reasoning.errors.DataError: 1 of 2 samples are longer than 100 tokens: b (120); \
raise the limit to 120, lower the pixel budget, or leave them out
        """
        if not self.refused:
            return
        named = ", ".join(f"{name} ({tokens})" for name, tokens in self.refused[:MAX_NAMED])
        rest = len(self.refused) - MAX_NAMED
        raise DataError(
            f"{len(self.refused)} of {self.n} samples are longer than {self.max_tokens} tokens: {named}"
            + (f" and {rest} more" if rest > 0 else "")
            + f"; raise the limit to {self.longest}, lower the pixel budget, or leave them out"
        )


def audit(samples: Iterable[tuple[str, int]], max_tokens: int) -> Audit:
    """Sum up (name, tokens) of each sample; those above `max_tokens` are refused by name, in their order.

    >>> audit([("a", 90), ("b", 120)], max_tokens=100)
    Audit(n=2, longest=120, mean=105.0, max_tokens=100, refused=(('b', 120),))
    """
    counted = list(samples)
    tokens = [length for _, length in counted]
    return Audit(
        n=len(counted),
        longest=max(tokens, default=0),
        mean=sum(tokens) / len(tokens) if tokens else 0.0,
        max_tokens=max_tokens,
        refused=tuple((name, length) for name, length in counted if length > max_tokens),
    )
