"""Painting with numpy: noise, anti-aliased masks, palettes and shaded objects, for scenes whose geometry is known.

Coordinates are pixels, x right and y down, and continuous: pixel i covers [i, i + 1]. Colors are RGB in 0 to 255.
This module knows how things look; where they stand, and what that makes of a picture, is told by the scenes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, gaussian_filter1d

Array = np.ndarray
Rng = np.random.Generator
Point = tuple[float, float]
PxBox = tuple[float, float, float, float]
Shape = tuple[Point, ...] | PxBox
"""A polygon of three or more points, or the ellipse that a box (four numbers) holds."""
_SUPER = 3  # masks are drawn this many times larger, then reduced: anti-aliasing
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """Colors that go together: `sky` and `ground` far to near, `dark` and `light` tones, `accents` for objects."""

    sky: tuple[Array, Array]
    ground: tuple[Array, Array]
    dark: Array
    light: Array
    accents: tuple[Array, ...]


@dataclass(slots=True)
class Canvas:
    """What is painted on: `pixels` (height, width, 3) float32, and the generator and palette that everything uses."""

    pixels: Array
    rng: Rng
    palette: Palette

    @property
    def wh(self) -> tuple[int, int]:
        return (self.pixels.shape[1], self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask (rows, columns) float32 in [0,1], and the upper left pixel where it lies."""

    mask: Array
    x: int
    y: int

    @property
    def window(self) -> tuple[slice, slice]:
        return (slice(self.y, self.y + self.mask.shape[0]), slice(self.x, self.x + self.mask.shape[1]))


_PALETTES = (  # sky far, sky near, ground far, ground near, dark, light, accents
    ("4f86c6", "cfe2f1", "8fa96a", "4d6b33", "2b2f26", "f4f1e6", "c8382e e8b321 f2f2ee 2a4d7f"),  # noon
    ("34345f", "f2a06b", "6e4a55", "33283a", "1c1526", "ffe3c2", "f7d154 e0533d 1b2a4a f4ead9"),  # dusk
    ("b9c3c9", "e6e9ea", "9aa5a3", "66736f", "39423f", "f7f7f5", "8c2f2b 2c3f52 d8a03c 1f2a24"),  # mist
    ("20372c", "7da07b", "46633f", "22331f", "121b12", "dfe8c8", "e2a12f d9d3b8 b0412c 6c93c4"),  # forest
    ("7fb4d6", "f0e3c6", "dab27a", "a8713d", "4a2c1a", "fbf1dc", "2f5d73 8d2b1d 3c5b34 f8f5ee"),  # desert
    ("9db6cf", "f1f4f8", "dfe6ee", "a9b8c8", "39475a", "ffffff", "b3202a 274b3a e09a2b 22304a"),  # winter
    ("0f1630", "2c3a66", "262b45", "12152a", "090b16", "d9dcff", "f2c14e ef6f6c 7bdff2 f4f4f4"),  # night
    ("c9b79c", "e9dcc6", "a5724a", "6b4426", "33200f", "fbf5e9", "3c6e71 b5342b e3b23c 284b63"),  # interior
)


def pick_palette(rng: Rng) -> Palette:
    """One of eight palettes, each channel moved by up to 12."""

    def color(text: str) -> Array:
        values = np.array([int(text[k : k + 2], 16) for k in (0, 2, 4)], np.float32)
        return np.clip(values + rng.uniform(-12, 12, 3), 0, 255).astype(np.float32)

    *five, light, accents = _PALETTES[rng.integers(len(_PALETTES))]
    far, near, ground_far, ground_near, dark = (color(text) for text in five)
    return Palette((far, near), (ground_far, ground_near), dark, color(light), tuple(map(color, accents.split())))


