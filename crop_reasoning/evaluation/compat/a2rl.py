"""TF-A2RL, actions.py: a window in twentieths of the sides, cut to whole pixels."""

from __future__ import annotations

from collections.abc import Sequence

PARTS = 20


def window(w: int, h: int, twentieths: Sequence[float]) -> list[int]:
    """`x1 y1 x2 y2` in pixels of four numbers from 0 to 20."""
    return [int(float(part) / PARTS * side) for part, side in zip(twentieths, (w, h, w, h), strict=True)]
