"""CPC (Wei et al., CVPR 2018): 24 views of a photo, each scored by several raters. Training only; no official split.

An annotation file is a JSON string that holds JSON: `{"scores": [[24 a rater], ...], "bboxes": 24 x [x1, y1, x2, y2]}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.json_fields import as_list, as_object, naming
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
            lost = f"broken annotation: {problem}"
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
        except (ValueError, RecursionError) as problem:
            raise DataError(f"{path.name}: the text in it is not JSON ({problem})") from None
    with naming(path.name):
        value = as_object(value, "the annotation")
        boxes = [four(row, "a view") for row in as_list(value["bboxes"], "bboxes")]
        raters = [numbers(row, len(boxes), "a rater's scores") for row in as_list(value["scores"], "scores")]
        if not (boxes and raters):
            raise DataError(f"{len(boxes)} views and {len(raters)} raters, expected at least one of each")
    views = zip(boxes, zip(*raters, strict=True), strict=True)
    return tuple(Crop(box, fmean(scores), "raters") for box, scores in views)
