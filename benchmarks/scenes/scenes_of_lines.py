"""Scenes that a level, an upright or a slanted line carries: four styles each.

A style paints on a canvas and returns its `Sketch`. Level and upright lines are up to 1.5 degrees off.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.scenes.backdrops import cover, ground_patch
from benchmarks.scenes.element_truth import Line, Sketch, Truth
from benchmarks.scenes.objects import subject_at
from benchmarks.scenes.painting import (
    Canvas,
    Point,
    PxBox,
    mask_of,
    noise,
    paint,
    rectangle,
    roughen,
    stroke,
)

TILT = math.radians(1.5)


def _level(canvas: Canvas, low: float = 0.25, high: float = 0.75) -> Line:
    width, height = canvas.wh
    rise = math.tan(canvas.rng.uniform(-TILT, TILT)) * width / 2
    y = canvas.rng.uniform(low, high) * height
    return (0.0, y - rise, float(width), y + rise)


def _below(canvas: Canvas, line: Line) -> list[Point]:
    width, height = canvas.wh
    return [(line[0], line[1]), (line[2], line[3]), (width, height), (0, height)]


def _companion(canvas: Canvas, sketch: Sketch, level: Line) -> None:
    """In half of the scenes an object of fair size: on a third, or where no element wants it."""
    if canvas.rng.random() < 0.5:
        return
    width = canvas.wh[0]
    x = canvas.rng.choice([1 / 3, 2 / 3, 0.12, 0.88]) * width
    size = canvas.rng.uniform(0.16, 0.24) * min(canvas.wh)
    y = float(np.interp(x, (0, width), (level[1], level[3]))) + canvas.rng.uniform(-0.3, 0.3) * size
    sketch.subject = subject_at(canvas, (x, y), size, ("ball", "figure", "cat", "vase"))


def sea(canvas: Canvas) -> Sketch:
    """A sea horizon under a clouded sky."""
    cover(canvas, "sky")
    level = _level(canvas)
    water = canvas.palette.sky[0] * 0.62 + canvas.palette.ground[1] * 0.15
    ground_patch(canvas, _below(canvas, level), water, texture=0.16, cell=(46, 5))
    glint = mask_of(canvas.wh, [tuple(_below(canvas, level))])
    near = np.linspace(0, 1, glint.mask.shape[0], dtype=np.float32)[:, None]
    crests = noise(canvas.rng, (glint.mask.shape[1], glint.mask.shape[0]), (60, 8)) > 0.55
    glint = type(glint)(glint.mask * crests * near, glint.x, glint.y)
    paint(canvas, glint, canvas.palette.light, alpha=0.35)
    sketch = Sketch({"horizontal": Truth(lines=(level,))})
    _companion(canvas, sketch, level)
    return sketch


def table(canvas: Canvas) -> Sketch:
    """A table's edge before a wall; its front edge below may be seen, too."""
    cover(canvas, "wall")
    level = _level(canvas, 0.45, 0.75)
    ground_patch(canvas, _below(canvas, level), canvas.palette.ground[1], texture=0.2, cell=(90, 5))
    edge = mask_of(canvas.wh, [stroke([level[:2], level[2:]], [3, 3])], soft=0.5)
    paint(canvas, edge, canvas.palette.dark, alpha=0.6)
    sketch = Sketch({"horizontal": Truth(lines=(level,))})
    _companion(canvas, sketch, (level[0], level[1] - 20, level[2], level[3] - 20))
    return sketch


def field_edge(canvas: Canvas) -> Sketch:
    """A meadow that ends, a little ragged, before a field of another color, and the sky or a wood behind."""
    far = canvas.rng.random() < 0.5
    cover(canvas, "foliage" if far else "sky")
    level = _level(canvas, 0.35, 0.72)
    top = roughen(canvas.rng, [level[:2], level[2:]], 1.2, 8)
    color = canvas.palette.light * 0.85 if far else canvas.palette.ground[1]
    points = [*top, *_below(canvas, level)[2:]]
    ground_patch(canvas, points, color, texture=0.25, cell=(7, 5))
    sketch = Sketch({"horizontal": Truth(lines=(level,))})
    _companion(canvas, sketch, level)
    return sketch


