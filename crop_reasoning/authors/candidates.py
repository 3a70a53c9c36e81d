"""Crops worth proposing for a photo: what a photographer would try, from what was measured in it.

They follow from the photo alone, never from a target, so that nothing about them tells which crop is preferred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crop_reasoning.composition import weight
from crop_reasoning.composition.analysis import Analysis, Measured
from crop_reasoning.composition.placement import GOLDEN, THIRD
from crop_reasoning.composition.primitives import frame_of
from crop_reasoning.geometry import WHOLE, Box, Size, centered, clip, fit_aspect, from_xyxy_px, inside, place

Rng = np.random.Generator
_SHAPES = (1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9)  # width over height, beside the photo's own
_AREAS = (0.3, 0.88)  # of the photo: between these lie nine of ten crops that people draw
_GRID = 12  # bins a side, as the grid crops of GAICD
_LEAST_SIDE = 0.3
_MARGINS = (0.15, 0.35, 0.6, 1.0)  # of the subject's sides
_STRIPS = (0.18, 0.26, 0.34)
_EMPTY_STRIP = 0.75  # of a strip: it holds next to nothing
_KEPT = 0.9  # of the subject: a crop that places it shows this much
_LINES = (THIRD, 1 - THIRD, GOLDEN, 1 - GOLDEN, 0.5)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What crops are made from: the photo's composition, its size and the ratio that is asked for."""

    measured: Measured
    analysis: Analysis
    wh: Size
    aspect: tuple[int, int] | None


def candidates(
    measured: Measured, analysis: Analysis, wh: Size, aspect: tuple[int, int] | None, rng: Rng
) -> Iterator[Box]:
    """Crops in random order, one of each kind before a second of any, plain centered ones last.

    `analysis` is that of the whole photo. All have the ratio `aspect` in pixels of `wh`, where one is given. Boxes
    have six decimals, as files store them.
    """
    scene = _Scene(measured, analysis, wh, aspect)
    makers = (_whole, _grid, _fitted, _placed, _placed, _levelled, _mirrored, _trimmed, _centered)
    kinds = [maker(scene, rng) for maker in makers]
    drawn = [[crops[index] for index in rng.permutation(len(crops))] for crops in kinds if crops]
    order = rng.permutation(len(drawn))
    for turn in range(max(map(len, drawn))):
        for index in order:
            if turn < len(drawn[index]):
                yield _shaped(drawn[index][turn], scene)
    yield from (_shaped(centered(scale), scene) for scale in (0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35))


def _shaped(crop: Box, scene: _Scene) -> Box:
    if scene.aspect:
        crop = from_xyxy_px(fit_aspect(crop, scene.aspect, scene.wh), scene.wh)
    return Box(*(round(float(edge), 6) for edge in crop.xyxy))


def _size(scene: _Scene, rng: Rng) -> tuple[float, float]:
    """Width and height, in shares of the photo's, of a crop of random area and of a usual shape."""
    own = scene.wh[0] / scene.wh[1]
    shapes = (own, own, own, *_SHAPES)
    shape = shapes[rng.integers(len(shapes))]
    width = math.sqrt(rng.uniform(*_AREAS) * shape / own)
    height = width * own / shape
    fitting = min(1.0, 1 / width, 1 / height)
    return (width * fitting, height * fitting)


def _whole(scene: _Scene, rng: Rng) -> list[Box]:
    return [WHOLE]


def _centered(scene: _Scene, rng: Rng) -> list[Box]:
    return [place((0.5, 0.5), _size(scene, rng))]


def _grid(scene: _Scene, rng: Rng) -> list[Box]:
    """Crops on a coarse grid, anywhere."""
    crops = []
    for _ in range(3):
        width, height = (int(side) for side in rng.integers(_GRID // 2, _GRID + 1, 2))
        left, top = int(rng.integers(_GRID - width + 1)), int(rng.integers(_GRID - height + 1))
        crops.append(Box(left / _GRID, top / _GRID, (left + width) / _GRID, (top + height) / _GRID))
    return crops


def _fitted(scene: _Scene, rng: Rng) -> list[Box]:
    """The subject with several margins around it."""
    subject = scene.analysis.subject
    if subject is None:
        return []
    crops = []
    for margin in _MARGINS:
        across, down = margin * subject.width, margin * subject.height
        crop = clip(subject.x1 - across, subject.y1 - down, subject.x2 + across, subject.y2 + down)
        crops.append(place(crop.center, (max(crop.width, _LEAST_SIDE), max(crop.height, _LEAST_SIDE))))
    return crops


def _placed(scene: _Scene, rng: Rng) -> list[Box]:
    """Crops that put the subject's center on a line of thirds or of the golden ratio, or in the middle."""
    subject = scene.analysis.subject
    if subject is None:
        return []
    crops = []
    for _ in range(12):
        size = _size(scene, rng)
        tx, ty = _LINES[rng.integers(len(_LINES))], _LINES[rng.integers(len(_LINES))]
        x1, y1 = subject.center[0] - tx * size[0], subject.center[1] - ty * size[1]
        if 0 <= x1 <= 1 - size[0] and 0 <= y1 <= 1 - size[1]:
            crop = Box(x1, y1, min(1.0, x1 + size[0]), min(1.0, y1 + size[1]))
            if inside(subject, crop) >= _KEPT:
                crops.append(crop)
    return crops


def _levelled(scene: _Scene, rng: Rng) -> list[Box]:
    """Crops with the level line on an upper or lower third."""
    line = next((each.line for each in scene.analysis.elements if each.name == "horizontal"), None)
    if line is None:
        return []
    y, crops = (line[1] + line[3]) / 2, []
    for third in (THIRD, 1 - THIRD):
        width, height = _size(scene, rng)
        y1 = y - third * height
        if 0 <= y1 <= 1 - height:
            x = scene.analysis.subject.center[0] if scene.analysis.subject else rng.uniform(0.3, 0.7)
            crops.append(place((x, y1 + height / 2), (width, height)))
    return crops


def _mirrored(scene: _Scene, rng: Rng) -> list[Box]:
    """A crop about the axis of a symmetry."""
    line = next((each.line for each in scene.analysis.elements if each.name == "symmetric"), None)
    if line is None:
        return []
    share = rng.uniform(0.7, 1)
    x, y = (line[0] + line[2]) / 2, (line[1] + line[3]) / 2
    if abs(line[0] - line[2]) < abs(line[1] - line[3]):
        half = share * min(x, 1 - x)
        return [Box(x - half, 0, x + half, 1)] if 2 * half > _LEAST_SIDE else []
    half = share * min(y, 1 - y)
    return [Box(0, y - half, 1, y + half)] if 2 * half > _LEAST_SIDE else []


def _trimmed(scene: _Scene, rng: Rng) -> list[Box]:
    """The photo without a strip along one side that is next to empty."""
    weights = scene.measured.weights
    if weights is None:
        return []
    crops = []
    for depth in _STRIPS:
        for strip, rest in (
            (Box(0, 0, depth, 1), Box(depth, 0, 1, 1)),
            (Box(1 - depth, 0, 1, 1), Box(0, 0, 1 - depth, 1)),
            (Box(0, 0, 1, depth), Box(0, depth, 1, 1)),
            (Box(0, 1 - depth, 1, 1), Box(0, 0, 1, 1 - depth)),
        ):
            if weight.negative_space(weights, frame_of(strip, scene.measured.work)) >= _EMPTY_STRIP:
                crops.append(rest)
    return crops
