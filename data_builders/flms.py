"""FLMS (Fang et al., ACM Multimedia 2014): 500 photos with up to ten crops each, all of equal rank. Evaluation only.

The official `.mat` writes `y1 x1 y2 x2` and pads with rows of -1; the JSON variant in circulation writes `x1 y1 x2 y2`.
A resized copy tells the sizes and the crops of the originals in `manifest.jsonl`, which then comes first.
Some boxes stand out of their photo (clipped and listed), two are inverted (dropped and listed).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from crop_reasoning.json_fields import as_list, as_object, as_sides, as_text, naming
from crop_reasoning.records import read_jsonl
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.sources import find_root, four, photos_in, read_json

MAT, JSON, RESIZED = "500_image_dataset.mat", "image_crops.json", "manifest.jsonl"
OFFICIAL = {"test": 500}
PADDING = (-1.0,) * 4
"""A row with nothing drawn; a single -1 is the edge of a box that stands out by a pixel."""
LICENCE = "no licence stated, research use only"


def read(root: Path | None) -> Source:
    """The photos in `image/` with the crops of a resized copy's manifest, else of the .mat, else of the JSON file."""
    root = find_root(root, "flms", ["image"], "FLMS")
    path = next((root / name for name in (RESIZED, MAT, JSON) if (root / name).is_file()), None)
    if path is None:
        raise DataError(f"{root}: neither {MAT} nor {JSON} is there; expected FLMS's crops in one of them")
    order = "y1 x1 y2 x2" if path.name == MAT else "x1 y1 x2 y2"
    crops, sizes = _read_resized(path) if path.name == RESIZED else (_read_crops(path), {})
    listed, dropped = [], []
    for name, rows in crops.items():
        drawn = []
        for number, row in enumerate(as_list(rows, f"{path}: {name}")):
            values = four(row, f"{path}: {name}, row {number}")
            if values == PADDING:
                dropped.append({"item": f"{name} row {number}", "reason": "a failed row (-1): nothing was drawn"})
                continue
            drawn.append(Crop(values, 1.0, "expert"))
        lost = "" if drawn else f"no crop of it in {path.name}"
        photo = root / "image" / name
        listed.append(Listed(f"flms-{photo.stem}", "test", photo, tuple(drawn), wh=sizes.get(name), lost=lost))
    for photo in photos_in(root / "image"):
        if photo.name not in crops:
            dropped.append({"item": photo.name, "reason": f"not in {path.name}"})
    return Source(Rules("flms", order, LICENCE), tuple(listed), [path], OFFICIAL, tuple(dropped), {"layout": path.name})


def _read_resized(path: Path) -> tuple[dict[str, Any], dict[str, Size]]:
    """The crops and the sizes of the originals, by photo; boxes are in pixels of the originals."""
    crops: dict[str, Any] = {}
    sizes: dict[str, Size] = {}
    for number, line in enumerate(read_jsonl(path), 1):
        with naming(f"{path}:{number}"):
            file, rows = as_text(line["file"], "file"), as_list(line["crops_xyxy"], "crops_xyxy")
            size = as_sides([line["w"], line["h"]], "w, h")
            if file in crops:
                raise DataError(f"{file} is listed twice; remove one, or its crops would hide each other")
        crops[file], sizes[file] = rows, size
    return crops, sizes


def _read_crops(path: Path) -> dict[str, Any]:
    return _read_mat(path) if path.name == MAT else as_object(read_json(path), str(path))


def _read_mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        entries = loadmat(path)["img_gt"].ravel()
        named = [(str(entry["filename"].item()), entry["bbox"].tolist()) for entry in entries]
    except Exception as problem:  # scipy raises what it likes on broken files
        raise DataError(f"{path}: cannot be read as FLMS's .mat ({problem}); was the download cut short?") from None
    crops = dict(named)
    if len(crops) < len(named):
        twin = Counter(name for name, _ in named).most_common(1)[0][0]
        raise DataError(f"{path}: {twin} is listed twice; its crops would hide each other, is this the released file?")
    return crops
