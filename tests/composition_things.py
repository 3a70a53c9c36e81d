"""Drawn scenes of things: round ones, winged ones, rows of them, and curves that lead past them."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from tests.composition_scenes import Color, Drawn, Rng, Sheet

PLACED = {"rule of thirds", "golden ratio", "center"}


def near(color: Color, rng: Rng, spread: float) -> Color:
    red, green, blue = (int(np.clip(value + rng.normal(0, spread), 0, 255)) for value in color)
    return (red, green, blue)


def ball(sheet: Sheet, rng: Rng) -> Drawn:
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


def haze(sheet: Sheet, rng: Rng) -> Drawn:
    """Large faint blots, some cut by the frame, around one strong thing: what is so weak leads nobody."""
    for _ in range(int(rng.integers(3, 8))):
        mask = Image.new("L", sheet.size, 0)
        (x, y), a, b = sheet.px(*rng.uniform(0, 1, 2)), *(rng.uniform(0.1, 0.5, 2) * min(sheet.size))
        ImageDraw.Draw(mask).ellipse((x - a, y - b, x + a, y + b), fill=int(255 * rng.uniform(0.05, 0.12)))
        sheet.canvas.paste(sheet.color(40), (0, 0), mask)
    x, y = (float(rng.choice([1 / 3, 2 / 3])) for _ in range(2))
    sheet.shape(sheet.any_shape(), x, y, rng.uniform(0.08, 0.15), sheet.color(80))
    return sheet.done(set(), PLACED, subject=(x, y))


def bowl(sheet: Sheet, rng: Rng) -> Drawn:
    """A bowl, a cup or a vase on a table."""
    level = rng.uniform(0.5, 0.75)
    sheet.draw.rectangle((*sheet.px(0, level), *sheet.px(1, 1)), fill=sheet.color(30, 90))
    (x, y), r = sheet.px(rng.uniform(0.25, 0.75), level + 0.12), rng.uniform(0.14, 0.24) * min(sheet.size)
    fill = sheet.color(90)
    if rng.random() < 0.5:
        sheet.draw.pieslice((x - r, y - 2 * r, x + r, y), 0, 180, fill=fill)
        sheet.draw.ellipse((x - r, y - 1.2 * r, x + r, y - 0.8 * r), fill=near(fill, rng, 30))
    else:
        t = np.linspace(0, 1, 40)
        half = r * (0.45 + 0.3 * np.sin(2 * math.pi * (t * rng.uniform(0.7, 1.0) + rng.uniform(-0.1, 0.1))))
        down = y - 2.2 * r * (1 - t)
        sheet.draw.polygon(
            [*zip(x - half, down, strict=True), *zip((x + half)[::-1], down[::-1], strict=True)], fill=fill
        )
    sheet.distract(2)
    return sheet.done({"horizontal"}, PLACED)


def crowd(sheet: Sheet, rng: Rng) -> Drawn:
    """Several round things that overlap."""
    for _ in range(int(rng.integers(4, 9))):
        (x, y), r = sheet.px(*rng.uniform(0.1, 0.9, 2)), rng.uniform(0.08, 0.2) * min(sheet.size)
        sheet.draw.ellipse((x - r, y - r, x + r, y + rng.uniform(0.6, 1) * r), fill=sheet.color(35))
    return sheet.done(set(), {*PLACED, "triangle", "symmetric"})


def wings(sheet: Sheet, rng: Rng) -> Drawn:
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


def lit_windows(sheet: Sheet, rng: Rng) -> Drawn:
    """Many windows of a wall: lit, dark, half drawn; a lamp or a sign before them."""
    columns, rows = int(rng.integers(4, 9)), int(rng.integers(4, 8))
    wide, high = 1 / columns, 1 / rows
    w, h = rng.uniform(0.45, 0.65) * wide, rng.uniform(0.5, 0.7) * high
    lit, dark, share = sheet.color(80), sheet.color(45), rng.uniform(0.1, 0.45)
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * wide + rng.normal(0, 0.004), (row + 0.5) * high + rng.normal(0, 0.004)
            fill = near(lit if rng.random() < share else dark, rng, 8)
            box = (*sheet.px(x - w / 2, y - h / 2), *sheet.px(x + w / 2, y + h / 2))
            sheet.draw.rectangle(box, fill=fill)
            if rng.random() < 0.3:
                drawn = (*box[:3], box[1] + rng.uniform(0.2, 0.6) * (box[3] - box[1]))
                sheet.draw.rectangle(drawn, fill=near(fill, rng, 25))
    sheet.distract(3)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def tiles(sheet: Sheet, rng: Rng) -> Drawn:
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
            sheet.draw.rectangle(box, fill=near(base, rng, rng.choice([6.0, 22.0])))
    sheet.distract(3)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def rows(sheet: Sheet, rng: Rng) -> Drawn:
    """Things in two to four rows, each in a color and a size of its own."""
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(5, 10))
    kind = sheet.any_shape()
    fills = [sheet.color(50) for _ in range(int(rng.integers(1, 4)))]
    space = min(sheet.size[0] / columns, sheet.size[1] / rows) / min(sheet.size)
    for row in range(rows):
        for column in range(columns):
            x = (column + 0.5 + rng.normal(0, 0.035)) / columns
            y = (row + 0.5 + rng.normal(0, 0.035)) / rows
            sheet.shape(kind, x, y, 0.36 * space * rng.uniform(0.8, 1.1), near(fills[rng.integers(len(fills))], rng, 8))
    sheet.distract(2)
    return sheet.done({"pattern"}, {"symmetric", *PLACED})


def fence(sheet: Sheet, rng: Rng) -> Drawn:
    """Pickets on two rails over the whole width; here and there one is broken or askew."""
    count = int(rng.integers(9, 22))
    top, foot = rng.uniform(0.08, 0.3), rng.uniform(0.75, 0.97)
    half, fill = rng.uniform(0.2, 0.32) / count, sheet.color(60)
    for rail in (0.25, 0.75):
        y = top + rail * (foot - top)
        sheet.draw.rectangle((*sheet.px(0, y - 0.015), *sheet.px(1, y + 0.015)), fill=near(fill, rng, 10))
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
        sheet.draw.polygon([sheet.px(*each) for each in feet], fill=near(fill, rng, 6))
    return sheet.done({"pattern"}, {"vertical", "symmetric", "horizontal"})


def before_horizon(sheet: Sheet, rng: Rng) -> Drawn:
    """A round thing that stands across a horizon in the colors of the land: its outline is no bend of the horizon."""
    level, x = rng.uniform(0.45, 0.65), rng.uniform(0.25, 0.75)
    land = sheet.color(50, 110)
    sheet.draw.rectangle((*sheet.px(0, level), *sheet.px(1, 1)), fill=land)
    (cx, cy), r = sheet.px(x, level), rng.uniform(0.12, 0.26) * min(sheet.size)
    sheet.draw.ellipse((cx - 1.2 * r, cy - 0.7 * r, cx + 1.2 * r, cy + 0.7 * r), fill=near(land, rng, 12))
    return sheet.done(set(), {"horizontal", *PLACED})


def bough(sheet: Sheet, rng: Rng) -> Drawn:
    """A thick bent bough with leaves on it."""
    t = np.linspace(0, 1, 80)
    base, rise = rng.uniform(0.7, 0.85), rng.uniform(0.5, 0.7)
    y = base - rise * t**2 + 0.04 * np.sin(5 * t + rng.uniform(0, 6))
    half = 0.035 * (1 - 0.75 * t)
    upper, lower = ([sheet.px(a, b + side * c) for a, b, c in zip(t, y, half, strict=True)] for side in (-1, 1))
    sheet.draw.polygon([*upper, *lower[::-1]], fill=sheet.color(60))
    for at in rng.integers(8, 78, 7):
        (x0, y0), r = sheet.px(t[at], y[at] - rng.choice([-1, 1]) * 0.06), 0.03 * min(sheet.size)
        sheet.draw.ellipse((x0 - r, y0 - 0.6 * r, x0 + r, y0 + 0.6 * r), fill=sheet.color(50))
    return sheet.done({"curved"}, {"diagonal"})


def bay(sheet: Sheet, rng: Rng) -> Drawn:
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
