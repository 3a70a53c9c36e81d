"""Whether an edge is the outline of a thing or of a person, told by what stands out in the photo and by its faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crop_reasoning.composition.chains import normals
from crop_reasoning.composition.primitives import Floats
from crop_reasoning.composition.subject import Subjects
from crop_reasoning.geometry import Box, Size

_BESIDE = 0.02  # of the diagonal
_STANDS_OUT, _PARTS, _FILL = 0.35, 0.4, 0.45  # of the map's range, twice; of a thing's box
_CUT = 0.45  # of the frame: a larger region that two borders cut is no thing but ground, as a bay is
_SHOULDERS, _HAIR, _HEIGHT = 1.8, 0.7, 6.0  # half a person's width, and what is above and below the face, in faces


def outline(points: Floats, subjects: Subjects, wh: Size, cut: bool) -> float:
    """The share, in [0,1], of a curve (n, 2; px of a working frame of `wh`) that lies on one compact thing or parts it
    from what is around it, or that lies on a person whose face is seen; `cut`: two borders may cut the thing."""
    saliency = subjects.saliency
    things = _things(saliency, cut)
    beside = _BESIDE * float(np.hypot(*wh)) * normals(points)
    sides = []
    for shifted in (points + beside, points - beside, points):
        at = _pixels(shifted, wh, saliency)
        sides.append((things[at], saliency[at]))
    (here, high), (there, low), (on, _) = sides
    parting = max((on | here & (high - low > _PARTS)).mean(), (on | there & (low - high > _PARTS)).mean())
    people = [_on_person(points / np.array(wh), found.box) for found in subjects.found if found.kind == "face"]
    return float(max([parting, *people]))


def _things(saliency: Floats, cut: bool) -> NDArray[np.bool_]:
    """Where a map (h, w) shows compact things: what touches two borders only if it may be `cut` and is not too large,
    what touches more, or winds through its box, not at all."""
    import cv2

    height, width = saliency.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats((saliency > _STANDS_OUT).astype(np.uint8))
    x, y, w, h, area = stats.T
    borders = (x == 0).astype(int) + (y == 0) + (x + w == width) + (y + h == height)
    compact = (borders <= 1) | (cut & (borders == 2) & (area <= _CUT * height * width))
    compact &= area >= _FILL * w * h
    compact[0] = False  # the ground
    return np.asarray(compact[labels], np.bool_)


def _pixels(points: Floats, wh: Size, saliency: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    height, width = saliency.shape
    columns = np.clip(points[:, 0] * width / wh[0], 0, width - 1).astype(np.intp)
    return np.clip(points[:, 1] * height / wh[1], 0, height - 1).astype(np.intp), columns


def _on_person(points: Floats, face: Box) -> float:
    """The share of points (n, 2), in [0,1] of the photo, on the person below and around a face."""
    aside = abs(points[:, 0] - face.center[0]) < _SHOULDERS * face.width
    down = (points[:, 1] - face.y1) / face.height
    return float((aside & (down > -_HAIR) & (down < 1 + _HEIGHT)).mean())
