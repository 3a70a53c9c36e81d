"""What is computed once per photo: the working frame, its color channels, their gradients.

Everything here is in pixels of the working frame (long side at most `WORK` px, never enlarged); x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, Size, edges_px

WORK = 512
"""The longest side that is looked at, in pixels."""
LEAST_SIDE = 16
"""A working frame with a shorter side holds no composition: its analysis is empty."""

Floats: TypeAlias = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of the working frame, in its pixels: the whole of it, or a crop."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def diagonal(self) -> float:
        return float(np.hypot(self.width, self.height))

    @property
    def area(self) -> float:
        return self.width * self.height

    def shares(self, x: float, y: float) -> Point:
        """A point in [0,1] of the rectangle; points outside are moved to its border."""
        return (
            float(np.clip((x - self.x1) / self.width, 0, 1)),
            float(np.clip((y - self.y1) / self.height, 0, 1)),
        )

    def window(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of an array of `shape` (height, width) over the rectangle of a frame `self` is part of."""
        top, left = min(round(self.y1), shape[0] - 1), min(round(self.x1), shape[1] - 1)
        return slice(top, max(round(self.y2), top + 1)), slice(left, max(round(self.x2), left + 1))

    def scaled(self, factor: float) -> Frame:
        return Frame(self.x1 * factor, self.y1 * factor, self.x2 * factor, self.y2 * factor)


def frame_of(crop: Box, wh: Size) -> Frame:
    """A [0,1] box as a rectangle of the working frame of size `wh`."""
    return Frame(*edges_px(crop, wh))


@dataclass(frozen=True, slots=True)
class Primitives:
    """The working frame of one photo: RGB bytes (h, w, 3), Lab channels (3, h, w), their gradients (3, h, w) each,
    and `noise`, the gradient that is everywhere (levels per px)."""

    rgb: NDArray[np.uint8]
    channels: Floats
    dx: Floats
    dy: Floats
    energy: Floats
    noise: float

    @property
    def wh(self) -> Size:
        return (self.rgb.shape[1], self.rgb.shape[0])

    @property
    def diagonal(self) -> float:
        return float(np.hypot(*self.wh))


def working_frame(image: Image.Image | NDArray[Any]) -> tuple[NDArray[np.uint8], Size]:
    """RGB bytes (h, w, 3) of at most `WORK` px and the size of the image given; any mode or array of pixels.

    Arrays are (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), of bytes or of floats in [0,1]. Transparency lies on white.
    """
    from crop_reasoning.images import to_rgb

    if not isinstance(image, Image.Image):
        image = _from_array(np.asarray(image))
    wh = image.size
    scale = min(1.0, WORK / max(wh))
    small = (max(1, round(wh[0] * scale)), max(1, round(wh[1] * scale)))
    if image.mode not in ("RGB", "L", "CMYK"):  # the others must not be averaged before they are read
        image = to_rgb(image)
    if small != wh:
        image = image.resize(small, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
    return np.asarray(image.convert("RGB")), wh


def _from_array(pixels: NDArray[Any]) -> Image.Image:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)) or 0 in pixels.shape:
        raise DataError(f"an image array of shape {pixels.shape}: expected (height, width) or (height, width, 3 or 4)")
    if pixels.dtype != np.uint8 and pixels.dtype.kind not in "fb":  # of integers nobody knows which one is white
        raise DataError(f"an image array of {pixels.dtype}: expected bytes, or floats in [0,1]")
    if pixels.dtype != np.uint8:
        pixels = np.clip(np.nan_to_num(pixels.astype(np.float32)) * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def primitives(rgb: NDArray[np.uint8]) -> Primitives:
    """Lab channels (0–255 levels each) of a working frame and their gradients after a slight blur."""
    import cv2

    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    soft = cv2.GaussianBlur(lab, (0, 0), 1.2)
    dx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    dy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    energy = np.sqrt((dx * dx + dy * dy).sum(axis=2))
    return Primitives(
        rgb,
        np.ascontiguousarray(lab.transpose(2, 0, 1)),
        np.ascontiguousarray(dx.transpose(2, 0, 1)),
        np.ascontiguousarray(dy.transpose(2, 0, 1)),
        energy,
        float(np.median(energy)),
    )