def noise(rng: Rng, wh: tuple[int, int], cell: tuple[float, float], octaves: int = 3) -> Array:
    """Value noise (height, width) of mean about 0, deviation about 0.4 and grain `cell` (px across, px down)."""
    total = np.zeros((wh[1], wh[0]), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(octaves):
        step = tuple(max(size / 2**octave, 1.0) for size in cell)
        columns, rows = math.ceil(wh[0] / step[0]) + 4, math.ceil(wh[1] / step[1]) + 4
        grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
        part = (2.0, 2.0, 2.0 + wh[0] / step[0], 2.0 + wh[1] / step[1])
        total += weight * np.asarray(grid.resize(wh, Image.Resampling.BICUBIC, box=part))
        weights += weight
        weight /= 2
    return total / np.float32(weights)


def mask_of(wh: tuple[int, int], shapes: Sequence[Shape], soft: float = 0.0) -> Patch:
    """The union of shapes, anti-aliased; `soft` blurs its edge by that many px. Outside the frame it is cut off."""
    xs = [value for shape in shapes for value in _coordinates(shape, 0)]
    ys = [value for shape in shapes for value in _coordinates(shape, 1)]
    margin = math.ceil(3 * soft) + 1
    x1, y1 = (min(max(math.floor(min(v)) - margin, 0), side - 1) for v, side in zip((xs, ys), wh, strict=True))
    x2, y2 = (
        min(max(math.ceil(max(v)) + margin, low + 1), s) for v, low, s in zip((xs, ys), (x1, y1), wh, strict=True)
    )
    large = Image.new("L", ((x2 - x1) * _SUPER, (y2 - y1) * _SUPER), 0)
    draw = ImageDraw.Draw(large)
    for shape in shapes:
        if isinstance(shape[0], tuple):
            draw.polygon([_large(point, x1, y1) for point in shape if isinstance(point, tuple)], fill=255)
        else:
            a, b, c, d = (float(value) for value in shape if not isinstance(value, tuple))
            draw.ellipse((*_large((a, b), x1, y1), *_large((max(c, a + 0.4), max(d, b + 0.4)), x1, y1)), fill=255)
    mask = np.asarray(large.reduce(_SUPER), np.float32) / 255
    return Patch(gaussian_filter(mask, soft, truncate=3.0) if soft else mask, x1, y1)


def _coordinates(shape: Shape, axis: int) -> list[float]:
    if isinstance(shape[0], tuple):
        return [point[axis] for point in shape if isinstance(point, tuple)]
    return [float(value) for value in shape[axis::2] if not isinstance(value, tuple)]


def _large(point: Point, x: float, y: float) -> Point:
    return ((point[0] - x) * _SUPER - 0.5, (point[1] - y) * _SUPER - 0.5)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> tuple[Point, ...]:
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def stroke(points: Sequence[Point], widths: Sequence[float] | Array) -> tuple[Point, ...]:
    """The outline of a line through `points` whose width in px may change along it."""
    path = np.asarray(points, np.float64)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) * (np.asarray(widths)[:, None] / 2)
    outline = np.concatenate([path + side, (path - side)[::-1]])
    return tuple((float(x), float(y)) for x, y in outline)


def paint(
    canvas: Canvas,
    patch: Patch,
    color: Array,
    *,
    alpha: float = 1.0,
    texture: float = 0.0,
    cell: tuple[float, float] = (12.0, 12.0),
    shade: Array | float = 1.0,
) -> None:
    """Lay a color over the canvas where the mask is: times `shade`, with value noise of relative strength `texture`."""
    rows, columns = patch.window
    height, width = patch.mask.shape
    light: Array = np.broadcast_to(np.asarray(shade, np.float32), (height, width))
    if texture:
        light = light * (1 + texture * noise(canvas.rng, (width, height), cell))
    under = canvas.pixels[rows, columns]
    under += (patch.mask * np.float32(alpha))[..., None] * (light[..., None] * color - under)


def gradient(canvas: Canvas, first: Array, second: Array, angle: float) -> None:
    """Cover the canvas with a ramp from `first` to `second`; angle pi / 2 runs from top to bottom."""
    width, height = canvas.wh
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32) * math.cos(angle)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32) * math.sin(angle)
    ramp = np.clip((x[None] + y[:, None]) / (abs(math.cos(angle)) + abs(math.sin(angle))) + 0.5, 0, 1)
    canvas.pixels[:] = first + ramp[..., None] * (second - first)


def roughen(rng: Rng, points: Sequence[Point], amount: float, grain: float = 12.0) -> list[Point]:
    """Points along the same polyline, a few px apart, moved up or down by noise of `amount` px."""
    path = np.asarray(points, np.float64)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(8, int(lengths[-1] / 4)))
    bumps = gaussian_filter1d(rng.standard_normal(at.size), grain / 4) * math.sqrt(grain)
    x, y = np.interp(at, lengths, path[:, 0]), np.interp(at, lengths, path[:, 1]) + amount * 0.6 * bumps
    return list(zip(x.tolist(), y.tolist(), strict=True))


def rolling(rng: Rng, width: float, level: float, swing: float, n: int = 8) -> list[Point]:
    """A smooth line of hills from edge to edge, about `level` and up to `swing` px above or below it."""
    x = np.linspace(-4, width + 4, 120)
    knots = rng.uniform(-swing, swing, n)
    y = level + gaussian_filter1d(np.interp(x, np.linspace(-4, width + 4, n), knots), 60 / n)
    return roughen(rng, list(zip(x.tolist(), y.tolist(), strict=True)), 2.5, 24)


def distinct(canvas: Canvas, box: PxBox, least: float = 60.0) -> Array:
    """The accent least like what lies in and around a box, moved until its luminance differs by `least`."""
    x1, y1, x2, y2 = (int(value) for value in box)
    around = canvas.pixels[max(y1 - 8, 0) : y2 + 8, max(x1 - 8, 0) : x2 + 8].reshape(-1, 3).mean(axis=0)
    accents = canvas.palette.accents
    color = max(accents, key=lambda accent: abs(float((accent - around) @ LUMA)) + float(np.ptp(accent)) / 3)
    ground, own = float(around @ LUMA), float(color @ LUMA)
    if abs(own - ground) < least:
        target = ground + least if ground < 128 else ground - least
        color = np.clip(color + (target - own), 0, 255)
    return np.asarray(color, np.float32)
