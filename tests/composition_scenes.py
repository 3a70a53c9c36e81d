"""Drawn scenes with one compositional element each, whose geometry is known, and scenes with none.

`scene(name, seed)` draws the element in one of several styles on one of several grounds, with weak distractors. They
are for development: the figures the project publishes come from scenes that were drawn without knowledge of the
detectors. `also` lists elements that a style may rightly show besides its own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from crop_reasoning.composition.elements import ELEMENTS

Rng = np.random.Generator
Color = tuple[int, int, int]
NONE = "none"
_FRAMES = ((480, 320), (448, 336), (384, 384), (320, 480), (512, 288))
_SHAPES = ("disc", "block", "diamond", "figure", "ring", "blob")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A scene: pixels, the elements it shows, those it may show, and where they are ([0,1] of the frame)."""

    image: Image.Image
    shows: frozenset[str]
    also: frozenset[str]
    subject: tuple[float, float] | None = None
    line: tuple[float, float, float, float] | None = None
    vanishing: tuple[float, float] | None = None


class Sheet:
    """A canvas at twice the frame's size, with a ground and colors that stand out from it."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.wh = _FRAMES[rng.integers(len(_FRAMES))]
        w, h = self.size = (2 * self.wh[0], 2 * self.wh[1])
        self.base = rng.uniform(40, 215, 3)
        y, x = np.mgrid[0 : h // 4, 0 : w // 4].astype(np.float32)
        ramp = np.zeros_like(x)
        style = rng.integers(4)
        if style == 1:
            angle = rng.uniform(0, 2 * math.pi)
            ramp = 45 * (math.cos(angle) * x / w + math.sin(angle) * y / h) * 4
        elif style == 2:
            small = Image.fromarray(rng.normal(0, 1, (7, 9)).astype(np.float32)).resize((w // 4, h // 4), 3)
            ramp = 14 * np.asarray(small)
        elif style == 3:
            small = Image.fromarray(rng.normal(0, 1, (h // 12, w // 12)).astype(np.float32)).resize((w // 4, h // 4), 3)
            ramp = 5 * np.asarray(small)
        pixels = np.clip(self.base + ramp[..., None], 0, 255).astype(np.uint8)
        self.canvas = Image.fromarray(pixels).resize(self.size, Image.Resampling.BILINEAR)
        self.draw = ImageDraw.Draw(self.canvas)

    def color(self, least: float = 90, most: float = 400) -> Color:
        """A color between `least` and `most` away from the ground's in luminance-weighted distance."""
        while True:
            color = self.rng.uniform(0, 255, 3)
            distance = float(abs((color - self.base) @ np.array([0.3, 0.59, 0.11])))
            if least <= distance <= most:
                return (int(color[0]), int(color[1]), int(color[2]))

    def px(self, x: float, y: float) -> tuple[float, float]:
        return (x * self.size[0], y * self.size[1])

    def shape(self, kind: str, x: float, y: float, radius: float, fill: Color) -> None:
        """A shape in the square of half side `radius` (share of the shorter side) about a point."""
        (cx, cy), r = self.px(x, y), radius * min(self.size)
        if kind == "disc":
            self.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=fill)
        elif kind == "ring":
            self.draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=fill, width=max(3, int(0.4 * r)))
        elif kind == "block":
            self.draw.rectangle((cx - r, cy - r, cx + r, cy + r), fill=fill)
        elif kind == "diamond":
            self.draw.polygon([(cx, cy - r), (cx + r, cy), (cx, cy + r), (cx - r, cy)], fill=fill)
        elif kind == "figure":
            self.draw.ellipse((cx - 0.4 * r, cy - r, cx + 0.4 * r, cy - 0.2 * r), fill=fill)
            self.draw.rounded_rectangle((cx - r, cy - 0.25 * r, cx + r, cy + r), radius=0.4 * r, fill=fill)
        else:
            angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
            radii = r * (1 - 0.18 * (1 + np.sin(3 * angles + self.rng.uniform(0, 6))))
            self.draw.polygon(
                [(cx + q * math.cos(a), cy + q * math.sin(a)) for a, q in zip(angles, radii, strict=True)], fill=fill
            )

    def any_shape(self) -> str:
        return _SHAPES[self.rng.integers(len(_SHAPES))]

    def distract(self, count: int) -> None:
        """Small weak marks: none may count as an element."""
        for _ in range(count):
            x, y = self.rng.uniform(0.05, 0.95, 2)
            if self.rng.random() < 0.5:
                self.shape(self.any_shape(), x, y, self.rng.uniform(0.02, 0.035), self.color(12, 35))
            else:
                angle, length = self.rng.uniform(0, math.pi), self.rng.uniform(0.05, 0.12)
                end = (x + length * math.cos(angle), y + length * math.sin(angle))
                self.draw.line((*self.px(x, y), *self.px(*end)), fill=self.color(20, 60), width=4)

    def done(self, shows: set[str], also: set[str] | None = None, **geometry: object) -> Drawn:
        image = self.canvas.resize(self.wh, Image.Resampling.BOX)
        noise = self.rng.normal(0, self.rng.uniform(0, 4), (self.wh[1], self.wh[0], 1))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
        return Drawn(image, frozenset(shows), frozenset(also or ()), **geometry)  # type: ignore[arg-type]