def long_wall(canvas: Canvas) -> Sketch:
    """A wall or quay from edge to edge: two level lines."""
    cover(canvas, "foliage" if canvas.rng.random() < 0.5 else "sky")
    upper = _level(canvas, 0.3, 0.55)
    depth = canvas.rng.uniform(0.15, 0.3) * canvas.wh[1]
    lower: Line = (upper[0], upper[1] + depth, upper[2], upper[3] + depth)
    ground_patch(canvas, _below(canvas, upper), canvas.palette.light * 0.8, texture=0.08, cell=(20, 12))
    ground_patch(canvas, _below(canvas, lower), canvas.palette.ground[1] * 0.8, texture=0.2, cell=(30, 7))
    return Sketch({"horizontal": Truth(lines=(upper, lower))})


def _upright(canvas: Canvas, x: float) -> Line:
    lean = math.tan(canvas.rng.uniform(-TILT, TILT)) * canvas.wh[1] / 2
    return (x - lean, 0.0, x + lean, float(canvas.wh[1]))


def _apart(canvas: Canvas, n: int, least: float) -> list[float]:
    """Irregular places across the frame, in px, at least `least` (share of the width) apart."""
    while True:
        places = np.sort(canvas.rng.uniform(0.08, 0.92, n))
        gaps = np.diff(places)
        if gaps.min() >= least and (n < 4 or gaps.max() > 1.7 * gaps.min()):
            return [float(place) * canvas.wh[0] for place in places]


def _around(lines: list[Line]) -> list[PxBox]:
    """Each upright thing as a box: some eyes take one of them for the subject."""
    return [(min(x1, x2) - 5, min(y1, y2), max(x1, x2) + 5, max(y1, y2)) for x1, y1, x2, y2 in lines]


def trunks(canvas: Canvas) -> Sketch:
    """Tree trunks at irregular distances before foliage."""
    cover(canvas, "foliage" if canvas.rng.random() < 0.6 else "mist")
    truth: list[Line] = []
    bark = canvas.palette.dark if float(canvas.pixels.mean()) > 105 else canvas.palette.light * 0.9
    for x in _apart(canvas, int(canvas.rng.integers(3, 6)), 0.12):
        line, thick = _upright(canvas, x), canvas.rng.uniform(0.03, 0.06) * canvas.wh[0]
        trunk = mask_of(canvas.wh, [stroke([line[:2], line[2:]], [thick * 0.92, thick * 1.08])], soft=0.4)
        side = np.linspace(1.15, 0.7, trunk.mask.shape[1], dtype=np.float32)
        paint(canvas, trunk, bark, texture=0.25, cell=(5, 22), shade=side)
        truth.append(line)
    return Sketch({"vertical": Truth(lines=tuple(truth))}, {"pattern"} if len(truth) > 4 else set(), _around(truth))


def columns(canvas: Canvas) -> Sketch:
    """Two or three columns of different widths before a wall, with floor and shadow."""
    cover(canvas, "wall")
    truth: list[Line] = []
    for x in _apart(canvas, int(canvas.rng.integers(2, 4)), 0.24):
        line, thick = _upright(canvas, x), canvas.rng.uniform(0.06, 0.12) * canvas.wh[0]
        shadow = (line[0] + thick * 0.6, 0.0), (line[2] + thick * 0.6, line[3])
        paint(canvas, mask_of(canvas.wh, [stroke(shadow, [thick] * 2)], soft=4), canvas.palette.dark, alpha=0.35)
        column = mask_of(canvas.wh, [stroke([line[:2], line[2:]], [thick, thick])])
        side = 1.1 - 0.45 * np.linspace(-0.6, 1, column.mask.shape[1], dtype=np.float32) ** 2
        paint(canvas, column, canvas.palette.light, texture=0.06, cell=(9, 9), shade=side)
        truth.append(line)
    return Sketch({"vertical": Truth(lines=tuple(truth))}, masses=_around(truth))


