"""Scenes that repeat themselves: about an axis, or as one motif over the whole frame."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.scenes.backdrops import cover, ground_patch
from benchmarks.scenes.element_truth import Sketch, Truth
from benchmarks.scenes.objects import SILHOUETTES
from benchmarks.scenes.painting import (
    LUMA,
    Canvas,
    Point,
    PxBox,
    Shape,
    distinct,
    mask_of,
    paint,
    rectangle,
    rolling,
)

LEVEL_AND_UPRIGHT = {"horizontal", "vertical"}


def _axis(canvas: Canvas) -> int:
    """A column right of the middle, in px: what is left of it is painted, then folded over."""
    return round(canvas.rng.uniform(0.5, 0.57) * canvas.wh[0])


def _fold(canvas: Canvas, axis: int) -> tuple[float, Truth]:
    """Mirror what is left of a column to its right, turn half of the pictures round; where the axis is now."""
    width, height = canvas.wh
    canvas.pixels[:, axis:] = canvas.pixels[:, 2 * axis - width : axis][:, ::-1]
    if canvas.rng.random() < 0.5:
        canvas.pixels[:] = canvas.pixels[:, ::-1].copy()
        axis = width - axis
    return float(axis), Truth(axis=(axis, 0, axis, height))


def facade(canvas: Canvas) -> Sketch:
    """A building with wings, gate, towers and windows, the same on both sides."""
    cover(canvas, "sky")
    width, height = canvas.wh
    axis = _axis(canvas)
    half = width - axis
    stone = canvas.palette.ground[0]
    blocks = [(0.0, 0.45, 0.3), (0.45, 0.62, 0.12), (0.62, 0.9, 0.4)]  # from the axis outwards: start, end, roof line
    for near, far, roof in blocks:
        top = (roof + canvas.rng.uniform(-0.06, 0.12)) * height
        box = rectangle(axis - far * half, top, axis - near * half + 1, height)
        ground_patch(canvas, box, stone * canvas.rng.uniform(0.75, 1.15), texture=0.05, cell=(8, 8))
        size = canvas.rng.uniform(0.05, 0.075) * half
        for x in np.arange(axis - far * half + 1.2 * size, axis - near * half - 1.5 * size, size * 2.6):
            for y in np.arange(top + 1.5 * size, height * 0.8, size * canvas.rng.uniform(3.2, 5.0)):
                window = mask_of(canvas.wh, [rectangle(x, y, x + size, y + 1.8 * size)])
                paint(canvas, window, canvas.palette.dark, alpha=0.75)
    gate = mask_of(canvas.wh, [(axis - 0.12 * half, 0.68 * height, axis + 0.12 * half, 1.2 * height)])
    paint(canvas, gate, canvas.palette.dark)
    middle, truth = _fold(canvas, axis)
    mass: PxBox = (middle - 0.9 * half, 0.15 * height, middle + 0.9 * half, height)
    return Sketch({"symmetric": truth}, {"pattern", "center", "triangle", *LEVEL_AND_UPRIGHT}, [mass])


def reflection(canvas: Canvas) -> Sketch:
    """Hills, trees and a house, and their image in still water."""
    cover(canvas, "sky")
    width, height = canvas.wh
    axis = round(canvas.rng.uniform(0.5, 0.57) * height)
    for depth, color in ((0.5, canvas.palette.ground[0] * 0.9), (0.22, canvas.palette.ground[1] * 0.7)):
        hills = rolling(canvas.rng, width, axis - 0.65 * depth * height, 0.4 * depth * height)
        ground_patch(canvas, [*hills, (width, axis + 2), (0, axis + 2)], color, texture=0.2, cell=(12, 8))
    for _ in range(canvas.rng.integers(2, 6)):
        x, size = canvas.rng.uniform(0.05, 0.95) * width, canvas.rng.uniform(0.06, 0.16) * height
        crown: list[Shape] = [
            (x - size / 2, axis - 1.5 * size, x + size / 2, axis - 0.4 * size),
            rectangle(x - 2, axis - size, x + 2, axis),
        ]
        paint(canvas, mask_of(canvas.wh, crown, soft=0.8), canvas.palette.dark, texture=0.3, cell=(5, 5))
    rows = np.arange(height - axis)
    below = canvas.pixels[2 * axis - height : axis][::-1] * 0.86 + canvas.palette.sky[0] * 0.1
    sway = np.sin(rows * canvas.rng.uniform(0.5, 1.1)) * canvas.rng.uniform(0.3, 1.5) * np.sqrt(rows / height)
    columns = np.clip(np.arange(width)[None] + np.round(sway).astype(int)[:, None], 0, width - 1)
    canvas.pixels[axis:] = below[rows[:, None], columns]
    return Sketch({"symmetric": Truth(axis=(0, axis, width, axis))}, {"horizontal", "curved"})


def corridor(canvas: Canvas) -> Sketch:
    """A nave or corridor seen along its middle."""
    cover(canvas, "wall")
    width, height = canvas.wh
    axis = _axis(canvas)
    far = canvas.rng.uniform(0.1, 0.16) * width
    top, foot = canvas.rng.uniform(0.28, 0.36) * height, canvas.rng.uniform(0.56, 0.64) * height
    reach = axis + 1.0
    floor = [(axis - reach * 1.1, height), (axis - far, foot), (axis + far, foot), (axis + reach * 1.1, height)]
    ceiling = [(axis - reach, 0), (axis - far, top), (axis + far, top), (axis + reach, 0)]
    ground_patch(canvas, floor, canvas.palette.ground[1], texture=0.12, cell=(14, 5))
    ground_patch(canvas, ceiling, canvas.palette.light * 0.9, texture=0.05, cell=(20, 10))
    for depth in canvas.rng.uniform(0.1, 0.95, 4):
        x = axis - far - depth * (reach - far)
        high, low = top * (1 - depth), foot + depth * (height - foot)
        thick = 3 + 12 * depth
        door = mask_of(canvas.wh, [rectangle(x - thick, high, x + thick, low)])
        paint(canvas, door, canvas.palette.dark, alpha=0.7, texture=0.1)
    end = mask_of(canvas.wh, [rectangle(axis - far, top, axis + far, foot)])
    paint(canvas, end, canvas.palette.light, alpha=0.9)
    middle, truth = _fold(canvas, axis)
    mass: PxBox = (middle - far, top, middle + far, foot)
    return Sketch(
        {"symmetric": truth},
        {"diagonal", "triangle", "center", "rule of thirds", "golden ratio", *LEVEL_AND_UPRIGHT},
        [mass],
    )


def wings(canvas: Canvas) -> Sketch:
    """A large butterfly, mask or leaf: blots folded over an axis."""
    cover(canvas, str(canvas.rng.choice(["wall", "mist", "meadow", "bokeh"])))
    width, height = canvas.wh
    axis = _axis(canvas)
    half = width - axis
    for _ in range(5):
        x, y = axis - canvas.rng.uniform(0.12, 0.62) * half, canvas.rng.uniform(0.3, 0.72) * height
        r, squash = canvas.rng.uniform(0.1, 0.24) * height, canvas.rng.uniform(0.6, 1.3)
        blot: PxBox = (x - r, y - r * squash, x + r, y + r * squash)
        paint(canvas, mask_of(canvas.wh, [blot], soft=0.6), distinct(canvas, blot), texture=0.1, cell=(9, 9))
    body: PxBox = (axis - 0.05 * half, 0.22 * height, axis + 0.05 * half, 0.8 * height)
    paint(canvas, mask_of(canvas.wh, [body]), canvas.palette.dark)
    middle, truth = _fold(canvas, axis)
    mass: PxBox = (middle - 0.7 * half, 0.2 * height, middle + 0.7 * half, 0.8 * height)
    return Sketch({"symmetric": truth}, {"center", "curved"}, [mass])


def _motifs(
    canvas: Canvas, stagger: float = 0.0, least: float = 0.09, ratio: float = 1.0
) -> tuple[list[Point], Point, Truth]:
    """Centers of motifs over the whole frame, their spacing across and down, and the grid as truth."""
    width, height = canvas.wh
    across = canvas.rng.uniform(least, least * 1.7) * max(width, height)
    down = across * ratio * canvas.rng.uniform(0.85, 1.2)
    x, y = canvas.rng.uniform(0.2, 1.0) * across, canvas.rng.uniform(0.2, 1.0) * down
    centers = [
        (x + column * across + (row % 2) * stagger * across, y + row * down)
        for row in range(-1, math.ceil(height / down) + 1)
        for column in range(-2, math.ceil(width / across) + 1)
    ]
    return centers, (across, down), Truth(grid=((x, y), (across, 0.0), (stagger * across, down)))


def windows(canvas: Canvas) -> Sketch:
    """The windows of a block seen straight on; some are lit."""
    cover(canvas, "wall")
    centers, (across, down), truth = _motifs(canvas, ratio=1.2)
    w, h = canvas.rng.uniform(0.24, 0.34) * across, canvas.rng.uniform(0.26, 0.36) * down
    frames = mask_of(canvas.wh, [rectangle(x - w - 2, y - h - 2, x + w + 2, y + h + 2) for x, y in centers])
    bright = float(canvas.pixels.mean()) > 115
    paint(canvas, frames, canvas.palette.light if bright else canvas.palette.light * 0.9)
    masses: list[PxBox] = []
    for x, y in centers:
        pane = mask_of(canvas.wh, [rectangle(x - w, y - h, x + w, y + h)])
        if canvas.rng.random() < 0.1:  # a lit window is a focal point to some
            paint(canvas, pane, canvas.palette.accents[1])
            masses.append((x - w, y - h, x + w, y + h))
        else:
            paint(canvas, pane, canvas.palette.dark, shade=canvas.rng.uniform(0.85, 1.3))
    return Sketch({"pattern": truth}, {"symmetric", *LEVEL_AND_UPRIGHT}, masses)


def tiles(canvas: Canvas) -> Sketch:
    """Tiles with joints, or bricks in bond; each a little different."""
    canvas.pixels[:] = canvas.palette.light * 0.9 if canvas.rng.random() < 0.5 else canvas.palette.dark
    bond = 0.5 if canvas.rng.random() < 0.5 else 0.0
    centers, (across, down), truth = _motifs(canvas, bond, ratio=0.5 if bond else 1.0)
    tone = canvas.palette.ground[0] if float(canvas.pixels.mean()) < 110 else canvas.palette.ground[1]
    apart = float((tone - canvas.pixels[0, 0]) @ LUMA)
    if abs(apart) < 55:
        tone = np.clip(tone + (55 - abs(apart)) * (1 if apart > 0 else -1), 8, 250)
    joint = 0.05 * across
    for x, y in centers:
        tile = rectangle(x - across / 2 + joint, y - down / 2 + joint, x + across / 2 - joint, y + down / 2 - joint)
        shade = canvas.rng.uniform(0.85, 1.15)
        paint(canvas, mask_of(canvas.wh, [tile]), tone, texture=0.08, cell=(7, 7), shade=shade)
    return Sketch({"pattern": truth}, {"symmetric", *LEVEL_AND_UPRIGHT})


def rows_of_things(canvas: Canvas) -> Sketch:
    """Fruit, flowers or vases in rows, straight or staggered."""
    cover(canvas, str(canvas.rng.choice(["wall", "sand", "mist", "meadow"])))
    stagger = 0.5 if canvas.rng.random() < 0.4 else 0.0
    centers, (across, down), truth = _motifs(canvas, stagger, 0.11)
    kind = str(canvas.rng.choice(["ball", "flower", "vase", "cat"]))
    size = 0.72 * min(across, down)
    color = distinct(canvas, (0, 0, *canvas.wh))
    shapes = _silhouette(kind, size)
    for x, y in centers:
        parts: list[Shape] = [_moved(shape, x, y) for shape in shapes]
        patch = mask_of(canvas.wh, parts)
        side = np.linspace(1.15, 0.75, patch.mask.shape[1], dtype=np.float32)
        paint(canvas, patch, color, shade=side * np.float32(canvas.rng.uniform(0.88, 1.12)))
    return Sketch({"pattern": truth}, {"symmetric", "diagonal", *LEVEL_AND_UPRIGHT})


def _silhouette(kind: str, height: float) -> list[Shape]:
    ratio, shapes = SILHOUETTES[kind]
    scale = (height * ratio, height)
    out: list[Shape] = []
    for shape in shapes:
        if isinstance(shape[0], tuple):
            out.append(tuple(((p[0] - 0.5) * scale[0], (p[1] - 0.5) * scale[1]) for p in shape if isinstance(p, tuple)))
        else:
            a, b, c, d = ((float(v) - 0.5) * scale[k % 2] for k, v in enumerate(shape) if not isinstance(v, tuple))
            out.append((a, b, c, d))
    return out


def _moved(shape: Shape, x: float, y: float) -> Shape:
    if isinstance(shape[0], tuple):
        return tuple((p[0] + x, p[1] + y) for p in shape if isinstance(p, tuple))
    a, b, c, d = (float(v) for v in shape if not isinstance(v, tuple))
    return (a + x, b + y, c + x, d + y)


def fence(canvas: Canvas) -> Sketch:
    """Pickets or balusters, side by side over the whole frame."""
    cover(canvas, str(canvas.rng.choice(["meadow", "foliage"])))
    width, height = canvas.wh
    pitch = canvas.rng.uniform(0.045, 0.085) * width
    start, thick = canvas.rng.uniform(0, 1) * pitch, canvas.rng.uniform(0.3, 0.5) * pitch
    top = canvas.rng.uniform(0.02, 0.1) * height
    color = canvas.palette.light if float(canvas.pixels.mean()) < 150 else canvas.palette.dark
    rails = [rectangle(0, at * height, width, (at + 0.035) * height) for at in (0.3, 0.75)]
    paint(canvas, mask_of(canvas.wh, rails), color * 0.8, texture=0.06)
    for x in np.arange(start - pitch, width + pitch, pitch):
        picket = [(x - thick / 2, height), (x - thick / 2, top + thick), (x, top), (x + thick / 2, top + thick)]
        patch = mask_of(canvas.wh, [(*picket, (x + thick / 2, height))])
        paint(canvas, patch, color, texture=0.08, cell=(4, 16), shade=canvas.rng.uniform(0.9, 1.05))
    truth = Truth(grid=((start, height / 2), (pitch, 0.0), (0.0, 0.0)))
    return Sketch({"pattern": truth}, {"symmetric", *LEVEL_AND_UPRIGHT})
