"""Which order of four numbers an annotation file is written in, as far as the photos' sizes tell."""

from __future__ import annotations

from collections.abc import Sequence

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import ORDERS, Size, corners

SLACK_PX = 2
"""Released boxes stand out of their photo by up to this much here and there: such a box counts as inside."""
IMPLAUSIBLE = 1 / 3
"""A file of whose boxes a larger share lies outside the photos was not written in the order it is read in."""
_EXPLAINS = 0.9  # an order under which fewer boxes lie inside explains nothing

Sample = tuple[Sequence[float], Size]


def overflow(values: Sequence[float], order: str, wh: Size) -> float:
    """By how much, in the unit of `wh`, a written box stands out of an image of that size; 0 if it lies inside."""
    x1, y1, x2, y2 = corners(values, order)
    return max(0.0, -x1, -y1, x2 - wh[0], y2 - wh[1])


def refuse_wrong_order(samples: Sequence[Sample], order: str, where: str, slack: float = SLACK_PX) -> None:
    """`DataError` if more than a third of the boxes, as read in `order`, lie outside; it names the likely order.

    `samples` are boxes as written with the size of the image they refer to.
    """
    inside = {name: sum(_is_inside(sample, name, slack) for sample in samples) for name in ORDERS}
    outside = len(samples) - inside.pop(order)
    if outside <= IMPLAUSIBLE * len(samples):
        return
    likely = max(inside, key=lambda name: inside[name])
    if inside[likely] >= _EXPLAINS * len(samples):
        verdict = (
            f"read as {likely}, {inside[likely]} lie inside, so that is the likely order: write them as {order}. "
            "If the order is right, the photos are not of the size that was annotated"
        )
    else:
        verdict = "no other order explains it: the photos are probably not of the size that was annotated"
    raise DataError(f"{where}: {outside} of {len(samples)} boxes read as {order} lie outside their photos; {verdict}")


def _is_inside(sample: Sample, order: str, slack: float) -> bool:
    values, wh = sample
    x1, y1, x2, y2 = corners(values, order)
    return x1 < x2 and y1 < y2 and overflow(values, order, wh) <= slack