def tower(canvas: Canvas) -> Sketch:
    """One tower against the sky, on uneven ground."""
    cover(canvas, "sky")
    width, height = canvas.wh
    x, thick = canvas.rng.uniform(0.2, 0.8) * width, canvas.rng.uniform(0.08, 0.14) * width
    line = _upright(canvas, x)
    top = canvas.rng.uniform(0.04, 0.16) * height
    head = line[0] + (line[2] - line[0]) * top / height
    body = mask_of(canvas.wh, [stroke([(head, top), line[2:]], [thick, thick])])
    side = np.linspace(1.1, 0.65, body.mask.shape[1], dtype=np.float32)
    dark = canvas.palette.dark if float(canvas.pixels.mean()) > 105 else canvas.palette.light
    paint(canvas, body, dark, texture=0.1, cell=(8, 8), shade=side)
    for y in np.arange(top + thick, height * 0.8, thick * canvas.rng.uniform(0.9, 1.6)):
        at = line[0] + (line[2] - line[0]) * y / height + canvas.rng.uniform(-0.2, 0.2) * thick
        window = rectangle(at - thick * 0.07, y, at + thick * 0.07, y + thick * 0.3)
        paint(canvas, mask_of(canvas.wh, [window]), canvas.palette.ground[1], alpha=0.8)
    hills = roughen(canvas.rng, [(0, 0.88 * height), (width, 0.88 * height)], 5, 60)
    ground_patch(canvas, [*hills, (width, height), (0, height)], canvas.palette.ground[1], texture=0.25, cell=(9, 7))
    edges = tuple((head + s * thick / 2, top, line[2] + s * thick / 2, line[3]) for s in (-1, 1))
    mass: PxBox = (x - thick / 2, top, x + thick / 2, 0.88 * height)
    return Sketch({"vertical": Truth(lines=edges)}, {"horizontal"}, [mass])


def poles(canvas: Canvas) -> Sketch:
    """Thin poles or reeds, some of them behind mist."""
    cover(canvas, "mist")
    truth: list[Line] = []
    for x in _apart(canvas, int(canvas.rng.integers(4, 7)), 0.07):
        line, thick = _upright(canvas, x), canvas.rng.uniform(0.012, 0.025) * canvas.wh[0]
        start = canvas.rng.uniform(0, 0.18) * canvas.wh[1]
        begin = (line[0] + (line[2] - line[0]) * start / canvas.wh[1], start)
        line = (*begin, *line[2:])
        pole = mask_of(canvas.wh, [stroke([begin, line[2:]], [thick, thick])], soft=0.4)
        paint(canvas, pole, canvas.palette.dark, texture=0.15, cell=(4, 14), alpha=canvas.rng.uniform(0.75, 1))
        truth.append(line)
    return Sketch({"vertical": Truth(lines=tuple(truth))}, {"pattern"}, _around(truth))


def road(canvas: Canvas) -> Sketch:
    """A road or track to a vanishing point, under a hazy, uneven far edge."""
    cover(canvas, "sky")
    width, height = canvas.wh
    vx, vy = canvas.rng.uniform(0.25, 0.75) * width, canvas.rng.uniform(0.2, 0.42) * height
    hills = roughen(canvas.rng, [(0, vy), (width, vy)], 6, 70)
    grass = canvas.palette.ground[1]
    ground_patch(canvas, [*hills, (width, height), (0, height)], grass, texture=0.2, cell=(12, 6), soft=2)
    spread = canvas.rng.uniform(0.28, 0.48, 2) * width
    left, right = vx - spread[0], vx + spread[1]
    surface = canvas.palette.light * 0.62 if float(grass.mean()) < 110 else canvas.palette.dark * 1.2
    ground_patch(canvas, [(vx, vy), (right, height), (left, height)], surface, texture=0.08, cell=(10, 6))
    feet = [left, right] if canvas.rng.random() < 0.5 else [left, (left + right) / 2, right]
    mark, half = canvas.palette.light if float(surface.mean()) < 130 else canvas.palette.dark, 0.018 * width
    lines: list[Line] = []
    for foot in feet:
        wedge = ((vx, vy), (foot + half, height), (foot - half, height))
        paint(canvas, mask_of(canvas.wh, [wedge]), mark, alpha=0.85)
        lines += [(foot + side * half, height, vx, vy) for side in (-1, 0, 1)]  # its two edges are lines, too
    near: PxBox = (vx - 30, vy - 30, vx + 30, vy + 30)
    truth = Truth(lines=tuple(lines), vanishing=(vx, vy))
    whole: PxBox = (max(left, 0), vy, min(right, width), height)
    upright = {"vertical"} if len(feet) == 3 else set()  # the middle line may rise steeply
    return Sketch({"diagonal": truth}, {"triangle", "horizontal"} | upright, [near, whole])


