"""How a model family writes coordinates: the only place where a box meets a model's integers.

A codec is nothing but a grid. Qwen3-VL writes integers 0-1000 of the image; Qwen2.5-VL writes absolute pixels of the
*resized* image. Reading one family with the other's grid gives believable but wrong scores, so no other module
converts coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan

Codec = Callable[[ImagePlan], tuple[int, int]]
"""From a resize plan to the grid (columns, rows) on which the family's integers live."""


def thousandths(plan: ImagePlan) -> tuple[int, int]:
    """Qwen3-VL: 0-1000 both ways, whatever the image's size."""
    return (1000, 1000)


def resized_pixels(plan: ImagePlan) -> tuple[int, int]:
    """Qwen2.5-VL: pixels of the image as the model sees it after resizing."""
    return plan.seen_wh


class BoxRefused(DataError):
    """Integers that are no box; `kind` is one of `arity`, `out_of_range`, `inverted`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def encode_point(xy: tuple[float, float], codec: Codec, plan: ImagePlan) -> tuple[int, int]:
    """A point of [0,1]² on the grid, half units rounded up; `DataError` for a point outside the image."""
    columns, rows = codec(plan)
    x, y = xy[0] * columns + 0.5, xy[1] * rows + 0.5
    if not (0 <= x < columns + 1 and 0 <= y < rows + 1):  # NaN fails every comparison
        raise DataError(f"point ({xy[0]:g}, {xy[1]:g}): expected both in [0,1]; clip the geometry to the image first")
    return (int(x), int(y))


def decode_point(ints: Sequence[int], codec: Codec, plan: ImagePlan) -> tuple[float, float]:
    """The inverse of `encode_point`; `BoxRefused` (`arity`, `out_of_range`) if it is no point of the image."""
    grid = codec(plan)
    _check(ints, 2, grid)
    return (ints[0] / grid[0], ints[1] / grid[1])


def encode(box: Box, codec: Codec, plan: ImagePlan) -> tuple[int, int, int, int]:
    """The integers a model writes for `box`: each edge within half a unit of the grid.

    A box too thin for the grid becomes the unit that holds its center; only there may an edge move by up to a unit.
    """
    columns, rows = codec(plan)
    x1, x2 = _edges(box.x1, box.x2, columns)
    y1, y2 = _edges(box.y1, box.y2, rows)
    return (x1, y1, x2, y2)


def decode(ints: Sequence[int], codec: Codec, plan: ImagePlan) -> Box:
    """The box that four integers mean; `BoxRefused` if they mean none. Nothing is clipped, swapped or guessed."""
    grid = codec(plan)
    _check(ints, 4, grid)
    x1, y1, x2, y2 = ints
    if x1 >= x2 or y1 >= y2:
        raise BoxRefused("inverted", f"[{x1},{y1},{x2},{y2}]: the second corner is not right of and below the first")
    columns, rows = grid
    return Box(x1 / columns, y1 / rows, x2 / columns, y2 / rows)


def _edges(low: float, high: float, side: int) -> tuple[int, int]:
    first, last = int(low * side + 0.5), int(high * side + 0.5)
    if first == last:
        first = min(int((low + high) / 2 * side), side - 1)
        last = first + 1
    return (first, last)


def _check(ints: Sequence[int], count: int, grid: tuple[int, int]) -> None:
    if len(ints) != count or any(isinstance(v, bool) or not isinstance(v, int) for v in ints):
        raise BoxRefused("arity", f"got {repr(list(ints))[:80]}, expected {count} integers")
    for value, limit in zip(ints, grid * (count // 2), strict=True):
        if not 0 <= value <= limit:
            raise BoxRefused("out_of_range", f"{value} in {list(ints)!r} is outside 0-{limit}")
