"""Painted scenes whose compositional geometry is known exactly, to examine what finds the ten elements in photographs.

    element_scene("diagonal", seed=7).truths["diagonal"].vanishing

Each of the ten has several styles. A scene is the style's picture, weak distractors, at most one subject, and the grain
and softness of a lens. Truth comes from the construction, never from a detector.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks.scenes import scenes_of_lines as lines
from benchmarks.scenes import scenes_of_places as places
from benchmarks.scenes import scenes_of_repeats as repeats
from benchmarks.scenes import scenes_of_shapes as shapes
from benchmarks.scenes.element_truth import Sketch, Truth, judge
from benchmarks.scenes.objects import distract, paint_subject
from benchmarks.scenes.painting import Canvas, pick_palette
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, Size, clip

FRAMES: tuple[Size, ...] = ((512, 384), (512, 341), (384, 512), (341, 512), (448, 448), (512, 288))
Style = Callable[[Canvas], Sketch]


def _placed(name: str) -> tuple[Style, ...]:
    styles = (places.lone_subject, places.subject_outdoors, places.subject_in_litter)
    return tuple(partial(style, name=name) for style in styles)


STYLES: dict[str | None, tuple[Style, ...]] = {
    "rule of thirds": _placed("rule of thirds"),
    "center": _placed("center"),
    "golden ratio": _placed("golden ratio"),
    "horizontal": (lines.sea, lines.table, lines.field_edge, lines.long_wall),
    "vertical": (lines.trunks, lines.columns, lines.tower, lines.poles),
    "diagonal": (lines.road, lines.ridge, lines.staircase, lines.beams),
    "curved": (shapes.river, shapes.path, shapes.beach, shapes.bough),
    "triangle": (shapes.mountain, shapes.pyramid, shapes.trio, shapes.gable, shapes.trestle),
    "symmetric": (repeats.facade, repeats.reflection, repeats.corridor, repeats.wings),
    "pattern": (repeats.windows, repeats.tiles, repeats.rows_of_things, repeats.fence),
    None: (places.litter, places.nothing, places.jumble, partial(places.lone_subject, name=None)),
}
"""The styles of each element; None: scenes without any."""


@dataclass(frozen=True, slots=True)
class ElementScene:
    """A picture and what is true of it.

    `truths`: geometry of each element that is there; `ambiguous`: elements that may be named or not; all others are
    absent. `style` is the style's name, `subject` the box of the one object painted as subject.
    """

    image: Image.Image
    style: str
    truths: dict[str, Truth]
    ambiguous: frozenset[str]
    subject: Box | None

    @property
    def elements(self) -> frozenset[str]:
        return frozenset(self.truths)


def element_scene(name: str | None, seed: int, wh: Size | None = None) -> ElementScene:
    """The scene `seed` of an element (None: of none), of size `wh` or of one of `FRAMES`; `DataError` for no element.

    Successive seeds take the element's styles in turn, so that any run of seeds has all of them in equal shares.
    """
    if name not in STYLES:
        raise DataError(f"no compositional element is called {name!r}; expected one of {', '.join(ELEMENTS)}")
    return paint_scene(name, seed, wh)


def paint_scene(name: str | None, seed: int, wh: Size | None = None, with_subject: bool = True) -> ElementScene:
    """As `element_scene`; without its subject, the same pixels but for those that the subject covers."""
    rng = np.random.default_rng([zlib.crc32((name or "none").encode()), seed])
    frame = FRAMES[rng.integers(len(FRAMES))]
    width, height = wh or frame
    styles = STYLES[name]
    style = styles[seed % len(styles)]
    canvas = Canvas(np.empty((height, width, 3), np.float32), rng, pick_palette(rng))
    sketch = style(canvas)
    distract(canvas, amount=rng.uniform(0.6, 1.6))
    finish = np.random.default_rng(rng.integers(2**31))
    if sketch.subject and with_subject:
        paint_subject(canvas, sketch.subject)
    pixels = _through_a_lens(canvas, finish)
    truths, ambiguous = judge(sketch, (width, height), pixels)
    subject = None
    if sketch.subject:
        x1, y1, x2, y2 = sketch.subject.box
        subject = clip(x1 / width, y1 / height, x2 / width, y2 / height)
    label = style.func if isinstance(style, partial) else style
    return ElementScene(Image.fromarray(pixels), getattr(label, "__name__", ""), truths, ambiguous, subject)


def _through_a_lens(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """The picture a little soft, with grain of luminance, as 8-bit RGB."""
    soft = rng.uniform(0.0, 0.6)
    pixels = gaussian_filter(canvas.pixels, (soft, soft, 0), truncate=3.0) if soft > 0.25 else canvas.pixels
    grain = rng.standard_normal(pixels.shape[:2], dtype=np.float32)[..., None] * np.float32(rng.uniform(1, 4))
    return np.clip(pixels + grain + 0.5, 0, 255).astype(np.uint8)
