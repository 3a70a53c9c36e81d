"""Things that stand in painted scenes: shaded silhouettes with an exact bounding box, shadows, weak distractors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.scenes.painting import Array, Canvas, Patch, PxBox, Rng, Shape, distinct, mask_of, paint, stroke


def _profile(*radii_and_heights: tuple[float, float]) -> Shape:
    """A turned body: half widths at heights, mirrored about its middle."""
    right = [(0.5 + radius, height) for radius, height in radii_and_heights]
    return (*right, *((1 - x, y) for x, y in reversed(right)))


def _petal(angle: float) -> PxBox:
    x, y = 0.5 + 0.32 * math.cos(angle), 0.5 + 0.32 * math.sin(angle)
    return (x - 0.18, y - 0.18, x + 0.18, y + 0.18)


SILHOUETTES: dict[str, tuple[float, tuple[Shape, ...]]] = {
    "ball": (1.0, ((0, 0, 1, 1),)),
    "balloon": (
        0.76,
        (
            (0, 0, 1, 0.76),
            _profile((0.3, 0.66), (0.07, 0.9)),
            _profile((0.12, 0.87), (0.1, 1.0)),
        ),
    ),
    "vase": (
        0.62,
        (_profile((0.28, 0), (0.16, 0.12), (0.2, 0.25), (0.46, 0.5), (0.5, 0.65), (0.4, 0.85), (0.25, 1.0)),),
    ),
    "figure": (
        0.42,
        (
            (0.3, 0, 0.7, 0.2),
            _profile((0.38, 0.24), (0.5, 0.58), (0.34, 0.6), (0.26, 0.4)),
            ((0.24, 0.3), (0.76, 0.3), (0.78, 1.0), (0.55, 1.0), (0.5, 0.64), (0.45, 1.0), (0.22, 1.0)),
        ),
    ),
    "cat": (
        0.7,
        (
            (0.1, 0.38, 0.9, 1.0),
            (0.2, 0.08, 0.8, 0.5),
            ((0.22, 0.3), (0.2, 0.0), (0.48, 0.14)),
            ((0.78, 0.3), (0.8, 0.0), (0.52, 0.14)),
            (0.0, 0.84, 0.5, 1.0),
            (0.55, 0.84, 1.0, 1.0),
        ),
    ),
    "flower": (
        1.0,
        (
            (0.25, 0.25, 0.75, 0.75),
            *(_petal(turn * math.pi / 4) for turn in range(8)),
        ),
    ),
    "mug": (1.1, (((0, 0), (0.72, 0), (0.68, 1.0), (0.04, 1.0)), (0.5, 0.2, 1.0, 0.75))),
    "bird": (
        1.25,
        (
            (0.15, 0.3, 0.8, 0.86),
            (0.62, 0.05, 0.94, 0.5),
            ((0.9, 0.22), (1.0, 0.3), (0.9, 0.34)),
            ((0.3, 0.5), (0.0, 0.35), (0.08, 0.62)),
            ((0.62, 0.0), (0.8, 0.02), (0.8, 0.2)),
            ((0.44, 0.8), (0.5, 0.8), (0.5, 1.0), (0.44, 1.0)),
        ),
    ),
}
"""A name's width over its height, and its parts in a unit square, whose four sides they touch."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An object still to be painted: kind, box in px, and the seed of its looks."""

    kind: str
    box: PxBox
    seed: int


def subject_at(canvas: Canvas, center: tuple[float, float], height: float, kinds: tuple[str, ...] = ()) -> Subject:
    """A subject around a center (px), `height` px high or less if it would be wider than 1.2 times that.

    Its shadow is painted at once, under it: a shadow is the ground's, no part of the subject.
    """
    names = kinds or tuple(SILHOUETTES)
    kind = names[canvas.rng.integers(len(names))]
    width = height * SILHOUETTES[kind][0]
    x, y = center
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if kind != "balloon":
        lean = canvas.rng.uniform(-0.2, 0.2) * width
        foot = (box[0] + lean, box[3] - 0.08 * height, box[2] + lean, box[3] + 0.05 * height)
        paint(canvas, mask_of(canvas.wh, [foot], soft=height / 30), canvas.palette.dark, alpha=0.4)
    return Subject(kind, box, int(canvas.rng.integers(2**31)))


