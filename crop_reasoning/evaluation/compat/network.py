"""How DETR-like evaluators carry boxes: center and size as float32 fractions of the image, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]


def center_form(boxes: Sequence[Sequence[float]] | Array, wh: tuple[float, float]) -> Array:
    """Corners in pixels (n, 4) to `cx cy w h` as fractions of `wh`."""
    b = np.asarray(boxes, np.float32).reshape(-1, 4)
    form = np.stack([(b[:, 0] + b[:, 2]) / 2, (b[:, 1] + b[:, 3]) / 2, b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]], axis=1)
    return (form / np.array([wh[0], wh[1], wh[0], wh[1]], np.float32)).astype(np.float32)


def corner_form(form: Array) -> Array:
    """`cx cy w h` (n, 4) to corners, both as fractions."""
    half_w, half_h = np.float32(0.5) * form[:, 2], np.float32(0.5) * form[:, 3]
    return np.stack([form[:, 0] - half_w, form[:, 1] - half_h, form[:, 0] + half_w, form[:, 1] + half_h], axis=1)


def through_network(boxes: Sequence[Sequence[float]] | Array, wh: tuple[float, float]) -> Array:
    """Corners in pixels as they come back in pixels: moved by float32's rounding."""
    w, h = wh
    return corner_form(center_form(boxes, wh)) * np.array([w, h, w, h], np.float32)
