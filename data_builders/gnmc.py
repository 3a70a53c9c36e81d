"""GNMC: several aspect ratios of one photo, each with one crop. Boxes are `x1 y1 x2 y2` in fractions of the sides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from crop_reasoning.json_fields import as_object, as_text, naming
from crop_reasoning.records import SPLITS
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.orders import SLACK_PX, in_pixels, pixels, written
from data_builders.sources import find_root, four, photos_in, read_json

LICENCE = "unknown; see the authors' page"
ORDER = "x1 y1 x2 y2"
_ASPECT_SLACK = 0.01  # fractions may be written with two or three digits


def read(root: Path | None) -> Source:
    """A record a photo and ratio, from `json/<split>.json` and `<split>/<n>.jpeg`."""
    root = find_root(root, "gnmc", ["json"], "GNMC")
    listed, sources = [], []
    dropped = []
    for path in sorted((root / "json").glob("*.json")):
        if path.stem not in SPLITS:
            dropped.append({"item": path.name, "reason": f"split {path.stem!r}, expected one of {', '.join(SPLITS)}"})
            continue
        sources.append(path)
        for number, entry in enumerate(_entries(path)):
            listed += _records(entry, root / path.stem, path.stem, f"{path.name}: entry {number}")
        named = {one.photo for one in listed}
        unused = [photo for photo in photos_in(root / path.stem) if photo not in named]
        dropped += [{"item": f"{path.stem}/{photo.name}", "reason": "no annotation of it"} for photo in unused]
    rules = Rules("gnmc", ORDER, LICENCE, fraction=True, misfit=misfit)
    return Source(rules, tuple(listed), sources, {}, tuple(dropped))


def misfit(one: Listed, wh: Size) -> str:
    """Why a photo of size `wh` is not the annotated one: its box is not of its ratio there, beyond rounding."""
    width, height = one.aspect or wh
    for crop in one.crops:
        x1, y1, x2, y2 = in_pixels(crop.values, ORDER, wh)
        w, h = x2 - x1, y2 - y1
        slack = max(SLACK_PX, _ASPECT_SLACK * max(w, h))
        if w > 0 and h > 0 and abs(w * height - h * width) > slack * max(width, height):
            return f"crop {written(crop.values)} is {w:.0f}x{h:.0f} px of {pixels(wh)}, which is not {width}:{height}"
    return ""


def _entries(path: Path) -> list[Any]:
    value = read_json(path)
    if isinstance(value, dict):
        value = [value] if "crop_bboxes" in value else list(value.values())
    if not isinstance(value, list):
        raise DataError(f"{path}: holds a {type(value).__name__}, expected a list with one entry a photo")
    return value


def _records(entry: Any, photos: Path, split: str, where: str) -> list[Listed]:
    with naming(where):
        entry = as_object(entry, "the entry")
        boxes, name = as_object(entry["crop_bboxes"], "crop_bboxes"), as_text(entry["filename"], "filename")
    ratios = {ratio: _aspect(ratio, where) for ratio in boxes}
    photo = photos / Path(name).name
    return [
        Listed(
            id=f"gnmc-{split}-{photo.stem}-{aspect[0]}x{aspect[1]}",
            split=split,
            photo=photo,
            crops=(Crop(four(boxes[ratio], f"{where}, {ratio}"), 1.0, "expert"),),
            aspect=aspect,
            task="aspect",
        )
        for ratio, aspect in ratios.items()
    ]


def _aspect(ratio: str, where: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+):(\d+)", ratio)
    if not found or "0" in found.groups():
        raise DataError(f"{where}: ratio {ratio!r}, expected width:height such as 16:9")
    return (int(found[1]), int(found[2]))