def scene(name: str, seed: int) -> Drawn:
    """The scene of an element (or `NONE`) that a seed stands for."""
    rng = np.random.default_rng([list(_MAKERS).index(name), seed])
    sheet = Sheet(rng)
    return _MAKERS[name](sheet, rng)


def spoiled(image: Image.Image, how: str, seed: int = 0) -> Image.Image:
    """The image with noise, strong JPEG compression, no color, or blurred."""
    if how == "noise":
        noise = np.random.default_rng(seed).normal(0, 14, (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    if how == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=25)
        return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    if how == "grey":
        return image.convert("L").convert("RGB")
    return image.filter(ImageFilter.GaussianBlur(1.8))


def _placed(sheet: Sheet, name: str, x: float, y: float) -> Drawn:
    sheet.distract(3)
    sheet.shape(sheet.any_shape(), x, y, sheet.rng.uniform(0.08, 0.15), sheet.color(70))
    return sheet.done({name} if name != NONE else set(), subject=(x, y))


def _thirds(sheet: Sheet, rng: Rng) -> Drawn:
    x, y = (float(rng.choice([1 / 3, 2 / 3]) + rng.uniform(-0.012, 0.012)) for _ in range(2))
    return _placed(sheet, "rule of thirds", x, y)


def _golden(sheet: Sheet, rng: Rng) -> Drawn:
    x, y = (float(rng.choice([0.382, 0.618]) + rng.uniform(-0.01, 0.01)) for _ in range(2))
    return _placed(sheet, "golden ratio", x, y)


def _center(sheet: Sheet, rng: Rng) -> Drawn:
    return _placed(sheet, "center", *(float(v) for v in rng.uniform(0.485, 0.515, 2)))


def _horizontal(sheet: Sheet, rng: Rng) -> Drawn:
    y, tilt = rng.uniform(0.2, 0.8), math.tan(math.radians(rng.uniform(-2.5, 2.5)))
    rise = tilt * sheet.wh[0] / sheet.wh[1] / 2
    a, b = sheet.px(0, y - rise), sheet.px(1, y + rise)
    if rng.random() < 0.5:
        sheet.draw.polygon([a, b, sheet.px(1, 1), sheet.px(0, 1)], fill=sheet.color(40))
    else:
        for step in range(int(rng.integers(1, 4))):
            down = step * rng.uniform(0.05, 0.1) * sheet.size[1]
            ends = (a[0], a[1] + down, b[0], b[1] + down)
            sheet.draw.line(ends, fill=sheet.color(50), width=int(rng.integers(4, 14)))
    sheet.distract(4)
    return sheet.done({"horizontal"}, line=(0.0, y - rise, 1.0, y + rise))


def _vertical(sheet: Sheet, rng: Rng) -> Drawn:
    count = int(rng.integers(1, 6))
    for x in (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count:
        top, bottom = rng.uniform(0, 0.12), rng.uniform(0.75, 1.0)
        half = rng.uniform(0.006, 0.03)
        lean = rng.uniform(-0.015, 0.015)
        feet = [(x - half + lean, top), (x + half + lean, top), (x + half, bottom), (x - half, bottom)]
        sheet.draw.polygon([sheet.px(*foot) for foot in feet], fill=sheet.color(50))
    sheet.distract(4)
    return sheet.done({"vertical"}, {"symmetric"} if count < 3 else set())


def _diagonal(sheet: Sheet, rng: Rng) -> Drawn:
    vanishing = line = None
    if rng.random() < 0.5:
        vx, vy = vanishing = (rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.5))
        for foot in np.linspace(rng.uniform(-0.4, 0.1), rng.uniform(0.9, 1.4), int(rng.integers(3, 7))):
            start = (vx + 0.04 * (foot - vx), vy + 0.04 * (1 - vy))
            width = int(rng.integers(4, 12))
            sheet.draw.line((*sheet.px(*start), *sheet.px(foot, 1.0)), fill=sheet.color(50), width=width)
    else:
        w, h = sheet.wh
        angle = math.radians(rng.uniform(25, 65)) * rng.choice([-1, 1])
        dx, dy = math.cos(angle) / w, math.sin(angle) / h
        reach = rng.uniform(0.35, 0.6) * min(1 / abs(dx), 1 / abs(dy))
        x, y = rng.uniform(0.4, 0.6, 2)
        line = (x - dx * reach, y - dy * reach, x + dx * reach, y + dy * reach)
        ends = (*sheet.px(*line[:2]), *sheet.px(*line[2:]))
        sheet.draw.line(ends, fill=sheet.color(50), width=int(rng.integers(5, 40)))
    sheet.distract(4)
    return sheet.done({"diagonal"}, {"symmetric"}, line=line, vanishing=vanishing)


def _curved(sheet: Sheet, rng: Rng) -> Drawn:
    t = np.linspace(0, 1, 160)
    if rng.random() < 0.5:  # an S
        amplitude, turns = rng.uniform(0.12, 0.28), rng.uniform(0.7, 1.1)
        along, across = t, rng.uniform(0.4, 0.6) + amplitude * np.sin(2 * math.pi * turns * t + rng.uniform(0, 6.28))
    else:  # an arc
        height = rng.choice([-1, 1]) * rng.uniform(0.25, 0.4)
        along, across = t, rng.uniform(0.3, 0.7) + height * (4 * t * (1 - t) - 0.5)
    xs, ys = (along, across) if rng.random() < 0.5 else (across, along)
    points = [sheet.px(x, y) for x, y in zip(xs, ys, strict=True)]
    width, fill = int(rng.integers(6, 40)), sheet.color(50)
    sheet.draw.line(points, fill=fill, width=width, joint="curve")
    sheet.distract(4)
    return sheet.done({"curved"}, {"symmetric"})


def _triangle(sheet: Sheet, rng: Rng) -> Drawn:
    low = rng.uniform(0.7, 0.92)
    top = (rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.3))
    corners = [top, (rng.uniform(0.05, 0.25), low), (rng.uniform(0.75, 0.95), low)]
    if rng.random() < 0.3:
        corners = [(x, 1 - y) for x, y in corners]
    points = [sheet.px(*corner) for corner in corners]
    if rng.random() < 0.5:
        sheet.draw.polygon(points, fill=sheet.color(50))
    else:
        sheet.draw.line([*points, points[0]], fill=sheet.color(60), width=int(rng.integers(5, 16)), joint="curve")
    sheet.distract(4)
    return sheet.done({"triangle"}, {"center", "symmetric", "horizontal"})


