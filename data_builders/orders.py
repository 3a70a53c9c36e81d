"""Which order of four numbers an annotation file is written in, as far as the photos' sizes tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, Size, from_xywh_px, from_xyxy_px, from_yxyx_px

ORDERS: dict[str, Callable[[Sequence[float], Size], Box]] = {
    "x y w h": from_xywh_px,
    "x1 y1 x2 y2": from_xyxy_px,
    "y1 x1 y2 x2": from_yxyx_px,
}
SLACK_PX = 2
"""Released boxes stand out of their photo by up to this much; builders clip those, so here they count as inside."""
IMPLAUSIBLE = 1 / 3
"""A file of whose boxes a larger share lies outside the photos was not written in the order it is read in."""
_EXPLAINS = 0.9  # an order under which fewer boxes lie inside explains nothing

Sample = tuple[Sequence[float], Size]


def refuse_wrong_order(samples: Sequence[Sample], fits: Sequence[bool], order: str, where: str) -> None:
    """`DataError` if more than a third of the boxes, as read in `order`, lie outside; it names the likely order.

    `samples` are boxes as written with the size of the photo they refer to, `fits` whether each was found inside.
    """
    outside = sum(not fit for fit in fits)
    if outside <= IMPLAUSIBLE * len(samples):
        return
    inside = {name: sum(_is_inside(sample, name) for sample in samples) for name in ORDERS if name != order}
    likely = max(inside, key=lambda name: inside[name])
    if inside[likely] >= _EXPLAINS * len(samples):
        verdict = (
            f"read as {likely}, {inside[likely]} lie inside, so that is the likely order: write them as {order}. "
            "If the order is right, the photos are not of the size that was annotated"
        )
    else:
        verdict = "no other order explains it: the photos are probably not of the size that was annotated"
    raise DataError(f"{where}: {outside} of {len(samples)} boxes read as {order} lie outside their photos; {verdict}")


def _is_inside(sample: Sample, order: str) -> bool:
    """Whether the box lies inside a photo that is larger by the slack on every side."""
    crop, (width, height) = sample
    far = 0 if order == "x y w h" else SLACK_PX  # a size stays as it is when its corner moves
    moved = [value + shift for value, shift in zip(crop, (SLACK_PX, SLACK_PX, far, far), strict=True)]
    try:
        ORDERS[order](moved, (width + 2 * SLACK_PX, height + 2 * SLACK_PX))
    except DataError:
        return False
    return True
