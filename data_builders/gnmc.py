"""GNMC: several aspect ratios of one photo, each with one crop. Boxes are `x1 y1 x2 y2` in fractions of the sides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.records import SPLITS
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.sources import find_root, four, read_json

LICENCE = "unknown; see the authors' page"


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
    return Source(Rules("gnmc", "x1 y1 x2 y2", LICENCE, fraction=True), tuple(listed), sources, {}, tuple(dropped))


def _entries(path: Path) -> list[Any]:
    value = read_json(path)
    if isinstance(value, dict):
        value = [value] if "crop_bboxes" in value else list(value.values())
    if not isinstance(value, list):
        raise DataError(f"{path}: holds a {type(value).__name__}, expected a list with one entry a photo")
    return value


def _records(entry: Any, photos: Path, split: str, where: str) -> list[Listed]:
    try:
        boxes, name = entry["crop_bboxes"], str(entry["filename"])
        ratios = {ratio: _aspect(ratio, where) for ratio in boxes}
    except (KeyError, TypeError, AttributeError) as problem:
        raise DataError(f"{where}: {problem} is missing; expected crop_bboxes and filename") from None
    photo = photos / Path(name).name
    return [
        Listed(
            id=f"gnmc-{photo.stem}-{aspect[0]}x{aspect[1]}",
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
