"""Drawn scenes of buildings, roads and things, one a style: what shows an element beside what only looks like it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import ImageFilter

from tests.composition_scenes import Color, Drawn, Rng, Sheet

PLACED = {"rule of thirds", "golden ratio", "center"}
_OF_A_ROAD = {"triangle", "horizontal", "symmetric", "vertical"}


def place(name: str, seed: int) -> Drawn:
    rng = np.random.default_rng([23, list(PLACES).index(name), seed])
    return PLACES[name](Sheet(rng), rng)


def _near(color: Color, rng: Rng, spread: float) -> Color:
    red, green, blue = (int(np.clip(value + rng.normal(0, spread), 0, 255)) for value in color)
    return (red, green, blue)


def _ball(sheet: Sheet, rng: Rng) -> Drawn:
    """One large round thing: its outline is no curve."""
    (x, y), r = sheet.px(*rng.uniform(0.3, 0.7, 2)), rng.uniform(0.15, 0.4) * min(sheet.size)
    flat, fill = rng.uniform(0.6, 1.0), sheet.color(60)
    box = (x - r, y - flat * r, x + r, y + flat * r)
    if rng.random() < 0.3:
        sheet.draw.ellipse(box, outline=fill, width=int(rng.uniform(0.05, 0.4) * r))
    else:
        sheet.draw.ellipse(box, fill=fill)
        for k in range(int(rng.integers(0, 3))):  # shadow, seam
            sheet.draw.arc(
                (*(v + 0.2 * r * (k + 1) for v in box[:2]), *box[2:]), 180, 300, fill=sheet.color(90), width=5
            )
    sheet.distract(3)
    return sheet.done(set(), {*PLACED, "symmetric"})


def _haze(sheet: Sheet, rng: Rng) -> Drawn:
    """Large faint blots, some cut by the frame, around one strong thing: what is so weak leads nobody."""
    from PIL import Image, ImageDraw

    for _ in range(int(rng.integers(3, 8))):
        mask = Image.new("L", sheet.size, 0)
        (x, y), a, b = sheet.px(*rng.uniform(0, 1, 2)), *(rng.uniform(0.1, 0.5, 2) * min(sheet.size))
        ImageDraw.Draw(mask).ellipse((x - a, y - b, x + a, y + b), fill=int(255 * rng.uniform(0.05, 0.12)))
        sheet.canvas.paste(sheet.color(40), (0, 0), mask)
    x, y = (float(rng.choice([1 / 3, 2 / 3])) for _ in range(2))
    sheet.shape(sheet.any_shape(), x, y, rng.uniform(0.08, 0.15), sheet.color(80))
    return sheet.done({"rule of thirds"}, subject=(x, y))


def _bowl(sheet: Sheet, rng: Rng) -> Drawn:
    """A bowl, a cup or a vase on a table."""
    level = rng.uniform(0.5, 0.75)
    sheet.draw.rectangle((*sheet.px(0, level), *sheet.px(1, 1)), fill=sheet.color(30, 90))
    (x, y), r = sheet.px(rng.uniform(0.25, 0.75), level + 0.12), rng.uniform(0.14, 0.24) * min(sheet.size)
    fill = sheet.color(90)
    if rng.random() < 0.5:
        sheet.draw.pieslice((x - r, y - 2 * r, x + r, y), 0, 180, fill=fill)
        sheet.draw.ellipse((x - r, y - 1.2 * r, x + r, y - 0.8 * r), fill=_near(fill, rng, 30))
    else:
        t = np.linspace(0, 1, 40)
        half = r * (0.45 + 0.3 * np.sin(2 * math.pi * (t * rng.uniform(0.7, 1.0) + rng.uniform(-0.1, 0.1))))
        down = y - 2.2 * r * (1 - t)
        sheet.draw.polygon(
            [*zip(x - half, down, strict=True), *zip((x + half)[::-1], down[::-1], strict=True)], fill=fill
        )
    sheet.distract(2)
    return sheet.done({"horizontal"}, PLACED)


def _crowd(sheet: Sheet, rng: Rng) -> Drawn:
    """Several round things that overlap."""
    for _ in range(int(rng.integers(4, 9))):
        (x, y), r = sheet.px(*rng.uniform(0.1, 0.9, 2)), rng.uniform(0.08, 0.2) * min(sheet.size)
        sheet.draw.ellipse((x - r, y - r, x + r, y + rng.uniform(0.6, 1) * r), fill=sheet.color(35))
    return sheet.done(set(), {*PLACED, "triangle", "symmetric"})


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


def _wings(sheet: Sheet, rng: Rng) -> Drawn:
    """Two wings, or leaves, on both sides of a body."""
    axis, middle = rng.uniform(0.45, 0.55), rng.uniform(0.42, 0.55)
    t = np.linspace(0, math.pi, 50)
    fills = [sheet.color(60), sheet.color(60)]
    for fill, heading, size in zip(fills, (-0.5, 0.6), (0.4, 0.28), strict=True):
        reach = size * rng.uniform(0.85, 1.05) * min(sheet.size)
        out = reach * np.sin(t) ** 0.7
        along = 0.9 * reach * (1 - np.cos(t)) / 2 - 0.5 * reach
        for side in (-1, 1):
            (x, y) = sheet.px(axis, middle)
            xs = x + side * (out * math.cos(heading) - along * math.sin(heading) * 0.4)
            ys = y + out * math.sin(heading) + along
            sheet.draw.polygon(list(zip(xs, ys, strict=True)), fill=fill)
            sx, sy = x + side * 0.5 * reach, y + 0.5 * reach * math.sin(heading)
            sheet.draw.ellipse((sx - 0.1 * reach, sy - 0.1 * reach, sx + 0.1 * reach, sy + 0.1 * reach), fill=fills[0])
    sheet.draw.ellipse(
        (*sheet.px(axis - 0.02, middle - 0.2), *sheet.px(axis + 0.02, middle + 0.2)), fill=sheet.color(80)
    )
    return sheet.done({"symmetric"}, {*PLACED, "triangle"}, line=(axis, 0, axis, 1))


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
        sheet.draw.polygon(quad, fill=_near(fill, rng, 6) if a % 2 else _near(fill, rng, 6 + 25 * (a == 0)))
        sheet.draw.line([quad[0], quad[3]], fill=sheet.color(60), width=5)
    for near in np.linspace(far + 0.12, 0.85, int(rng.integers(1, 4))):  # doors, pilasters
        for side in (0.0, 1.0):
            xs = [vx + share * (side - vx) for share in (near, near + 0.1)]
            ys = [(vy + share * (0.2 - vy), vy + share * (1 - vy)) for share in (near, near + 0.1)]
            door = [(xs[0], ys[0][0]), (xs[1], ys[1][0]), (xs[1], ys[1][1]), (xs[0], ys[0][1])]
            sheet.draw.polygon([sheet.px(*corner) for corner in door], fill=_near((90, 70, 50), rng, 4))
    sheet.draw.rectangle((*sheet.px(*inner[0]), *sheet.px(*inner[2])), fill=sheet.color(70))
    return sheet.done({"symmetric"}, {"diagonal", "triangle", *PLACED}, line=(vx, 0, vx, 1), vanishing=vanishing)


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


def _lit_windows(sheet: Sheet, rng: Rng) -> Drawn:
    """Many windows of a wall: lit, dark, half drawn; a lamp or a sign before them."""
    columns, rows = int(rng.integers(4, 9)), int(rng.integers(4, 8))
    wide, high = 1 / columns, 1 / rows
    w, h = rng.uniform(0.45, 0.65) * wide, rng.uniform(0.5, 0.7) * high
    lit, dark, share = sheet.color(80), sheet.color(45), rng.uniform(0.1, 0.45)
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * wide + rng.normal(0, 0.004), (row + 0.5) * high + rng.normal(0, 0.004)
            fill = _near(lit if rng.random() < share else dark, rng, 8)
            box = (*sheet.px(x - w / 2, y - h / 2), *sheet.px(x + w / 2, y + h / 2))
            sheet.draw.rectangle(box, fill=fill)
            if rng.random() < 0.3:
                drawn = (*box[:3], box[1] + rng.uniform(0.2, 0.6) * (box[3] - box[1]))
                sheet.draw.rectangle(drawn, fill=_near(fill, rng, 25))
    sheet.distract(3)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def _tiles(sheet: Sheet, rng: Rng) -> Drawn:
    """Tiles of many colors with narrow joints, some chipped."""
    columns = int(rng.integers(5, 11))
    wide = 1 / columns
    high = wide * sheet.size[0] / sheet.size[1] * rng.uniform(0.7, 1.0)
    base, joint = sheet.color(40), rng.uniform(0.06, 0.14)
    for row in range(math.ceil(1 / high)):
        for column in range(columns):
            box = (
                *sheet.px((column + joint / 2) * wide, (row + joint / 2) * high),
                *sheet.px((column + 1 - joint / 2) * wide, (row + 1 - joint / 2) * high),
            )
            sheet.draw.rectangle(box, fill=_near(base, rng, rng.choice([6.0, 22.0])))
    sheet.distract(3)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def _rows(sheet: Sheet, rng: Rng) -> Drawn:
    """Things in two to four rows, each in a color and a size of its own."""
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(5, 10))
    kind = sheet.any_shape()
    fills = [sheet.color(50) for _ in range(int(rng.integers(1, 4)))]
    space = min(sheet.size[0] / columns, sheet.size[1] / rows) / min(sheet.size)
    for row in range(rows):
        for column in range(columns):
            x = (column + 0.5 + rng.normal(0, 0.035)) / columns
            y = (row + 0.5 + rng.normal(0, 0.035)) / rows
            sheet.shape(
                kind, x, y, 0.36 * space * rng.uniform(0.8, 1.1), _near(fills[rng.integers(len(fills))], rng, 8)
            )
    sheet.distract(2)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def _fence(sheet: Sheet, rng: Rng) -> Drawn:
    """Pickets on two rails over the whole width; here and there one is broken or askew."""
    count = int(rng.integers(9, 22))
    top, foot = rng.uniform(0.08, 0.3), rng.uniform(0.75, 0.97)
    half, fill = rng.uniform(0.2, 0.32) / count, sheet.color(60)
    for rail in (0.25, 0.75):
        y = top + rail * (foot - top)
        sheet.draw.rectangle((*sheet.px(0, y - 0.015), *sheet.px(1, y + 0.015)), fill=_near(fill, rng, 10))
    pointed = 0.05 * float(rng.random() < 0.6)
    for k in range(count):
        x, lean = (k + 0.5 + rng.normal(0, 0.03)) / count, rng.normal(0, 0.003)
        up = top + rng.normal(0, 0.008) + 0.2 * float(rng.random() < 0.04)
        feet = [
            (x - half, foot),
            (x - half + lean, up),
            (x + lean, up - pointed),
            (x + half + lean, up),
            (x + half, foot),
        ]
        sheet.draw.polygon([sheet.px(*each) for each in feet], fill=_near(fill, rng, 6))
    return sheet.done({"pattern"}, {"vertical", "symmetric", "horizontal"})


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
    from PIL import ImageDraw

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


def _bough(sheet: Sheet, rng: Rng) -> Drawn:
    """A thick bent bough with leaves on it."""
    t = np.linspace(0, 1, 80)
    base, rise = rng.uniform(0.6, 0.8), rng.uniform(0.4, 0.6)
    y = base - rise * t**2 + 0.04 * np.sin(5 * t + rng.uniform(0, 6))
    half = 0.035 * (1 - 0.75 * t)
    upper, lower = ([sheet.px(a, b + side * c) for a, b, c in zip(t, y, half, strict=True)] for side in (-1, 1))
    sheet.draw.polygon([*upper, *lower[::-1]], fill=sheet.color(60))
    for at in rng.integers(8, 78, 7):
        (x0, y0), r = sheet.px(t[at], y[at] - rng.choice([-1, 1]) * 0.06), 0.03 * min(sheet.size)
        sheet.draw.ellipse((x0 - r, y0 - 0.6 * r, x0 + r, y0 + 0.6 * r), fill=sheet.color(50))
    return sheet.done({"curved"}, {"diagonal"})


def _bay(sheet: Sheet, rng: Rng) -> Drawn:
    """Water that reaches into the land in one wide bend below a horizon."""
    level, side = rng.uniform(0.2, 0.35), bool(rng.random() < 0.5)
    sheet.draw.rectangle((*sheet.px(0, level), *sheet.px(1, 1)), fill=sheet.color(30, 90))
    t = np.linspace(0, 1, 80)
    x = 0.1 + rng.uniform(0.55, 0.75) * np.sin(math.pi * (0.05 + 0.8 * t)) ** 0.8
    y = level + (1 - level) * t
    shore = [sheet.px(1 - a if side else a, b) for a, b in zip(x, y, strict=True)]
    edge = 1.0 if side else 0.0
    sheet.draw.polygon([*shore, sheet.px(edge, 1), sheet.px(edge, level)], fill=sheet.color(40))
    sheet.distract(3)
    return sheet.done({"curved", "horizontal"})


PLACES: dict[str, Callable[[Sheet, Rng], Drawn]] = {
    "ball": _ball,
    "haze": _haze,
    "bowl": _bowl,
    "crowd": _crowd,
    "arches": _arches,
    "wings": _wings,
    "corridor": _corridor,
    "gable": _gable,
    "trestle": _trestle,
    "sail": _sail,
    "lit windows": _lit_windows,
    "tiles": _tiles,
    "rows": _rows,
    "fence": _fence,
    "road": _road,
    "rails": _rails,
    "beams": _beams,
    "stairs": _stairs,
    "bough": _bough,
    "bay": _bay,
}
