"""Photos that exist for dialogues alone: crops presented as photos, scenes with a second subject.

They are derived from a record's photo, keep its split, and are listed in a record file of their own, so that plain
cropping neither trains nor is measured on them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from crop_reasoning.composition.placement import within
from crop_reasoning.geometry import WHOLE, Box, Size, clip, inside, intersection, place, to_xyxy_px
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.records import CropRecord, ImageRef, ScoredCrop

FOLDER = "images/tasks"
Rng = np.random.Generator
_QUALITY = 92
_LEAST_PX = 48  # of a derived photo's sides: less shows nothing
_LEAST_GROWN = 1.3  # a frame that is less larger than the best crop is nearly it
_TRIES = 60


def cropped(record: CropRecord, folder: Path, frame: Box, truth: Box, name: str, wh: Size) -> CropRecord:
    """A record whose photo is the part `frame` of another's, scaled to `wh`, and whose best crop is `truth` (a box of
    the other's photo inside `frame`); the photo is written."""
    image = load_upright(folder / record.image.path)
    part = image.crop(to_xyxy_px(frame, image.size))
    if part.size != wh:
        part = part.resize(wh, Image.Resampling.LANCZOS)
    subject = record.subject
    best = WHOLE if truth == frame else within_frame(truth, frame)
    return replace(
        record,
        id=f"{record.id}~{name}",
        image=_written(part, folder, record.split),
        crops=(ScoredCrop(best, 1.0, "the best crop of the photo it is a part of"),),
        subject=within_frame(subject, frame) if subject and inside(subject, frame) >= 0.5 else None,
        provenance=f"a part of {record.id}",
        scene=_scene_within(record.scene, frame),
    )


def frame_around(best: Box, rng: Rng) -> Box | None:
    """A part of the photo, clearly larger than its best crop and of the same shape, of which that is the best crop,
    too; None if the photo leaves no room for one."""
    grown = min(float(rng.uniform(1.35, 1.9)), 1 / best.width, 1 / best.height)
    shift = [float(part) for part in rng.uniform(-0.5, 0.5, 2)]
    if grown < _LEAST_GROWN:
        return None
    x, y = best.center
    center = (x + shift[0] * (grown - 1) * best.width, y + shift[1] * (grown - 1) * best.height)
    return place(center, (best.width * grown, best.height * grown))


def with_second_subject(record: CropRecord, folder: Path, name: str, rng: Rng) -> tuple[CropRecord, Box] | None:
    """A drawn scene with one more shape as bold as its subject, and that shape's box; None if it holds no free place.

    Which of the two is meant, only the prompt can tell.
    """
    from data_builders.scenes import SHAPES, contrast, draw_shape

    image = load_upright(folder / record.image.path)
    width, height = image.size
    assert record.subject is not None
    for _ in range(_TRIES):
        radius = float(rng.uniform(0.075, 0.15))
        rx, ry = radius * min(width, height) / width, radius * min(width, height) / height
        x, y = (float(rng.uniform(side, 1 - side)) for side in (rx, ry))
        second = Box(x - rx, y - ry, x + rx, y + ry)
        around = clip(x - 1.4 * rx, y - 1.4 * ry, x + 1.4 * rx, y + 1.4 * ry)
        if intersection(around, record.subject) == 0:
            break
    else:
        return None
    patch = np.asarray(image.crop(to_xyxy_px(around, image.size)), np.float32).reshape(-1, 3)
    palette = [tuple(int(value) for value in patch[index]) for index in rng.integers(len(patch), size=3)]
    shape = SHAPES[rng.integers(len(SHAPES))]
    larger = image.resize((2 * width, 2 * height), Image.Resampling.BICUBIC)  # drawn twice as large: anti-aliased
    draw_shape(ImageDraw.Draw(larger), shape, (x, y), radius, larger.size, contrast(palette, rng, 130))  # type: ignore[arg-type]
    photo = larger.resize((width, height), Image.Resampling.BOX)
    made = replace(
        record,
        id=f"{record.id}~{name}",
        image=_written(photo, folder, record.split),
        provenance=f"{record.id} with a second shape",
    )
    return made, second


def remove_others(folder: Path, records: Iterable[CropRecord]) -> None:
    """Remove the photos that were made here before and that no record names any more."""
    kept = {folder / record.image.path for record in records}
    for path in (folder / FOLDER).rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def large_enough(frame: Box, wh: Size) -> bool:
    """Whether a part of a photo of `wh` px shows enough to be presented as a photo."""
    x1, y1, x2, y2 = to_xyxy_px(frame, wh)
    return min(x2 - x1, y2 - y1) >= _LEAST_PX


def within_frame(box: Box, frame: Box) -> Box:
    """The part of a box that lies in `frame`, in [0,1] of it."""
    return clip(*within((box.x1, box.y1), frame), *within((box.x2, box.y2), frame))


def _written(photo: Image.Image, folder: Path, split: str) -> ImageRef:
    """The photo as a JPEG in `folder`, named by what it holds, so that no two photos can meet under one name."""
    place_for = folder / FOLDER / split
    place_for.mkdir(parents=True, exist_ok=True)
    partial = place_for / "photo.partial"
    photo.save(partial, "JPEG", quality=_QUALITY)
    digest = sha256_of(partial)
    path = f"{FOLDER}/{split}/{digest[:20]}.jpg"
    os.replace(partial, folder / path)
    return ImageRef(path, digest, photo.size)


def _scene_within(scene: dict[str, Any], frame: Box) -> dict[str, Any]:
    """A scene's facts as they are in a part of it: geometry moved and cut, elements that are left out dropped."""
    if "elements" not in scene:
        return scene
    elements = [_element_within(element, frame) for element in scene["elements"]]
    return {**scene, "elements": [element for element in elements if element]}


def _element_within(element: dict[str, Any], frame: Box) -> dict[str, Any] | None:
    if "line" in element:
        line = _line_within(element["line"], frame)
        return {**element, "line": line} if line else None
    if "point" in element:
        x, y = within(tuple(element["point"]), frame)
        return {**element, "point": [x, y]} if 0 <= x <= 1 and 0 <= y <= 1 else None
    if "box" in element:
        box = Box(*element["box"])
        return {**element, "box": list(within_frame(box, frame).xyxy)} if intersection(box, frame) > 0 else None
    return element


def _line_within(line: list[float], frame: Box) -> list[float] | None:
    """The part of a line (x1, y1, x2, y2) inside a frame, in [0,1] of it; None if there is none (Liang and Barsky)."""
    x1, y1 = within((line[0], line[1]), frame)
    x2, y2 = within((line[2], line[3]), frame)
    first, last = 0.0, 1.0
    for start, change in ((x1, x2 - x1), (y1, y2 - y1)):
        if change == 0:
            if not 0 <= start <= 1:
                return None
            continue
        ends = sorted((-start / change, (1 - start) / change))
        first, last = max(first, ends[0]), min(last, ends[1])
    if last - first <= 1e-6:
        return None
    points = [(x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in (first, last)]
    return [min(max(value, 0.0), 1.0) for point in points for value in point]