def ridge(canvas: Canvas) -> Sketch:
    """A slope from one edge of the frame to the other."""
    cover(canvas, "sky")
    width, height = canvas.wh
    start, end = canvas.rng.uniform(0.12, 0.28) * height, canvas.rng.uniform(0.75, 0.92) * height
    falls = canvas.rng.random() < 0.5
    line: Line = (0.0, start if falls else end, float(width), end if falls else start)
    edge = roughen(canvas.rng, [line[:2], line[2:]], 1.5, 16)
    ground_patch(
        canvas, [*edge, (width, height), (0, height)], canvas.palette.ground[1] * 0.8, texture=0.3, cell=(22, 14)
    )
    return Sketch({"diagonal": Truth(lines=(line,))}, {"triangle"})


def staircase(canvas: Canvas) -> Sketch:
    """Steps seen from the side, and their handrail."""
    cover(canvas, "wall")
    width, height = canvas.wh
    n, rise = int(canvas.rng.integers(9, 14)), canvas.rng.uniform(0.62, 0.8) * height
    tread, step = width / n, rise / n
    base = height * 0.97
    corners: list[Point] = [(0.0, height), (0.0, base)]
    for k in range(n):
        corners += [(k * tread, base - k * step), ((k + 1) * tread, base - k * step)]
    corners.append((width, height))
    up = bool(canvas.rng.random() < 0.5)

    def turned(points: list[Point]) -> list[Point]:
        return points if up else [(width - x, y) for x, y in points]

    ground_patch(canvas, turned(corners), canvas.palette.dark * 1.3, texture=0.12, cell=(14, 14))
    drop = canvas.rng.uniform(0.12, 0.2) * height
    ends = turned([(0.0, base - drop), (width, base - drop - rise)])
    rail = mask_of(canvas.wh, [stroke(ends, [7, 7])], soft=0.4)
    paint(canvas, rail, canvas.palette.ground[1] * 0.6, shade=1.0)
    feet = turned([(0.0, base), (width, base - rise)])
    lines: tuple[Line, ...] = tuple((*pair[0], *pair[1]) for pair in (ends, feet))
    return Sketch({"diagonal": Truth(lines=lines)}, {"triangle", "pattern", "horizontal", "vertical"})


def beams(canvas: Canvas) -> Sketch:
    """Slanted stripes of light, or shadows, on a wall."""
    cover(canvas, "wall")
    width, height = canvas.wh
    canvas.pixels *= canvas.rng.uniform(0.4, 0.6)
    angle = math.radians(canvas.rng.uniform(28, 62)) * canvas.rng.choice([-1, 1])
    dx, dy = math.cos(angle), math.sin(angle)
    lines: list[Line] = []
    at = canvas.rng.uniform(-0.3, -0.2)
    while at < 0.3:
        x, y = width / 2 - dy * at * width, height / 2 + dx * at * width
        thick = canvas.rng.uniform(0.05, 0.09) * width
        line: Line = (x - 900 * dx, y - 900 * dy, x + 900 * dx, y + 900 * dy)
        beam = mask_of(canvas.wh, [stroke([line[:2], line[2:]], [thick, thick])], soft=1.0)
        paint(canvas, beam, canvas.palette.light, texture=0.06, alpha=0.8)
        lines.append(line)
        at += canvas.rng.uniform(0.16, 0.26)
    return Sketch({"diagonal": Truth(lines=tuple(lines))}, {"pattern"})
