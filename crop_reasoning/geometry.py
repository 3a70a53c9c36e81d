"""Boxes: four floats in [0,1] of the upright image, the only form a box has inside this package.

This module owns the arithmetic of boxes. It must not know pixels of resized images or a model's integers: those belong
to `codecs`. The orders in which annotation files write a box are known to `corners` alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crop_reasoning.errors import DataError

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the upright image: x right, y down, corners exclusive, `0 <= x1 < x2 <= 1`, the same for y.

    >>> Box(0.25, 0.0, 0.75, 0.5).area
    0.25
    >>> Box(0.5, 0, 0.5, 1)
    Traceback (most recent call last):
    ...
    crop_reasoning.errors.DataError: box (0.5, 0, 0.5, 1): expected 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not (0 <= self.x1 < self.x2 <= 1 and 0 <= self.y1 < self.y2 <= 1):  # NaN fails every comparison
            raise DataError(
                f"box ({self.x1:g}, {self.y1:g}, {self.x2:g}, {self.y2:g}): "
                "expected 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1"
            )

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        return (self.x1, self.y1, self.x2, self.y2)

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Share of the image, in (0,1]."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        return ((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2)

    @property
    def is_whole(self) -> bool:
        """Whether the box is the whole image, which is how an answer says `keep`."""
        return self.xyxy == (0, 0, 1, 1)


WHOLE = Box(0.0, 0.0, 1.0, 1.0)
ORDERS = ("x y w h", "x1 y1 x2 y2", "y1 x1 y2 x2")
"""How annotation files write a box."""


def clip(x1: float, y1: float, x2: float, y2: float) -> Box:
    """The part of a rectangle that lies inside the image; `DataError` if none does.

    >>> clip(-0.1, 0.2, 0.5, 1.3).xyxy
    (0.0, 0.2, 0.5, 1.0)
    """
    return Box(max(0.0, x1), max(0.0, y1), min(1.0, x2), min(1.0, y2))


def corners(values: Sequence[float], order: str) -> tuple[float, float, float, float]:
    """`x1 y1 x2 y2` of four numbers that are written in `order`, one of `ORDERS`; the unit stays.

    >>> corners([10, 20, 50, 80], "x y w h")
    (10, 20, 60, 100)
    """
    a, b, c, d = values
    match order:
        case "x1 y1 x2 y2":
            return (a, b, c, d)
        case "y1 x1 y2 x2":
            return (b, a, d, c)
        case "x y w h":
            return (a, b, a + c, b + d)
    raise ValueError(f"order {order!r}, expected one of {', '.join(ORDERS)}")


def from_xyxy_px(values: Sequence[float], wh: Size) -> Box:
    """A box from `x1 y1 x2 y2` in pixels of an image of size `wh` (other orders: `corners` first).

    >>> from_xyxy_px([10, 20, 60, 100], (100, 200)).xyxy
    (0.1, 0.1, 0.6, 0.5)
    """
    x1, y1, x2, y2 = values
    w, h = wh
    return Box(x1 / w, y1 / h, x2 / w, y2 / h)


def edges_px(box: Box, wh: Size) -> tuple[float, float, float, float]:
    """The edges `x1 y1 x2 y2` in pixels of an image of size `wh`, not rounded: the inverse of `from_xyxy_px`.

    >>> edges_px(Box(0.25, 0.125, 0.5, 0.5), (10, 20))
    (2.5, 2.5, 5.0, 10.0)
    """
    w, h = wh
    return (box.x1 * w, box.y1 * h, box.x2 * w, box.y2 * h)


def point_px(point: Sequence[float], wh: Size) -> tuple[float, float]:
    """A point (x, y) in [0,1] as continuous pixels of an image of `wh`; points outside stay outside.

    >>> point_px((0.5, 1.25), (400, 200))
    (200.0, 250.0)
    """
    x, y = point
    return (x * wh[0], y * wh[1])


def aspect_px(box: Box, wh: Size) -> float:
    """Width over height of a box in pixels of an image of size `wh`."""
    w, h = wh
    return box.width * w / (box.height * h)


def to_xyxy_px(box: Box, wh: Size) -> tuple[int, int, int, int]:
    """The box on the pixel grid of an image of size `wh`, corners exclusive, at least one pixel each way.

    >>> to_xyxy_px(Box(0.1, 0.1, 0.6, 0.5), (100, 200))
    (10, 20, 60, 100)
    """
    w, h = wh
    left, top, right, bottom = (round(edge) for edge in edges_px(box, wh))
    x1, y1 = min(left, w - 1), min(top, h - 1)
    return (x1, y1, max(right, x1 + 1), max(bottom, y1 + 1))


def intersection(a: Box, b: Box) -> float:
    """Area both boxes share, in [0,1] of the image."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    return max(width, 0.0) * max(height, 0.0)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0,1].

    >>> round(iou(Box(0, 0, 0.5, 1), Box(0.25, 0, 0.75, 1)), 4)
    0.3333
    """
    shared = intersection(a, b)
    return shared / (a.area + b.area - shared)


def inside(part: Box, frame: Box) -> float:
    """Share of `part` that lies inside `frame`, in [0,1]."""
    return intersection(part, frame) / part.area


def place(center: tuple[float, float], size: tuple[float, float]) -> Box:
    """A box of a given size as near to a center as the image allows; sizes above 1 become 1.

    >>> place((0.0, 0.5), (0.5, 0.5)).xyxy
    (0.0, 0.25, 0.5, 0.75)
    """
    width, height = min(size[0], 1.0), min(size[1], 1.0)
    x1 = min(max(center[0] - width / 2, 0.0), 1.0 - width)
    y1 = min(max(center[1] - height / 2, 0.0), 1.0 - height)
    return Box(x1, y1, min(x1 + width, 1.0), min(y1 + height, 1.0))


def centered(scale: float) -> Box:
    """The centered crop whose sides are `scale` of the image's, `0 < scale <= 1`."""
    return place((0.5, 0.5), (scale, scale))


def fit_aspect(box: Box, aspect: tuple[int, int], wh: Size) -> tuple[int, int, int, int]:
    """The pixel box `xyxy` of exactly the ratio `aspect` that lies nearest to `box`.

    Keeps the center and the area of `box` where the image allows, then shrinks to fit. The sides are whole multiples
    of the reduced ratio, so that width : height is exact. `DataError` if the image cannot hold even one multiple, or
    if the ratio is not of two positive numbers.

    >>> fit_aspect(Box(0.1, 0.1, 0.9, 0.9), (1, 1), (400, 200))
    (100, 0, 300, 200)
    """
    w, h = wh
    if min(aspect) < 1:
        raise DataError(f"aspect {aspect[0]}:{aspect[1]}: expected two positive whole numbers, for instance 4:5")
    common = math.gcd(*aspect)
    rw, rh = aspect[0] // common, aspect[1] // common
    largest = min(w // rw, h // rh)
    if largest < 1:
        raise DataError(
            f"aspect {aspect[0]}:{aspect[1]} does not fit an image of {w}x{h} px: "
            f"it needs at least {rw}x{rh} px; ask for a simpler ratio"
        )
    wanted = math.sqrt(box.area * w * h / (rw * rh))
    multiple = min(max(round(wanted), 1), largest)
    width, height = rw * multiple, rh * multiple
    cx, cy = box.center
    x1 = min(max(round(cx * w - width / 2), 0), w - width)
    y1 = min(max(round(cy * h - height / 2), 0), h - height)
    return (x1, y1, x1 + width, y1 + height)
