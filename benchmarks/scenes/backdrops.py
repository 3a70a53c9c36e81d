"""What lies behind: skies, walls, meadows, foliage, mist, sand and out-of-focus lights, none of which is an element."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.scenes.painting import LUMA, Array, Canvas, Patch, Point, gradient, mask_of, noise, paint

BACKDROPS = ("sky", "wall", "meadow", "foliage", "mist", "sand", "bokeh")


def cover(canvas: Canvas, kind: str) -> None:
    """Fill the whole canvas with one of `BACKDROPS`."""
    rng, palette = canvas.rng, canvas.palette
    width, height = canvas.wh
    slant = math.pi / 2 + rng.uniform(-0.6, 0.6)
    full = Patch(np.ones((height, width), np.float32), 0, 0)
    match kind:
        case "sky":
            gradient(canvas, *palette.sky, slant)
            clouds = np.clip(noise(rng, canvas.wh, (150, 55), 4) * 1.3 - rng.uniform(0.0, 0.35), 0, 1)
            paint(canvas, Patch(clouds, 0, 0), palette.light, alpha=rng.uniform(0.25, 0.7))
        case "wall":
            tone = palette.sky[1] * 0.8 + palette.ground[0] * 0.2
            gradient(canvas, tone * 1.05, tone * 0.72, rng.uniform(0, 2 * math.pi))
            paint(canvas, full, tone * 0.9, alpha=0.35, texture=0.18, cell=(26, 22))
        case "meadow":
            gradient(canvas, *palette.ground, slant)
            canvas.pixels *= (1 + 0.16 * noise(rng, canvas.wh, (90, 60), 2) + 0.12 * noise(rng, canvas.wh, (5, 7), 2))[
                ..., None
            ]
        case "foliage":
            gradient(canvas, palette.ground[0], palette.ground[1] * 0.75, slant)
            canvas.pixels *= (1 + 0.22 * noise(rng, canvas.wh, (60, 60), 2) + 0.28 * noise(rng, canvas.wh, (9, 8), 2))[
                ..., None
            ]
        case "mist":
            gradient(canvas, palette.sky[1], palette.sky[1] * 0.7 + palette.ground[0] * 0.3, slant)
            canvas.pixels *= (1 + 0.12 * noise(rng, canvas.wh, (120, 70), 3))[..., None]
        case "sand":
            gradient(canvas, palette.light * 0.92, palette.light * 0.7 + palette.ground[0] * 0.2, slant)
            canvas.pixels *= (1 + 0.1 * noise(rng, canvas.wh, (70, 40), 2) + 0.08 * noise(rng, canvas.wh, (3, 3), 1))[
                ..., None
            ]
        case _:
            gradient(canvas, palette.ground[0] * 0.8, palette.ground[1] * 0.7, rng.uniform(0, 2 * math.pi))
            for _ in range(14):
                x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.1) * width
                light = mask_of(canvas.wh, [(x - r, y - r, x + r, y + r)], soft=r / 4)
                paint(canvas, light, palette.sky[rng.integers(2)], alpha=rng.uniform(0.08, 0.22))
            canvas.pixels *= (1 + 0.05 * noise(rng, canvas.wh, (80, 80), 2))[..., None]
    np.clip(canvas.pixels, 0, 255, out=canvas.pixels)


def ground_patch(
    canvas: Canvas,
    points: Sequence[Point],
    color: Array,
    *,
    texture: float,
    cell: tuple[float, float],
    soft: float = 0.5,
) -> None:
    """A textured area, darker towards its lower end, and told apart from what it covers by at least 45 of luminance."""
    patch = mask_of(canvas.wh, [tuple(points)], soft)
    rows, columns = patch.window
    weight = patch.mask > 0.5
    behind, own = float((canvas.pixels[rows, columns][weight] @ LUMA).mean()), float(color @ LUMA)
    if abs(own - behind) < 45:
        color = np.clip(color + (behind + (45 if behind < 110 else -45) - own), 8, 250)
    shade = np.linspace(1.05, 0.85, patch.mask.shape[0], dtype=np.float32)[:, None]
    paint(canvas, patch, color, texture=texture, cell=cell, shade=shade)
