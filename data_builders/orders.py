"""Which order of four numbers an annotation file is written in, as far as the photos' sizes tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import ORDERS, Size, corners

SLACK_PX = 2
"""Released boxes stand out of their photo by up to this much here and there: such a box counts as inside."""
IMPLAUSIBLE = 1 / 3
"""A file of whose boxes a larger share lies outside the photos was not written in the order it is read in."""
_EXPLAINS = 0.9  # an order under which fewer boxes lie inside explains nothing
_MOST_FILES = 3

Sample = tuple[Sequence[float], Size, str]
"""A box as written, the size of the image it refers to, and the name of its photo."""


def overflow(values: Sequence[float], order: str, wh: Size) -> float:
    """By how much, in the unit of `wh`, a written box stands out of an image of that size; 0 if it lies inside."""
    x1, y1, x2, y2 = corners(values, order)
    return max(0.0, -x1, -y1, x2 - wh[0], y2 - wh[1])


def in_pixels(values: Sequence[float], order: str, unit: Size) -> tuple[float, float, float, float]:
    """`x1 y1 x2 y2` in pixels of a box as written; `unit` is how many pixels 1 stands for, each way."""
    x1, y1, x2, y2 = corners(values, order)
    return (x1 * unit[0], y1 * unit[1], x2 * unit[0], y2 * unit[1])


def far_out(boxes: Iterable[tuple[str, Sequence[float], str]], unit: Size, wh: Size, share: float) -> str:
    """Which box leaves an image of size `wh` so far that it was drawn on another; an empty text if none does.

    That is by more than both `SLACK_PX` and `share` of the side it crosses. `boxes` are what each is called, its values
    as written and their order; inverted ones say nothing. Of several the one that stands out furthest is named.
    """
    worst, found = 0.0, ""
    for what, values, order in boxes:
        x1, y1, x2, y2 = in_pixels(values, order, unit)
        across, down = max(-x1, x2 - wh[0]), max(-y1, y2 - wh[1])
        far = across > max(SLACK_PX, share * wh[0]) or down > max(SLACK_PX, share * wh[1])
        if far and x1 < x2 and y1 < y2 and max(across, down) > worst:
            worst = max(across, down)
            found = (
                f"{what} {written(values)} ({order}) stands {worst:g} px out of {pixels(wh)}; not the original photo?"
            )
    return found


def pixels(wh: Size) -> str:
    """A size for messages."""
    return f"{wh[0]}x{wh[1]} px"


def written(values: Sequence[float]) -> str:
    """A box as annotation files write it, for messages."""
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"


def refuse_wrong_order(
    samples: Sequence[Sample], order: str, where: str, files: Sequence[str], slack: float = SLACK_PX
) -> None:
    """`DataError` if more than a third of the boxes, as read in `order`, lie outside; it names the likely order.

    `files` are what the boxes were read from; the first of them are named, beside one of the boxes.
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
    values, wh, photo = next(sample for sample in samples if not _is_inside(sample, order, slack))
    example = f"{written(values)} of {photo} ({wh[0]}x{wh[1]})"
    more = f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else ""
    raise DataError(
        f"{where}: {outside} of {len(samples)} boxes read as {order} lie outside their photos; {verdict}. "
        f"One of them is {example}; the annotations are {', '.join(files[:_MOST_FILES])}{more}"
    )


def _is_inside(sample: Sample, order: str, slack: float) -> bool:
    values, wh, _ = sample
    x1, y1, x2, y2 = corners(values, order)
    return x1 < x2 and y1 < y2 and overflow(values, order, wh) <= slack
