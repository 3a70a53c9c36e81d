"""What is said of one element that was seen: name, strength, words, geometry."""

from __future__ import annotations

from dataclasses import dataclass

from crop_reasoning.composition.primitives import Point
from crop_reasoning.geometry import Box


@dataclass(frozen=True, slots=True)
class Evidence:
    """An element that was seen: its name (of `ELEMENTS`), strength in [0,1], plain words, and at most one geometry.

    Geometry is in [0,1] of the frame judged. `line` is (x1, y1, x2, y2): a level or upright line, the strongest
    slanted one, or the axis of a symmetry. `polygon` holds the corners of a triangle, `path` the points of a curve,
    `box` where a pattern reaches. `vanishing` is where leading lines meet; it may lie outside the frame.
    """

    name: str
    strength: float
    words: str
    point: Point | None = None
    line: tuple[float, float, float, float] | None = None
    box: Box | None = None
    polygon: tuple[Point, ...] | None = None
    path: tuple[Point, ...] | None = None
    vanishing: Point | None = None
    leading: tuple[tuple[float, float, float, float], ...] = ()
