"""Scenes that live of where their subject stands; and scenes of nothing, which have no element at all."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.scenes.backdrops import cover, ground_patch
from benchmarks.scenes.element_truth import GOLDEN, THIRDS, Sketch
from benchmarks.scenes.objects import paint_subject, subject_at
from benchmarks.scenes.painting import (
    Canvas,
    Point,
    mask_of,
    paint,
    rolling,
)


def lone_subject(canvas: Canvas, name: str | None) -> Sketch:
    """One object on a quiet ground where element `name` wants it; None: where no placement element does."""
    cover(canvas, str(canvas.rng.choice(["sky", "wall", "meadow", "mist", "sand", "bokeh"])))
    return _with_subject(canvas, name)


def subject_outdoors(canvas: Canvas, name: str | None) -> Sketch:
    """One object before a sky and soft, uneven ground."""
    cover(canvas, "sky")
    width, height = canvas.wh
    level = canvas.rng.uniform(0.45, 0.85) * height
    hills = rolling(canvas.rng, width, level, 0.08 * height)
    ground = [*hills, (width, height), (0, height)]
    ground_patch(canvas, ground, canvas.palette.ground[0], texture=0.18, cell=(10, 6), soft=3.0)
    sketch = _with_subject(canvas, name)
    sketch.ambiguous.add("horizontal")
    return sketch


def subject_in_litter(canvas: Canvas, name: str | None) -> Sketch:
    """One object among much smaller scraps."""
    litter(canvas)
    return _with_subject(canvas, name)


def _with_subject(canvas: Canvas, name: str | None) -> Sketch:
    width, height = canvas.wh
    size = canvas.rng.uniform(0.2, 0.34) * min(width, height) * (1.0 if name else 0.6)
    x, y = _place(canvas, name)
    edge = size * 0.65
    center = (min(max(x * width, edge), width - edge), min(max(y * height, edge), height - edge))
    subject = subject_at(canvas, center, size)
    mirrors = name == "center" and subject.kind not in ("bird", "mug")
    return Sketch(subject=subject, ambiguous={"symmetric"} if mirrors else set())


def _place(canvas: Canvas, name: str | None) -> Point:
    rng = canvas.rng
    if name == "center":
        x, y = rng.uniform(0.48, 0.52, 2)
        return float(x), float(y)
    if name is None:
        x, y = (float(rng.choice([0.13, 0.87])), float(rng.choice([0.13, 0.5, 0.87])))
        return (x, y) if rng.random() < 0.7 else (0.5, float(rng.choice([0.13, 0.87])))
    lines = THIRDS if name == "rule of thirds" else GOLDEN
    near = 0.02 if name == "rule of thirds" else 0.008
    x, y = (float(rng.choice(lines) + rng.uniform(-near, near)) for _ in range(2))
    if rng.random() < 0.3:  # on one line only
        other = 0.5 + float(rng.uniform(-0.03, 0.03))
        return (x, other) if rng.random() < 0.7 else (other, y)
    return x, y


def litter(canvas: Canvas) -> Sketch:
    """Leaves, pebbles and scraps of all sizes, anywhere: nothing stands out."""
    cover(canvas, str(canvas.rng.choice(["meadow", "sand", "foliage"])))
    width, height = canvas.wh
    for _ in range(canvas.rng.integers(40, 80)):
        x, y = canvas.rng.uniform(0, width), canvas.rng.uniform(0, height)
        r, squash, turn = canvas.rng.uniform(2, 11), canvas.rng.uniform(0.4, 1.0), canvas.rng.uniform(0, math.pi)
        angles = np.arange(7) / 7 * 2 * math.pi
        radii = r * canvas.rng.uniform(0.7, 1.2, 7)
        us, vs = radii * np.cos(angles), radii * np.sin(angles) * squash
        xs, ys = x + us * math.cos(turn) - vs * math.sin(turn), y + us * math.sin(turn) + vs * math.cos(turn)
        scrap = mask_of(canvas.wh, [tuple(zip(xs.tolist(), ys.tolist(), strict=True))])
        tones = (*canvas.palette.ground, canvas.palette.dark, canvas.palette.light)
        tone = tones[canvas.rng.integers(len(tones))] * canvas.rng.uniform(0.7, 1.2)
        paint(canvas, scrap, tone, alpha=canvas.rng.uniform(0.4, 0.85), texture=0.1, cell=(4, 4))
    return Sketch()


def jumble(canvas: Canvas) -> Sketch:
    """Many different small objects, anywhere: none of them is the subject."""
    cover(canvas, str(canvas.rng.choice(["wall", "meadow", "sand", "mist"])))
    width, height = canvas.wh
    for _ in range(canvas.rng.integers(9, 14)):
        center = (float(canvas.rng.uniform(0.05, 0.95) * width), float(canvas.rng.uniform(0.05, 0.95) * height))
        paint_subject(canvas, subject_at(canvas, center, canvas.rng.uniform(0.06, 0.13) * min(width, height)))
    return Sketch()


def nothing(canvas: Canvas) -> Sketch:
    """A backdrop alone: sky, wall, leaves, lights out of focus."""
    cover(canvas, str(canvas.rng.choice(["sky", "wall", "meadow", "foliage", "mist", "sand", "bokeh"])))
    return Sketch()