def paint_subject(canvas: Canvas, subject: Subject) -> None:
    """Paint a subject with light from one side, a rounded body, texture, and a band or spot of another tone."""
    rng = np.random.default_rng(subject.seed)
    patch = _fitted(canvas, subject)
    x1, y1, x2, y2 = subject.box
    body = gaussian_filter(patch.mask, max((y2 - y1) / 9, 0.5), truncate=2.5)
    rows, columns = patch.mask.shape
    across = np.linspace(-1, 1, columns, dtype=np.float32) * rng.choice([-1, 1])
    down = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    shade = 0.72 + 0.4 * body - 0.13 * across - 0.1 * down
    own = Canvas(canvas.pixels, rng, canvas.palette)
    color = distinct(canvas, subject.box)
    paint(own, patch, color, texture=rng.uniform(0.02, 0.12), cell=((x2 - x1) / 5,) * 2, shade=shade)
    at = y1 + (y2 - y1) * rng.uniform(0.35, 0.6)
    band = mask_of(canvas.wh, [((x1, at), (x2, at), (x2, at + 0.12 * (y2 - y1)), (x1, at + 0.12 * (y2 - y1)))])
    mark = np.zeros_like(patch.mask)
    top, left = band.y - patch.y, band.x - patch.x
    part = band.mask[max(-top, 0) : rows - top, max(-left, 0) : columns - left]
    mark[max(top, 0) : max(top, 0) + part.shape[0], max(left, 0) : max(left, 0) + part.shape[1]] = part
    other = canvas.palette.accents[rng.integers(len(canvas.palette.accents))]
    paint(own, Patch(mark * patch.mask, patch.x, patch.y), other, alpha=rng.uniform(0.0, 0.7), shade=shade)


def _fitted(canvas: Canvas, subject: Subject) -> Patch:
    x1, y1, x2, y2 = subject.box
    shapes: list[Shape] = []
    for shape in SILHOUETTES[subject.kind][1]:
        if isinstance(shape[0], tuple):
            points = (point for point in shape if isinstance(point, tuple))
            shapes.append(tuple((x1 + px * (x2 - x1), y1 + py * (y2 - y1)) for px, py in points))
        else:
            a, b, c, d = (float(value) for value in shape if not isinstance(value, tuple))
            shapes.append((x1 + a * (x2 - x1), y1 + b * (y2 - y1), x1 + c * (x2 - x1), y1 + d * (y2 - y1)))
    return mask_of(canvas.wh, shapes)


def distract(canvas: Canvas, amount: float = 1.0) -> None:
    """Things a photographer would not mention: faint blotches, short line fragments at any angle, small dull objects.

    Blotches have at most 12 % opacity, fragments are at most 9 % of the diagonal long and half opaque, objects at most
    4.5 % of the shorter side high: each clearly weaker than what names a scene. `amount` scales their number.
    """
    rng, (width, height) = canvas.rng, canvas.wh
    short, diagonal = min(canvas.wh), math.hypot(*canvas.wh)
    for _ in range(round(amount * 3)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.14) * short
        squash = rng.uniform(0.5, 1.5)
        blotch = mask_of(canvas.wh, [(x - r, y - r * squash, x + r, y + r * squash)], soft=r / 3)
        paint(canvas, blotch, _tone(rng, canvas), alpha=rng.uniform(0.04, 0.12))
    for _ in range(round(amount * rng.integers(3, 8))):
        x, y, angle = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, math.pi)
        length = rng.uniform(0.03, 0.09) * diagonal
        end = (x + length * math.cos(angle), y + length * math.sin(angle))
        line = mask_of(canvas.wh, [stroke([(x, y), end], [rng.uniform(0.8, 2.0)] * 2)])
        paint(canvas, line, _tone(rng, canvas), alpha=rng.uniform(0.15, 0.5))
    for _ in range(round(amount * rng.integers(2, 5))):
        kind = tuple(SILHOUETTES)[rng.integers(len(SILHOUETTES))]
        size = rng.uniform(0.02, 0.045) * short
        x, y = rng.uniform(size, width - size), rng.uniform(size, height - size)
        box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
        patch = _fitted(canvas, Subject(kind, box, 0))
        paint(canvas, patch, _tone(rng, canvas), alpha=rng.uniform(0.25, 0.6))


def _tone(rng: Rng, canvas: Canvas) -> Array:
    tones = (canvas.palette.dark, canvas.palette.light, *canvas.palette.ground)
    return tones[rng.integers(len(tones))]
