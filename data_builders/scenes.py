"""Procedural scenes whose best crop is known, with the geometry that makes it best.

Six kinds: a lone subject, a horizon with a subject, lines leading to a vanishing point, a mirrored scene, and two that
are best as they are (a pattern, and a subject that fills the frame). The rules are those of the composition
textbooks, in one function each; they are a known *teacher* for tests and the quickstart, not a claim about taste.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from crop_reasoning.geometry import WHOLE, Box, Size, clip, inside, iou, place

FRAMES: tuple[Size, ...] = ((192, 192), (240, 160), (224, 168), (168, 224), (160, 240), (256, 144))
SHAPES = ("disc", "block", "triangle", "diamond", "star", "ring", "cross", "figure")
_SUPER = 2  # drawn this many times larger, then reduced: anti-aliasing

Color = tuple[int, int, int]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Scene:
    """A rendered scene: pixels, what stands in it, and the crop its rule calls best.

    `elements` are JSON values {name, evidence, point|line: [0,1] floats} as `composition.elements` names them.
    """

    image: Image.Image
    kind: str
    subject: Box | None
    best: Box
    elements: list[dict[str, Any]]


def make_scene(rng: Rng, anywhere: bool = False) -> Scene:
    """A random scene; the same generator state gives the same pixels.

    `anywhere` is for learning to see: more lone subjects, and those anywhere in the frame, also where no crop could
    put them on a third.
    """
    kinds: list[tuple[float, Callable[[Rng, Size], Scene]]] = [
        (0.36, _lone_subject),
        (0.18, _horizon),
        (0.16, _leading_lines),
        (0.16, _mirrored),
        (0.07, _pattern),
        (0.07, _full_frame),
    ]
    wh = FRAMES[rng.integers(len(FRAMES))]
    if anywhere and rng.random() < 0.4:
        return _lone_subject(rng, wh, anywhere=True)
    index = rng.choice(len(kinds), p=[weight for weight, _ in kinds])
    return kinds[index][1](rng, wh)


def quality(crop: Box, scene_best: Box, subject: Box | None) -> float:
    """How good a crop of a scene is, in [-0.5, 1]: IoU with the best crop less half the share of subject cut off."""
    lost = 1 - inside(subject, crop) if subject else 0.0
    return iou(crop, scene_best) - 0.5 * lost


def nearest_third(value: float) -> float:
    return 1 / 3 if value < 0.5 else 2 / 3


def _lone_subject(rng: Rng, wh: Size, anywhere: bool = False) -> Scene:
    canvas, palette = _background(rng, wh)
    for _ in range(2):  # weak distractors, blended so that the subject stays the subject
        spot = Image.new("RGB", canvas.size, _mix(palette, rng))
        mask = Image.new("L", canvas.size, 0)
        x, y, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.12)
        draw_shape(ImageDraw.Draw(mask), "disc", (x, y), r, canvas.size, 70)
        canvas.paste(spot, (0, 0), mask)
    radius = rng.uniform(0.075, 0.155)
    aspect = wh[0] / wh[1]
    size = (2 * radius * min(1.0, 1 / aspect), 2 * radius * min(1.0, aspect))
    scale = 2.7 * max(size)
    if anywhere:  # as near to a crossing of thirds as the frame allows
        center = x, y = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)
        best = place((x + (0.5 - nearest_third(x)) * scale, y + (0.5 - nearest_third(y)) * scale), (scale, scale))
    else:
        best, center = _on_thirds(rng, scale)
    subject = _subject(rng, canvas, palette, center, radius)
    return _finish(rng, canvas, wh, "subject", subject, best, [])


def _on_thirds(rng: Rng, scale: float) -> tuple[Box, tuple[float, float]]:
    """A frame-shaped crop about three subjects high, and the subject's place on the crossing of thirds nearest to it.

    Drawn until the crop lies inside the frame: pushed against an edge it would no longer be on the thirds.
    """
    while True:
        x, y = (float(value) for value in rng.uniform(0.1, 0.9, 2))
        x1, y1 = x - nearest_third(x) * scale, y - nearest_third(y) * scale
        if min(x1, y1) >= 0 and max(x1, y1) + scale <= 1:
            return Box(x1, y1, x1 + scale, y1 + scale), (x, y)


def _horizon(rng: Rng, wh: Size) -> Scene:
    canvas, palette = _background(rng, wh)
    level = rng.uniform(0.36, 0.64)
    width, height = canvas.size
    ground = contrast(palette, rng, 70)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, level * height, width, height), fill=ground)
    for _ in range(3):  # furrows or waves, parallel to the horizon
        y = rng.uniform(level + 0.03, 1.0) * height
        draw.line((0, y, width, y), fill=_shade(ground, rng.uniform(0.8, 1.15)), width=_SUPER)
    above = bool(rng.random() < 0.5)
    radius = rng.uniform(0.06, 0.13)
    y = level - radius - rng.uniform(0.0, 0.08) if above else level + radius + rng.uniform(0.0, 0.08)
    center = (rng.uniform(0.22, 0.78), float(np.clip(y, radius, 1 - radius)))
    subject = _subject(rng, canvas, [*palette, ground], center, radius)
    scale = float(np.clip(4.2 * max(subject.height, subject.width), 0.45, 0.64))
    line_at = 2 / 3 if above else 1 / 3  # the side with the subject gets two thirds of the frame
    best = place(
        (subject.center[0] + (0.5 - nearest_third(subject.center[0])) * scale, level + (0.5 - line_at) * scale),
        (scale, scale),
    )
    element = {"name": "horizontal", "evidence": "a level horizon", "line": [0.0, level, 1.0, level]}
    return _finish(rng, canvas, wh, "horizon", subject, best, [element])


def _leading_lines(rng: Rng, wh: Size) -> Scene:
    canvas, palette = _background(rng, wh)
    width, height = canvas.size
    vx, vy = rng.uniform(0.32, 0.68), rng.uniform(0.22, 0.55)
    road = contrast(palette, rng, 60)
    draw = ImageDraw.Draw(canvas)
    left, right = vx - rng.uniform(0.25, 0.5), vx + rng.uniform(0.25, 0.5)
    draw.polygon([(vx * width, vy * height), (left * width, height), (right * width, height)], fill=road)
    for foot in np.linspace(left, right, 5):
        color = _shade(road, 0.6 if sum(road) > 330 else 1.6)
        draw.line((vx * width, vy * height, foot * width, height), fill=color, width=2 * _SUPER)
    radius = rng.uniform(0.05, 0.09)
    subject = _subject(rng, canvas, [*palette, road], (vx, vy), radius)
    scale = 0.62
    best = place((vx, vy + (0.5 - 1 / 3) * scale), (scale, scale))
    ends = [[left, 1.0, vx, vy], [right, 1.0, vx, vy]]
    elements = [
        {"name": "diagonal", "evidence": "lines lead to the vanishing point", "line": _inside_frame(end)}
        for end in ends
    ]
    return _finish(rng, canvas, wh, "lines", subject, best, elements)


def _inside_frame(line: list[float]) -> list[float]:
    """The part of a line from (x1, y1) to (x2, y2), the latter inside, that lies in the frame."""
    x1, y1, x2, y2 = line
    if 0 <= x1 <= 1:
        return line
    edge = 0.0 if x1 < 0 else 1.0
    share = (x2 - edge) / (x2 - x1)
    return [edge, y2 + (y1 - y2) * share, x2, y2]


def _mirrored(rng: Rng, wh: Size) -> Scene:
    canvas, palette = _background(rng, wh)
    axis = rng.uniform(0.3, 0.7)
    half = min(axis, 1 - axis)
    draw = ImageDraw.Draw(canvas)
    center = (axis, rng.uniform(0.42, 0.58))
    for _ in range(int(rng.integers(2, 4))):
        color = contrast(palette, rng, 60)
        offset, y = rng.uniform(0.25, 0.75) * half, center[1] + rng.uniform(-0.6, 0.6) * half
        radius, shape = rng.uniform(0.04, 0.08), SHAPES[rng.integers(len(SHAPES))]
        for side in (-1, 1):
            draw_shape(draw, shape, (axis + side * offset, y), radius, canvas.size, color)
    subject = _subject(rng, canvas, palette, center, rng.uniform(0.09, 0.15))
    scale = 1.8 * half  # all that mirrors, with some air
    best = place((axis, subject.center[1]), (scale, scale))
    element = {"name": "symmetric", "evidence": "the two sides mirror each other", "line": [axis, 0.0, axis, 1.0]}
    return _finish(rng, canvas, wh, "mirrored", subject, best, [element])


def _pattern(rng: Rng, wh: Size) -> Scene:
    canvas, palette = _background(rng, wh)
    draw = ImageDraw.Draw(canvas)
    columns = int(rng.integers(4, 7))
    rows = max(3, round(columns * wh[1] / wh[0]))
    color, shape = contrast(palette, rng, 80), SHAPES[rng.integers(len(SHAPES))]
    for column in range(columns):
        for row in range(rows):
            center = ((column + 0.5) / columns, (row + 0.5) / rows)
            draw_shape(draw, shape, center, 0.33 / rows, canvas.size, color)
    element = {"name": "pattern", "evidence": "one motif repeats over the whole frame"}
    return _finish(rng, canvas, wh, "pattern", None, WHOLE, [element])


def _full_frame(rng: Rng, wh: Size) -> Scene:
    canvas, palette = _background(rng, wh)
    center = (rng.uniform(0.47, 0.53), rng.uniform(0.47, 0.53))
    subject = _subject(rng, canvas, palette, center, rng.uniform(0.3, 0.42))
    return _finish(rng, canvas, wh, "full", subject, WHOLE, [])


def _background(rng: Rng, wh: Size) -> tuple[Image.Image, list[Color]]:
    """A gradient in a random direction with low-frequency waves; its two colors are the palette."""
    width, height = wh[0] * _SUPER, wh[1] * _SUPER
    small = (wh[0] // 4, wh[1] // 4)
    y, x = np.mgrid[0 : small[1], 0 : small[0]].astype(np.float32)
    x, y = x / small[0], y / small[1]
    first, second = rng.uniform(25, 215, 3), rng.uniform(25, 215, 3)
    second = first + (second - first) * 0.6
    angle = rng.uniform(0, 2 * math.pi)
    ramp = np.clip(math.cos(angle) * (x - 0.5) + math.sin(angle) * (y - 0.5) + 0.5, 0, 1)
    for _ in range(2):
        fx, fy, phase = rng.uniform(-5, 5), rng.uniform(-5, 5), rng.uniform(0, 6.28)
        ramp = ramp + rng.uniform(0, 0.12) * np.sin(6.28 * (fx * x + fy * y) + phase)
    pixels = first + (second - first) * ramp[..., None]
    canvas = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return canvas, [_color(first), _color(second)]


def _subject(rng: Rng, canvas: Image.Image, palette: list[Color], center: tuple[float, float], radius: float) -> Box:
    """Draw the subject with a strong contrast to everything around it; its box."""
    shape = SHAPES[rng.integers(len(SHAPES))]
    draw_shape(ImageDraw.Draw(canvas), shape, center, radius, canvas.size, contrast(palette, rng, 130))
    width, height = canvas.size
    rx, ry = (
        radius * height / width if width > height else radius,
        radius if width > height else radius * width / height,
    )
    return clip(center[0] - rx, center[1] - ry, center[0] + rx, center[1] + ry)


def draw_shape(
    draw: ImageDraw.ImageDraw, shape: str, center: tuple[float, float], radius: float, size: Size, color: Color | int
) -> None:
    """Fill a shape of a circumscribed `radius` (share of the shorter side)."""
    r = radius * min(size)
    x, y = center[0] * size[0], center[1] * size[1]

    def polygon(angles_and_radii: list[tuple[float, float]]) -> None:
        draw.polygon([(x + r * s * math.sin(a), y - r * s * math.cos(a)) for a, s in angles_and_radii], fill=color)

    if shape == "disc":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
    elif shape == "ring":
        draw.ellipse((x - r, y - r, x + r, y + r), outline=color, width=max(2, round(r * 0.4)))
    elif shape == "block":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=color)
    elif shape == "triangle":
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=color)
    elif shape == "diamond":
        polygon([(math.pi / 2 * k, 1.0) for k in range(4)])
    elif shape == "star":
        polygon([(math.pi / 5 * k, 1.0 if k % 2 == 0 else 0.45) for k in range(10)])
    elif shape == "cross":
        draw.rectangle((x - r, y - r * 0.35, x + r, y + r * 0.35), fill=color)
        draw.rectangle((x - r * 0.35, y - r, x + r * 0.35, y + r), fill=color)
    else:  # a figure: head over shoulders
        draw.ellipse((x - r * 0.4, y - r, x + r * 0.4, y - r * 0.2), fill=color)
        draw.polygon(
            [(x - r * 0.5, y - r * 0.1), (x + r * 0.5, y - r * 0.1), (x + r, y + r), (x - r, y + r)], fill=color
        )


def _finish(
    rng: Rng, canvas: Image.Image, wh: Size, kind: str, subject: Box | None, best: Box, elements: list[dict[str, Any]]
) -> Scene:
    image = canvas.resize(wh, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7)))
    noise = rng.normal(0, rng.uniform(1, 6), (wh[1], wh[0], 1))
    pixels = np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
    return Scene(Image.fromarray(pixels), kind, subject, best, elements)


def _color(values: Any) -> Color:
    r, g, b = (int(np.clip(value, 0, 255)) for value in values)
    return (r, g, b)


def _shade(color: Color, factor: float) -> Color:
    return _color([value * factor for value in color])


def _mix(palette: list[Color], rng: Rng) -> Color:
    return _color(np.mean(palette, axis=0) + rng.uniform(-60, 60, 3))


def contrast(palette: list[Color], rng: Rng, least: float) -> Color:
    """A color at least `least` (largest channel difference) from every color of the palette, the best of 40 tries."""
    best, distance = (255, 255, 255), -1.0
    for _ in range(40):
        candidate = _color(rng.uniform(0, 256, 3))
        nearest = min(max(abs(a - b) for a, b in zip(candidate, known, strict=True)) for known in palette)
        if nearest > distance:
            best, distance = candidate, nearest
        if distance >= least:
            break
    return best