def _symmetric(sheet: Sheet, rng: Rng) -> Drawn:
    upright = rng.random() < 0.7
    axis = rng.uniform(0.36, 0.64)
    half = min(axis, 1 - axis)
    for _ in range(int(rng.integers(3, 7))):
        along, away = rng.uniform(0.12, 0.88), rng.uniform(0.25, 0.85) * half
        kind, radius, fill = ("disc", "block", "diamond")[rng.integers(3)], rng.uniform(0.03, 0.08), sheet.color(50)
        for side in (-1, 1):
            place = (axis + side * away, along) if upright else (along, axis + side * away)
            sheet.shape(kind, *place, radius, fill)
    sheet.distract(2)
    line = (axis, 0.0, axis, 1.0) if upright else (0.0, axis, 1.0, axis)
    return sheet.done({"symmetric"}, {"center"}, line=line)


def _pattern(sheet: Sheet, rng: Rng) -> Drawn:
    columns = int(rng.integers(5, 10))
    step = 1 / columns
    down = step * sheet.size[0] / sheet.size[1] * rng.uniform(0.85, 1.15)
    offset, kind, fill = 0.5 * float(rng.random() < 0.4), sheet.any_shape(), sheet.color(50)
    shift = rng.uniform(0, 1, 2)
    for row in range(-1, math.ceil(1 / down) + 1):
        for column in range(-1, columns + 1):
            x = (column + shift[0] + offset * (row % 2) + rng.normal(0, 0.02)) * step
            y = (row + shift[1] + rng.normal(0, 0.02)) * down
            sheet.shape(kind, x, y, 0.3 * min(step * sheet.size[0], down * sheet.size[1]) / min(sheet.size), fill)
    return sheet.done({"pattern"}, {"symmetric"})


def _none(sheet: Sheet, rng: Rng) -> Drawn:
    style = rng.integers(4)
    if style == 0:
        sheet.distract(6)
    elif style == 1:  # a subject near the border, on no line
        x, y = (float(rng.choice([rng.uniform(0.14, 0.22), rng.uniform(0.78, 0.86)])) for _ in range(2))
        return _placed(sheet, NONE, x, y)
    elif style == 2:  # shapes strewn about
        for _ in range(int(rng.integers(6, 14))):
            sheet.shape(sheet.any_shape(), *rng.uniform(0.05, 0.95, 2), rng.uniform(0.03, 0.09), sheet.color(40))
        return sheet.done(set(), {"rule of thirds", "golden ratio", "center"})
    else:
        pixels = rng.normal(128, rng.uniform(10, 60), (sheet.wh[1], sheet.wh[0], 3))
        return Drawn(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), frozenset(), frozenset())
    return sheet.done(set())


_MAKERS: dict[str, Callable[[Sheet, Rng], Drawn]] = {
    "rule of thirds": _thirds,
    "center": _center,
    "golden ratio": _golden,
    "horizontal": _horizontal,
    "vertical": _vertical,
    "diagonal": _diagonal,
    "curved": _curved,
    "triangle": _triangle,
    "symmetric": _symmetric,
    "pattern": _pattern,
    NONE: _none,
}
assert set(_MAKERS) == {*ELEMENTS, NONE}
