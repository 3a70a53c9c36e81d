"""SACD (Yang et al., 2023): crops for one subject of a photo, one annotation file a subject.

Crops are `x1 y1 x2 y2`, all of equal rank, the annotators' best one first; `mask_box`, the subject, is a string that
holds `[x, y, w, h]`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import corners
from crop_reasoning.json_fields import as_list, as_object, as_text
from crop_reasoning.records import SPLITS
from data_builders.importing import Crop, Four, Listed, Rules, Source
from data_builders.sources import by_stem, find_root, four, photos_in, read_json

LICENCE = "unknown; see the authors' page"


def read(root: Path | None) -> Source:
    """A record a subject: `<split>.json` lists annotation files, whose name without `_<k>` is the photo's."""
    root = find_root(root, "sacd", [f"{split}.json" for split in SPLITS] + ["images"], "SACD")
    photos = by_stem(photos_in(root / "images"))
    unused = dict(photos)
    listed, dropped, sources = [], [], []
    for split in SPLITS:
        index = root / f"{split}.json"
        sources.append(index)
        entries = read_json(index)
        if not isinstance(entries, dict) or not isinstance(entries.get("jsons"), list):
            raise DataError(f'{index}: expected {{"jsons": ["annotations/<photo>_<k>.json", ...]}}')
        for name in entries["jsons"]:
            path = root / as_text(name, f"{index}: an annotation file")
            if not path.is_file():
                dropped.append({"item": name, "reason": f"missing: listed in {index.name}, no such file"})
                continue
            stem = path.stem.rpartition("_")[0]
            unused.pop(stem, None)
            photo = photos.get(stem, root / "images" / f"{stem}.jpg")
            try:
                crops, subject = _read_annotation(path)
            except DataError as problem:
                dropped.append({"item": name, "reason": f"broken annotation: {problem}"})
                continue
            listed.append(
                Listed(f"sacd-{path.stem}", split, photo, crops, subject=subject, task="subject", provenance=name)
            )
    dropped += [{"item": photo.name, "reason": "no annotation of it"} for photo in unused.values()]
    return Source(Rules("sacd", "x1 y1 x2 y2", LICENCE), tuple(listed), sources, {}, tuple(dropped))


def _read_annotation(path: Path) -> tuple[tuple[Crop, ...], Any]:
    value = as_object(read_json(path), "the annotation")
    try:
        rows = [(row, "best") for row in as_list(value["best_box"], "best_box")]
        rows += [(row, "expert") for row in as_list(value["crop_box"], "crop_box")]
        mask = value["mask_box"]
    except KeyError as missing:
        raise DataError(f"field {missing} is missing; expected best_box, crop_box, mask_box") from None
    crops: dict[Four, Crop] = {}
    for row, source in rows:
        values = four(row, "a crop")
        crops.setdefault(values, Crop(values, 1.0, source))
    subject = corners(four(_list(mask), "mask_box"), "x y w h")
    return tuple(crops.values()), subject


def _list(mask: Any) -> Any:
    """`mask_box` is a list written into a string; here and there copies hold the list itself."""
    try:
        return json.loads(mask) if isinstance(mask, str) else mask
    except (ValueError, RecursionError):
        raise DataError(f"mask_box: got {mask[:80]!r}, expected a text that holds [x, y, w, h]") from None
