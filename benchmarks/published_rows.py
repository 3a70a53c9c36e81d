"""Rows of published figures beside recomputed ones, and the crops that see no picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from crop_reasoning.evaluation.metrics import score_many
from crop_reasoning.geometry import WHOLE, Box, Size, centered, clip, corners

INFERRED = 0.002
"""What figures may differ by that rest on the sizes of absent photos."""
CROPS = {"whole image": WHOLE, "center .9": centered(0.9), "center .8": centered(0.8)}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was published, in its printed digits, and what is found; `within` replaces half a digit."""

    data: str
    what: str
    n: int
    published: str
    found: float
    within: float | None = None

    @property
    def allowed(self) -> float:
        return self.within or 0.5 * 10.0 ** -len(self.published.partition(".")[2])

    @property
    def agrees(self) -> bool:
        return abs(float(self.published) - self.found) <= self.allowed + 1e-12


def box_of(values: Sequence[float], order: str, wh: Size) -> Box:
    """The part of a written box that is inside a photo of size `wh`."""
    x1, y1, x2, y2 = corners(values, order)
    return clip(x1 / wh[0], y1 / wh[1], x2 / wh[0], y2 / wh[1])


def box_rows(
    data: str, truths: Sequence[Sequence[Box]], published: Sequence[Sequence[str]], within: float | None = None
) -> Iterable[Row]:
    """IoU, Disp and recall of `CROPS`, as many of the three as were published."""
    flat = np.array([truth.xyxy for its in truths for truth in its])
    for (crop, box), figures in zip(CROPS.items(), published, strict=True):
        found = score_many(np.array([box.xyxy] * len(truths)), flat, [len(its) for its in truths])
        ours = (("IoU", float(found.iou.mean())), ("Disp", float(found.disp.mean())), ("recall.75", found.recall()))
        for text, (figure, value) in zip(figures, ours, strict=False):
            # a pixel more or less moves single photos over the threshold, so recall may differ by one of them
            loose = max(within, 1 / len(truths) + 0.0005) if within and figure == "recall.75" else within
            yield Row(data, f"{crop}, {figure}", len(truths), text, value, loose)
