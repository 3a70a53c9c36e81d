"""CPC (Wei et al., CVPR 2018): 24 views of a photo, each scored by several raters. Training only; no official split.

An annotation file is a JSON string that holds JSON: `{"scores": [[24 a rater], ...], "bboxes": 24 x [x1, y1, x2, y2]}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from crop_reasoning.errors import DataError
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.sources import find_root, four, numbers, photos_in, read_json

LICENCE = "research use only"
ANNOTATIONS = "CollectedAnnotationsRaw"


def read(root: Path | None) -> Source:
    """Every photo in `images/`; a view's score is the mean over its raters."""
    root = find_root(root, "cpc", ["images", ANNOTATIONS], "CPCDataset")
    photos = photos_in(root / "images")
    names = {photo.name for photo in photos}
    listed = []
    for photo in photos:
        path = root / ANNOTATIONS / f"{photo.name}.txt"
        crops: tuple[Crop, ...] = ()
        lost = ""
        try:
            crops = read_views(path)
        except DataError as problem:
            lost = str(problem)
        listed.append(Listed(f"cpc-{photo.stem}", "train", photo, crops, lost=lost))
    sources = sorted((root / ANNOTATIONS).glob("*.txt"))
    dropped = tuple(
        {"item": path.name, "reason": f"missing: no photo {path.stem} in images/"}
        for path in sources
        if path.stem not in names
    )
    return Source(Rules("cpc", "x1 y1 x2 y2", LICENCE), tuple(listed), sources, {}, dropped)


def read_views(path: Path) -> tuple[Crop, ...]:
    """The views of one annotation file, whether JSON was encoded once or twice; `DataError` for anything else."""
    value: Any = read_json(path)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as problem:
            raise DataError(f"{path.name}: the text in it is not JSON ({problem})") from None
    try:
        boxes = [four(row, f"{path.name}: a view") for row in value["bboxes"]]
        raters = [numbers(row, len(boxes), f"{path.name}: a rater's scores") for row in value["scores"]]
    except (KeyError, TypeError) as problem:
        raise DataError(f"{path.name}: {problem} is missing; expected scores and bboxes") from None
    if not raters:
        raise DataError(f"{path.name}: no rater's scores")
    views = zip(boxes, zip(*raters, strict=True), strict=True)
    return tuple(Crop(box, fmean(scores), "raters") for box, scores in views)
