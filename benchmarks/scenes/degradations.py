"""What befalls photographs on their way: noise, compression, loss of color, softness, bad exposure.

Pure functions of an RGB image, of the same size and geometry after: turning an image is none, for it changes the truth.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Degradation = Callable[[Image.Image], Image.Image]


def with_noise(image: Image.Image, sigma: float) -> Image.Image:
    """Gaussian noise of deviation `sigma` (of 255) in each channel; the same image gets the same noise."""
    pixels = np.asarray(image, np.float32)
    grain = np.random.default_rng(int(sigma * 1000)).standard_normal(pixels.shape, dtype=np.float32)
    return Image.fromarray(np.clip(pixels + sigma * grain + 0.5, 0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """What a JPEG file of `quality` (1 to 95) leaves."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def as_grey(image: Image.Image) -> Image.Image:
    """Luminance alone, in three equal channels."""
    return image.convert("L").convert("RGB")


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """Gaussian blur of deviation `radius` px."""
    return image.filter(ImageFilter.GaussianBlur(radius))


def exposed(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    """Brightness times a factor, then contrast about the mean times a factor."""
    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(brightness)).enhance(contrast)


DEGRADATIONS: dict[str, Degradation] = {
    "noise 10": partial(with_noise, sigma=10),
    "noise 25": partial(with_noise, sigma=25),
    "JPEG 60": partial(as_jpeg, quality=60),
    "JPEG 30": partial(as_jpeg, quality=30),
    "grey": as_grey,
    "blur 1": partial(blurred, radius=1),
    "blur 2": partial(blurred, radius=2),
    "dark": partial(exposed, brightness=0.6, contrast=1.0),
    "bright": partial(exposed, brightness=1.3, contrast=1.0),
    "flat": partial(exposed, brightness=1.0, contrast=0.6),
}
"""The ten that detectors are examined under, by name."""
