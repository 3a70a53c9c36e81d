"""Scenes that a curve leads through, or that a triangle holds together."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.scenes.backdrops import cover, ground_patch
from benchmarks.scenes.element_truth import Sketch, Truth, bounds
from benchmarks.scenes.objects import paint_subject, subject_at
from benchmarks.scenes.painting import (
    LUMA,
    Array,
    Canvas,
    Point,
    PxBox,
    mask_of,
    paint,
    rectangle,
    roughen,
    stroke,
)


def _winding(canvas: Canvas, top: float) -> list[Point]:
    """An S from the bottom to `top` (px); its bends narrow as it recedes."""
    width, height = canvas.wh
    side, middle = float(canvas.rng.choice([-1, 1])), canvas.rng.uniform(0.42, 0.58) * width
    swing = canvas.rng.uniform(0.24, 0.34) * width
    t = np.linspace(-0.12, 1, 90)  # from below the frame, so that no end is seen
    x = middle + side * swing * (1 - 0.55 * t) * np.sin(2 * math.pi * canvas.rng.uniform(0.8, 1.05) * t + 0.5)
    y = height + (top - height) * np.sign(t) * np.abs(t) ** 0.85
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _seen(canvas: Canvas, path: list[Point]) -> PxBox:
    """The box of what of a path lies in the frame."""
    width, height = canvas.wh
    return bounds((x, y) for x, y in path if 0 <= x <= width and 0 <= y <= height)


def river(canvas: Canvas) -> Sketch:
    """A winding river seen from above."""
    cover(canvas, "meadow")
    path = _winding(canvas, 0.0)
    widths = np.linspace(0.12, 0.05, len(path)) * canvas.wh[0]
    bank = mask_of(canvas.wh, [stroke(path, widths * 1.25)], soft=2)
    paint(canvas, bank, canvas.palette.dark, alpha=0.4)
    shape = mask_of(canvas.wh, [stroke(path, widths)], soft=0.6)
    water, meadow = canvas.palette.sky[1], float((canvas.pixels @ LUMA).mean())
    if abs(float(water @ LUMA) - meadow) < 50:
        water = canvas.palette.light * 0.8 if meadow < 120 else canvas.palette.dark
    paint(canvas, shape, water, texture=0.06)
    return Sketch({"curved": Truth(curve=tuple(path))}, masses=[_seen(canvas, path)])


def path(canvas: Canvas) -> Sketch:
    """A winding path to an uneven far edge."""
    cover(canvas, "sky")
    width, height = canvas.wh
    top = canvas.rng.uniform(0.2, 0.35) * height
    hills = roughen(canvas.rng, [(0, top), (width, top)], 8, 80)
    grass = canvas.palette.ground[1]
    ground_patch(canvas, [*hills, (width, height), (0, height)], grass, texture=0.22, cell=(10, 6), soft=1.5)
    way = _winding(canvas, top + 6)
    widths = np.linspace(1, 0.12, len(way)) ** 1.2 * 0.16 * width
    color = canvas.palette.light * 0.85 if float(grass.mean()) < 140 else canvas.palette.dark
    paint(canvas, mask_of(canvas.wh, [stroke(way, widths)], soft=0.7), color, texture=0.08, cell=(8, 5))
    return Sketch({"curved": Truth(curve=tuple(way))}, {"horizontal"}, [_seen(canvas, way)])


def beach(canvas: Canvas) -> Sketch:
    """The arc of a bay, with foam, seen from above."""
    width, height = canvas.wh
    cover(canvas, "sand")
    side = float(canvas.rng.choice([-1, 1]))
    radius = canvas.rng.uniform(0.62, 0.85) * width
    x, y = width / 2 + side * (radius - canvas.rng.uniform(0.05, 0.2) * width), canvas.rng.uniform(0.4, 0.65) * height
    squash = canvas.rng.uniform(0.6, 0.75)
    turn = np.linspace(0, 2 * math.pi, 200) + (math.pi if side < 0 else 0.0)  # what is seen lies in its middle
    rim = [(x + radius * math.cos(a), y + squash * radius * math.sin(a)) for a in turn]
    water = canvas.palette.sky[0] * 0.7
    ground_patch(canvas, rim, water, texture=0.12, cell=(24, 8))
    foam = mask_of(canvas.wh, [stroke(rim, [canvas.rng.uniform(4, 8)] * 200)], soft=1)
    paint(canvas, foam, canvas.palette.light, alpha=0.9)
    return Sketch({"curved": Truth(curve=tuple(rim))})


def bough(canvas: Canvas) -> Sketch:
    """A bent bough, hose or rail across the frame."""
    cover(canvas, str(canvas.rng.choice(["wall", "mist", "sky"])))
    width, height = canvas.wh
    up, lean = float(canvas.rng.choice([-1, 1])), canvas.rng.uniform(-0.25, 0.25)
    reach = canvas.rng.uniform(0.62, 0.7) * width
    rise = min(canvas.rng.uniform(0.5, 0.7) * height, reach)
    a = np.linspace(0.02, 0.98, 80) * math.pi
    x = width * canvas.rng.uniform(0.42, 0.58) + reach * np.cos(a)
    y = height / 2 + up * (rise / 2 - rise * np.sin(a)) + lean * (x - width / 2)
    bend = list(zip(x.tolist(), y.tolist(), strict=True))
    thick = np.linspace(canvas.rng.uniform(0.05, 0.075), 0.03, len(bend)) * width
    color = canvas.palette.dark if float(canvas.pixels.mean()) > 105 else canvas.palette.light
    paint(canvas, mask_of(canvas.wh, [stroke(bend, thick)], soft=0.5), color, texture=0.15, cell=(12, 6))
    return Sketch({"curved": Truth(curve=tuple(bend))}, {"symmetric"}, [_seen(canvas, bend)])


def _triangle(canvas: Canvas) -> tuple[Point, Point, Point]:
    """Apex and two feet, large, in px."""
    width, height = canvas.wh
    x = canvas.rng.uniform(0.42, 0.58) * width
    reach = canvas.rng.uniform(0.25, 0.33, 2) * width
    top, foot = canvas.rng.uniform(0.1, 0.25) * height, canvas.rng.uniform(0.76, 0.86) * height
    return (x, top), (x - reach[0], foot), (x + reach[1], foot)


def _two_faces(canvas: Canvas, corners: tuple[Point, Point, Point], color: Array, texture: float, rough: float) -> None:
    apex, left, right = corners
    split = left[0] + (right[0] - left[0]) * canvas.rng.uniform(0.4, 0.65)
    for a, b, light in ((left, (split, left[1]), 1.1), ((split, left[1]), right, 0.7)):
        outer = roughen(canvas.rng, [apex, left if light > 1 else right], rough, 14)
        shape = [*outer, b if light > 1 else a]
        paint(canvas, mask_of(canvas.wh, [tuple(shape)], soft=0.4), color * light, texture=texture, cell=(16, 12))


def mountain(canvas: Canvas) -> Sketch:
    """A peak before the sky, its foot behind uneven ground."""
    cover(canvas, "sky")
    corners = _triangle(canvas)
    bright = float(canvas.pixels.mean()) > 110
    color = canvas.palette.dark * 1.4 if bright else canvas.palette.light * 0.8
    _two_faces(canvas, corners, color, 0.22, 2.5)
    width, height = canvas.wh
    hills = roughen(canvas.rng, [(0, corners[1][1] - 4), (width, corners[1][1] - 4)], 5, 50)
    ground = [*hills, (width, height), (0, height)]
    ground_patch(canvas, ground, canvas.palette.ground[1], texture=0.22, cell=(9, 6), soft=1.5)
    return Sketch({"triangle": Truth(polygon=corners)}, {"horizontal", "diagonal", "symmetric"}, [bounds(corners)])


def pyramid(canvas: Canvas) -> Sketch:
    """A pyramid or tent, standing on sand or a meadow that fills the frame."""
    cover(canvas, str(canvas.rng.choice(["sand", "meadow"])))
    corners = _triangle(canvas)
    bright = float(canvas.pixels.mean()) > 110
    _two_faces(canvas, corners, canvas.palette.dark * 1.3 if bright else canvas.palette.light * 0.9, 0.08, 0.0)
    return Sketch({"triangle": Truth(polygon=corners)}, {"diagonal", "horizontal", "symmetric"}, [bounds(corners)])


def trio(canvas: Canvas) -> Sketch:
    """Three like objects at the corners of a triangle."""
    cover(canvas, str(canvas.rng.choice(["wall", "sand", "mist"])))
    width, height = canvas.wh
    corners = _triangle(canvas)
    apex, left, right = corners
    corners = ((apex[0], apex[1] + 0.08 * height), left, right)
    kind = str(canvas.rng.choice(["ball", "vase", "flower", "cat"]))
    size = canvas.rng.uniform(0.17, 0.23) * min(width, height)
    masses = [bounds(corners)]
    for corner in corners:
        thing = subject_at(canvas, corner, size, (kind,))
        paint_subject(canvas, thing)
        masses.append(thing.box)
    return Sketch({"triangle": Truth(polygon=corners)}, {"symmetric"}, masses)


def gable(canvas: Canvas) -> Sketch:
    """The front of a house whose roof is a triangle."""
    cover(canvas, "sky")
    apex, left, right = _triangle(canvas)
    height = canvas.wh[1]
    eaves = canvas.rng.uniform(0.55, 0.64) * height
    corners = (apex, (left[0], eaves), (right[0], eaves))
    inset = 0.1 * (right[0] - left[0])
    wall = rectangle(left[0] + inset, eaves - 2, right[0] - inset, height)
    ground_patch(canvas, wall, canvas.palette.ground[0], texture=0.06, cell=(10, 10))
    roof = canvas.palette.dark if float(canvas.pixels.mean()) > 105 else canvas.palette.light
    paint(canvas, mask_of(canvas.wh, [corners]), roof, texture=0.12, cell=(14, 4))
    for x in canvas.rng.uniform(left[0] + 1.4 * inset, right[0] - 2.6 * inset, 2):
        window = rectangle(x, eaves + 0.1 * height, x + inset, eaves + 0.22 * height)
        paint(canvas, mask_of(canvas.wh, [window]), canvas.palette.dark, alpha=0.8)
    ambiguous = {"symmetric", "diagonal", "horizontal", "vertical"}
    return Sketch(
        {"triangle": Truth(polygon=corners)}, ambiguous, [bounds(corners), bounds(wall), (*bounds(corners)[:3], height)]
    )


def trestle(canvas: Canvas) -> Sketch:
    """Two thick poles that lean together, with a bar between them: a swing, an easel, a tent of poles."""
    cover(canvas, str(canvas.rng.choice(["meadow", "wall", "sand", "mist"])))
    corners = _triangle(canvas)
    apex, left, right = corners
    color = canvas.palette.dark if float(canvas.pixels.mean()) > 105 else canvas.palette.light
    thick = canvas.rng.uniform(0.028, 0.045) * canvas.wh[0]
    bars = [stroke([apex, foot], [thick] * 2) for foot in (left, right)] + [stroke([left, right], [thick * 0.7] * 2)]
    patch = mask_of(
        canvas.wh, [*bars, (apex[0] - thick / 2, apex[1] - thick / 2, apex[0] + thick / 2, apex[1] + thick / 2)]
    )
    paint(canvas, patch, color, texture=0.12, cell=(7, 7))
    return Sketch({"triangle": Truth(polygon=corners)}, {"diagonal", "horizontal", "symmetric"}, [bounds(corners)])
