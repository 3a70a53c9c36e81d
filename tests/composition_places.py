"""Drawn scenes of buildings, roads and things, one a style: what shows an element beside what only looks like it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import ImageDraw, ImageFilter

from tests.composition_scenes import Drawn, Rng, Sheet
from tests.composition_things import (
    PLACED,
    ball,
    bay,
    before_horizon,
    bough,
    bowl,
    crowd,
    fence,
    haze,
    lit_windows,
    near,
    rows,
    tiles,
    wings,
)

_OF_A_ROAD = {"triangle", "horizontal", "symmetric", "vertical"}


def place(name: str, seed: int) -> Drawn:
    rng = np.random.default_rng([23, list(PLACES).index(name), seed])
    return PLACES[name](Sheet(rng), rng)


def _arches(sheet: Sheet, rng: Rng) -> Drawn:
    """A front with arched doors and windows, the same on both sides of its middle."""
    axis, half = rng.uniform(0.45, 0.55), rng.uniform(0.3, 0.42)
    wall, glass, floor = sheet.color(40), sheet.color(80), rng.uniform(0.85, 0.95)
    top = rng.uniform(0.1, 0.25)
    sheet.draw.rectangle((*sheet.px(axis - half, top), *sheet.px(axis + half, floor)), fill=wall)
    pairs = int(rng.integers(1, 3))
    wide = 0.32 * half / pairs * rng.uniform(0.8, 1.1)
    spring = rng.uniform(0.4, 0.55)

    def arch(x: float, wide: float) -> None:
        (left, y), (right, foot) = sheet.px(x - wide, spring), sheet.px(x + wide, floor)
        sheet.draw.rectangle((left, y, right, foot), fill=glass)
        sheet.draw.pieslice((left, y - (right - left) / 2, right, y + (right - left) / 2), 180, 360, fill=glass)

    for pair in range(pairs):
        for side in (-1, 1):
            arch(axis + side * half * (pair + 0.75) / (pairs + 0.25), wide)
    if rng.random() < 0.6:
        arch(axis, 1.15 * wide)
    return sheet.done({"symmetric"}, {"horizontal", "pattern", *PLACED}, line=(axis, 0, axis, 1))


def _corridor(sheet: Sheet, rng: Rng) -> Drawn:
    """Floor, ceiling and walls run away to a door in the middle."""
    vx, vy = vanishing = (rng.uniform(0.46, 0.54), rng.uniform(0.42, 0.58))
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    far = rng.uniform(0.12, 0.3)
    inner = [(vx + far * (x - vx), vy + far * (y - vy)) for x, y in corners]
    fill = sheet.color(50, 120)
    for a in range(4):
        b = (a + 1) % 4
        quad = [sheet.px(*corner) for corner in (corners[a], corners[b], inner[b], inner[a])]
        sheet.draw.polygon(quad, fill=near(fill, rng, 6) if a % 2 else near(fill, rng, 6 + 25 * (a == 0)))
        sheet.draw.line([quad[0], quad[3]], fill=sheet.color(60), width=5)
    for share_near in np.linspace(far + 0.12, 0.85, int(rng.integers(1, 4))):  # doors, pilasters
        for side in (0.0, 1.0):
            xs = [vx + share * (side - vx) for share in (share_near, share_near + 0.1)]
            ys = [(vy + share * (0.2 - vy), vy + share * (1 - vy)) for share in (share_near, share_near + 0.1)]
            door = [(xs[0], ys[0][0]), (xs[1], ys[1][0]), (xs[1], ys[1][1]), (xs[0], ys[0][1])]
            sheet.draw.polygon([sheet.px(*corner) for corner in door], fill=near((90, 70, 50), rng, 4))
    sheet.draw.rectangle((*sheet.px(*inner[0]), *sheet.px(*inner[2])), fill=sheet.color(70))
    return sheet.done({"diagonal"}, {"symmetric", "vertical", "triangle", *PLACED}, vanishing=vanishing)


def _gable(sheet: Sheet, rng: Rng) -> Drawn:
    """A house with a steep roof: the walls below it are not what carries the picture."""
    x, half = rng.uniform(0.42, 0.58), rng.uniform(0.25, 0.38)
    eave, ridge, foot = rng.uniform(0.42, 0.52), rng.uniform(0.08, 0.16), rng.uniform(0.86, 0.95)
    sheet.draw.rectangle((*sheet.px(x - 0.85 * half, eave), *sheet.px(x + 0.85 * half, foot)), fill=sheet.color(40))
    sheet.draw.polygon([sheet.px(x - half, eave), sheet.px(x + half, eave), sheet.px(x, ridge)], fill=sheet.color(70))
    door = x + rng.uniform(-0.5, 0.5) * half
    sheet.draw.rectangle((*sheet.px(door - 0.04, 0.68), *sheet.px(door + 0.04, foot)), fill=sheet.color(80))
    for k in range(int(rng.integers(0, 3))):
        left = x + (k - 0.8) * 0.4 * half
        sheet.draw.rectangle((*sheet.px(left, eave + 0.06), *sheet.px(left + 0.06, eave + 0.15)), fill=sheet.color(60))
    return sheet.done({"triangle"}, {"symmetric", "horizontal", *PLACED})


def _trestle(sheet: Sheet, rng: Rng) -> Drawn:
    """Two legs that lean together, with a rail or a floor between their feet; one leg may be almost upright."""
    top, foot = (rng.uniform(0.4, 0.6), rng.uniform(0.06, 0.15)), rng.uniform(0.85, 0.95)
    apart = rng.uniform(0.22, 0.36) * sheet.size[1] / sheet.size[0]
    apart = min(apart, 0.37)
    lean = rng.uniform(-0.3, 0.3) * apart
    points = [sheet.px(*top), sheet.px(top[0] - apart + lean, foot), sheet.px(top[0] + apart + lean, foot)]
    fill, width = sheet.color(60), int(rng.integers(8, 24))
    sheet.draw.line([*points, points[0], points[1]], fill=fill, width=width)
    for share in rng.uniform(0.3, 0.8, int(rng.integers(0, 3))):
        ends = [tuple(a + share * (b - a) for a, b in zip(points[0], point, strict=True)) for point in points[1:]]
        sheet.draw.line(ends, fill=fill, width=width // 2)
    sheet.distract(3)
    return sheet.done({"triangle"}, {"symmetric", "horizontal", "center"})


def _sail(sheet: Sheet, rng: Rng) -> Drawn:
    """A sail: a large triangle with an upright side."""
    level, x, side = rng.uniform(0.72, 0.82), rng.uniform(0.35, 0.65), rng.choice([-1.0, 1.0])
    sheet.draw.rectangle((*sheet.px(0, level + 0.06), *sheet.px(1, 1)), fill=sheet.color(30, 80))
    points = [
        sheet.px(x, rng.uniform(0.05, 0.12)),
        sheet.px(x, level),
        sheet.px(x + side * rng.uniform(0.25, 0.4), level),
    ]
    sheet.draw.polygon(points, fill=sheet.color(80))
    return sheet.done({"triangle"}, {"horizontal", *PLACED})


def _road(sheet: Sheet, rng: Rng) -> Drawn:
    """A road to the horizon: two borders and a broken line between them, sometimes posts, a bank, a second lane."""
    vx, vy = vanishing = (rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.5))
    sheet.draw.rectangle((*sheet.px(0, vy), *sheet.px(1, 1)), fill=sheet.color(25, 70))
    left, right = rng.uniform(-0.35, 0.25), rng.uniform(0.75, 1.35)
    end = rng.uniform(0.005, 0.02)

    def to(foot: float, share: float) -> tuple[float, float]:
        """The point a share of the way from where all meets down to a place on the lower border."""
        return sheet.px(vx + share * (foot - vx), vy + share * (1 - vy))

    sheet.draw.polygon([to(left, end), to(right, end), to(right, 1), to(left, 1)], fill=sheet.color(40))
    if rng.random() < 0.75:
        middle, fill = (left + right) / 2, sheet.color(90)
        at = 0.04
        while at < 1:
            dash, half = min(1.0, 1.5 * at), 0.015
            ends = [to(middle - half, at), to(middle + half, at), to(middle + half, dash), to(middle - half, dash)]
            sheet.draw.polygon(ends, fill=fill)
            at *= 2.1
    for foot in rng.uniform(-1.2, 2.2, int(rng.integers(0, 3))):
        sheet.draw.line([to(foot, 0.1), to(foot, 1)], fill=sheet.color(40, 90), width=6)
    sheet.distract(3)
    return sheet.done({"diagonal"}, _OF_A_ROAD, vanishing=vanishing)


def _rails(sheet: Sheet, rng: Rng) -> Drawn:
    """Two rails on sleepers."""
    vx, vy = vanishing = (rng.uniform(0.35, 0.65), rng.uniform(0.2, 0.4))
    sheet.draw.rectangle((*sheet.px(0, vy), *sheet.px(1, 1)), fill=sheet.color(25, 70))
    left, right, wood, steel = rng.uniform(0.0, 0.3), rng.uniform(0.7, 1.0), sheet.color(50), sheet.color(90)
    at = 0.05
    while at < 1:
        y, half = vy + at * (1 - vy), 0.012 * at
        ends = [vx + at * (foot - vx) for foot in (left - 0.12, right + 0.12)]
        sheet.draw.polygon([sheet.px(ends[0], y - half), sheet.px(ends[1], y - half), sheet.px(ends[1], y + half),
                            sheet.px(ends[0], y + half)], fill=wood)  # fmt: skip
        at *= 1.22
    for foot in (left, right):
        near = [sheet.px(foot - 0.02, 1), sheet.px(foot + 0.02, 1)]
        sheet.draw.polygon([*near, sheet.px(vx + 0.003, vy), sheet.px(vx - 0.003, vy)], fill=steel)
    return sheet.done({"diagonal"}, {*_OF_A_ROAD, "pattern"}, vanishing=vanishing)


def _beams(sheet: Sheet, rng: Rng) -> Drawn:
    """Soft beams of light from one source near or above the upper border."""
    source = (rng.uniform(0.1, 0.9), rng.uniform(-0.12, 0.15))
    light = sheet.canvas.copy()
    draw, fill = ImageDraw.Draw(light), sheet.color(60)
    aim = math.atan2(0.75 - source[1], 0.5 - source[0])
    count = int(rng.integers(3, 6))
    for k in range(count):
        angle = aim + (k - (count - 1) / 2) * rng.uniform(0.24, 0.32)
        half = rng.uniform(0.03, 0.06)
        far = 2 * max(sheet.size)
        (x, y) = sheet.px(*source)
        ends = [(x + far * math.cos(a), y + far * math.sin(a)) for a in (angle - half, angle + half)]
        draw.polygon([(x, y), *ends], fill=fill)
    light = light.filter(ImageFilter.GaussianBlur(rng.uniform(2, 7)))
    sheet.canvas.paste(light)
    sheet.distract(2)
    return sheet.done({"diagonal"}, {"vertical", "triangle", "symmetric"}, vanishing=source)


def _stairs(sheet: Sheet, rng: Rng) -> Drawn:
    """Steps that climb through the frame, with a rail above them."""
    count, side = int(rng.integers(6, 12)), bool(rng.random() < 0.5)
    x0, x1, y0, y1 = -0.02, 1.02, rng.uniform(0.85, 0.95), rng.uniform(0.25, 0.35)
    points = []
    for k in range(count):
        low, high = x0 + (x1 - x0) * k / count, x0 + (x1 - x0) * (k + 1) / count
        y = y0 + (y1 - y0) * (k + 1) / count
        points += [(low, y), (high, y)]
    rail = [(x0, y0 - 0.22), (x1, y1 - 0.22)]
    turned = (lambda x: 1 - x) if side else (lambda x: x)
    outline = [sheet.px(turned(x), y) for x, y in [*points, (x1, 1), (x0, 1)]]
    sheet.draw.polygon(outline, fill=sheet.color(50))
    sheet.draw.line([sheet.px(turned(x), y) for x, y in rail], fill=sheet.color(70), width=int(rng.integers(8, 18)))
    return sheet.done({"diagonal"}, {"triangle", "pattern"})


PLACES: dict[str, Callable[[Sheet, Rng], Drawn]] = {
    "ball": ball,
    "haze": haze,
    "bowl": bowl,
    "crowd": crowd,
    "arches": _arches,
    "wings": wings,
    "corridor": _corridor,
    "gable": _gable,
    "trestle": _trestle,
    "sail": _sail,
    "lit windows": lit_windows,
    "tiles": tiles,
    "rows": rows,
    "fence": fence,
    "road": _road,
    "rails": _rails,
    "beams": _beams,
    "stairs": _stairs,
    "before a horizon": before_horizon,
    "bough": bough,
    "bay": bay,
}
