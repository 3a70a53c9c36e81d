"""More drawn scenes, one a style, of the kinds that photographs show: what each must show and must not show."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from tests.composition_scenes import Drawn, Rng, Sheet


def style(name: str, seed: int) -> Drawn:
    rng = np.random.default_rng([9, list(STYLES).index(name), seed])
    return STYLES[name](Sheet(rng), rng)


def _checkers(sheet: Sheet, rng: Rng) -> Drawn:
    columns, fill = int(rng.integers(6, 12)), sheet.color(50)
    side = 1 / columns
    down = side * sheet.size[0] / sheet.size[1]
    for row in range(math.ceil(1 / down)):
        for column in range(row % 2, columns, 2):
            box = (*sheet.px(column * side, row * down), *sheet.px((column + 1) * side, (row + 1) * down))
            sheet.draw.rectangle(box, fill=fill)
    return sheet.done({"pattern"})


def _bricks(sheet: Sheet, rng: Rng) -> Drawn:
    rows, fill = int(rng.integers(8, 14)), sheet.color(45)
    high = 1 / rows
    wide = 2.2 * high * sheet.size[1] / sheet.size[0]
    for row in range(rows):
        sheet.draw.line((*sheet.px(0, row * high), *sheet.px(1, row * high)), fill=fill, width=6)
        for column in range(math.ceil(1 / wide) + 1):
            x = (column + 0.5 * (row % 2)) * wide
            sheet.draw.line((*sheet.px(x, row * high), *sheet.px(x, (row + 1) * high)), fill=fill, width=6)
    return sheet.done({"pattern"})


def _windows(sheet: Sheet, rng: Rng) -> Drawn:
    """A house front: symmetric about its middle, with few enough windows not to be a pattern."""
    axis = rng.uniform(0.44, 0.56)
    half = 0.85 * min(axis, 1 - axis)
    wall, glass = sheet.color(40), sheet.color(70)
    sheet.draw.rectangle((*sheet.px(axis - half, 0.25), *sheet.px(axis + half, 0.95)), fill=wall)
    roof = [sheet.px(axis - 1.1 * half, 0.25), sheet.px(axis + 1.1 * half, 0.25), sheet.px(axis, 0.08)]
    sheet.draw.polygon(roof, fill=sheet.color(60))
    sheet.draw.rectangle((*sheet.px(axis - 0.06, 0.7), *sheet.px(axis + 0.06, 0.95)), fill=glass)
    for y in (0.38, 0.6):
        for away in (0.35, 0.75):
            size = rng.uniform(0.04, 0.06)
            for side in (-1, 1):
                x = axis + side * away * half
                sheet.draw.rectangle((*sheet.px(x - size, y - 0.05), *sheet.px(x + size, y + 0.05)), fill=glass)
    return sheet.done({"symmetric"}, {"horizontal", "vertical", "center", "triangle"}, line=(axis, 0, axis, 1))


def _reflection(sheet: Sheet, rng: Rng) -> Drawn:
    """Hills and trees over water that mirrors them, darker and a little blurred."""
    level = rng.uniform(0.42, 0.58)
    w, h = sheet.size
    top = int(level * h)
    xs = np.linspace(0, 1, 30)
    ridge = level * (0.6 + 0.25 * np.sin(xs * rng.uniform(5, 9) + rng.uniform(0, 6)) * rng.uniform(0.5, 1))
    land = [sheet.px(x, y) for x, y in zip(xs, ridge, strict=True)]
    sheet.draw.polygon([*land, (w, top), (0, top)], fill=sheet.color(50))
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(0.05, 0.95), level - rng.uniform(0.05, 0.15)
        sheet.shape("disc", x, y, rng.uniform(0.03, 0.07), sheet.color(50))
    upper = sheet.canvas.crop((0, 0, w, top))
    lower = ImageOps.flip(upper).point(lambda value: int(0.8 * value))
    sheet.canvas.paste(lower, (0, top))
    if 2 * top < h:
        sheet.draw.rectangle((0, 2 * top, w, h), fill=tuple(int(0.8 * v) for v in sheet.base))
    also = {"horizontal", "curved", "center", "rule of thirds", "golden ratio"}
    return sheet.done({"symmetric"}, also, line=(0, level, 1, level))


def _pyramid(sheet: Sheet, rng: Rng) -> Drawn:
    """A mountain that stands on the level ground."""
    base, peak = rng.uniform(0.7, 0.85), rng.uniform(0.4, 0.6)
    sheet.draw.rectangle((*sheet.px(0, base), *sheet.px(1, 1)), fill=sheet.color(30, 80))
    feet = [sheet.px(peak - 0.38, base), sheet.px(peak + 0.36, base), sheet.px(peak, rng.uniform(0.15, 0.3))]
    sheet.draw.polygon(feet, fill=sheet.color(70))
    return sheet.done({"triangle"}, {"horizontal", "center", "symmetric"})


def _slope(sheet: Sheet, rng: Rng) -> Drawn:
    """Two regions that meet on a slanted line through the frame."""
    rise = math.tan(math.radians(rng.uniform(20, 40))) * rng.choice([-1, 1]) * sheet.wh[0] / sheet.wh[1] / 2
    ends = [sheet.px(0, 0.5 - rise), sheet.px(1, 0.5 + rise)]
    sheet.draw.polygon([*ends, sheet.px(1, 3), sheet.px(0, 3)], fill=sheet.color(40))
    sheet.distract(3)
    return sheet.done({"diagonal"})


def _shore(sheet: Sheet, rng: Rng) -> Drawn:
    """Two regions that meet on a curve."""
    xs = np.linspace(0, 1, 80)
    line = rng.uniform(0.4, 0.6) + rng.uniform(0.12, 0.22) * np.sin(xs * rng.uniform(3, 7) + rng.uniform(0, 6))
    shore = [sheet.px(x, y) for x, y in zip(xs, line, strict=True)]
    sheet.draw.polygon([*shore, sheet.px(1, 1), sheet.px(0, 1)], fill=sheet.color(40))
    sheet.distract(3)
    return sheet.done({"curved"}, {"symmetric"})


def _river(sheet: Sheet, rng: Rng) -> Drawn:
    """A band that winds to the horizon and narrows."""
    t = np.linspace(0, 1, 80)
    middle = 0.5 + 0.22 * (1 - 0.5 * t) * np.sin(5.5 * t + rng.uniform(0, 6))
    half = 0.12 * (1 - t) + 0.015
    left = [sheet.px(m - a, 1 - 0.8 * s) for m, a, s in zip(middle, half, t, strict=True)]
    right = [sheet.px(m + a, 1 - 0.8 * s) for m, a, s in zip(middle, half, t, strict=True)]
    sheet.draw.polygon([*left, *right[::-1]], fill=sheet.color(40))
    return sheet.done({"curved"}, {"vertical", "diagonal"})


def _trees(sheet: Sheet, rng: Rng) -> Drawn:
    """Trunks with ragged bark before a textured ground."""
    for x in np.sort(rng.uniform(0.08, 0.92, int(rng.integers(2, 6)))):
        ys = np.linspace(0, rng.uniform(0.85, 1.0), 40)
        half, lean = rng.uniform(0.015, 0.035), rng.uniform(-0.03, 0.03)
        left = [sheet.px(x - half + lean * y + rng.normal(0, 0.0015), y) for y in ys]
        right = [sheet.px(x + half + lean * y + rng.normal(0, 0.0015), y) for y in ys]
        sheet.draw.polygon([*left, *right[::-1]], fill=sheet.color(45))
    return sheet.done({"vertical"})


def _horizon_with_subject(sheet: Sheet, rng: Rng) -> Drawn:
    """A horizon, ragged by waves and hidden in part by a subject on a third."""
    level, x = rng.uniform(0.4, 0.6), float(rng.choice([1 / 3, 2 / 3]))
    xs = np.linspace(0, 1, 120)
    edge = [sheet.px(place, level + rng.normal(0, 0.0012)) for place in xs]
    sheet.draw.polygon([*edge, sheet.px(1, 1), sheet.px(0, 1)], fill=sheet.color(40, 90))
    y = float(rng.choice([1 / 3, 2 / 3]))
    sheet.shape(sheet.any_shape(), x, y, rng.uniform(0.09, 0.13), sheet.color(100))
    return sheet.done({"horizontal", "rule of thirds"}, subject=(x, y))


def _three_blobs(sheet: Sheet, rng: Rng) -> Drawn:
    """Three like masses on the corners of a triangle."""
    fill, radius = sheet.color(70), rng.uniform(0.07, 0.1)
    for x, y in ((rng.uniform(0.4, 0.6), 0.22), (rng.uniform(0.12, 0.25), 0.78), (rng.uniform(0.75, 0.88), 0.78)):
        sheet.shape("disc", x, y, radius, fill)
    return sheet.done({"triangle"}, {"symmetric"})


def _rough_ground(sheet: Sheet, rng: Rng) -> Drawn:
    """Strong texture of no order: grass, gravel, leaves."""
    w, h = sheet.wh
    grain = rng.choice([2, 4, 8])
    rough = Image.fromarray(rng.normal(0, 45, (h // grain, w // grain)).astype(np.float32)).resize((w, h), 3)
    pixels = np.clip(sheet.base[None, None] + np.asarray(rough)[..., None], 0, 255).astype(np.uint8)
    return Drawn(Image.fromarray(pixels), frozenset(), frozenset())


def _jittered(sheet: Sheet, rng: Rng) -> Drawn:
    """Motifs on a loose grid, each a little out of place and of its own size."""
    columns, fill, kind = int(rng.integers(6, 10)), sheet.color(60), sheet.any_shape()
    step = 1 / columns
    rows = round(columns * sheet.size[1] / sheet.size[0])
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5 + rng.normal(0, 0.06)) * step, (row + 0.5 + rng.normal(0, 0.06)) / rows
            radius = 0.3 * step * sheet.size[0] / min(sheet.size) * rng.uniform(0.8, 1.1)
            sheet.shape(kind, x, y, radius, fill)
    return sheet.done({"pattern"})


STYLES: dict[str, Callable[[Sheet, Rng], Drawn]] = {
    "checkers": _checkers,
    "bricks": _bricks,
    "jittered": _jittered,
    "windows": _windows,
    "reflection": _reflection,
    "pyramid": _pyramid,
    "slope": _slope,
    "shore": _shore,
    "river": _river,
    "trees": _trees,
    "horizon with subject": _horizon_with_subject,
    "three blobs": _three_blobs,
    "rough ground": _rough_ground,
}
