"""A small copy of FCDB in its official layout, or as a resized copy, made of plain pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from data_builders.fcdb import split_of

WH = (400, 300)
CROP = [40, 30, 200, 150]
BOX = (0.1, 0.1, 0.6, 0.6)
_IDS = [photo_id for photo_id in range(100, 200) if split_of("train", photo_id) == "train"][:7]
_VAL_IDS = [photo_id for photo_id in range(100, 200) if split_of("train", photo_id) == "val"][:1]
TRAIN_IDS, TEST_IDS = [*_IDS, *_VAL_IDS], [300, 301]
"""Seven train photos, the last one of the train list is our `val`, two are test."""


def file_of(photo_id: int) -> str:
    return f"{photo_id}_c.jpg"


def write_fcdb(root: Path, *, resized: Iterable[float] = ()) -> Path:
    """Ten photos of 400x300 px with the crop `CROP` and two ranked pairs each.

    `resized` turns it into a resized copy: its scales are given to the photos in turn.
    """
    scales = list(resized)
    annotations, photos = (root / "official", root / "images_512") if scales else (root, root / "data")
    annotations.mkdir(parents=True)
    photos.mkdir()
    sizes = []
    for index, photo_id in enumerate([*TRAIN_IDS, *TEST_IDS]):
        scale = scales[index % len(scales)] if scales else 1.0
        wh = (round(WH[0] * scale), round(WH[1] * scale))
        picture(index, wh).save(photos / file_of(photo_id), quality=80)
        sizes.append({"file": file_of(photo_id), "w": WH[0], "h": WH[1]})
    for split, ids in (("training", TRAIN_IDS), ("testing", TEST_IDS)):
        entries = [{"url": url(photo_id), "flickr_photo_id": photo_id, "crop": CROP} for photo_id in ids]
        dump(annotations / f"cropping_{split}_set.json", entries)
    ranked = [{"url": url(photo_id), "crops": ranked_crops()} for photo_id in [*TRAIN_IDS, *TEST_IDS, 999]]
    dump(annotations / "ranking_annotation.json", ranked)
    if scales:
        (root / "manifest.jsonl").write_text("".join(json.dumps(size) + "\n" for size in sizes))
    return root


def picture(index: int, wh: tuple[int, int] = WH) -> Image.Image:
    image = Image.linear_gradient("L").resize(wh)
    return Image.merge("RGB", (image, image.point(lambda value: 255 - value), Image.new("L", wh, 20 * index)))


def ranked_crops() -> list[dict[str, Any]]:
    """A pair of unequal size whose second crop wins 4:1, and one of equal size whose first wins 5:0."""
    return [
        {"crop_0": [0, 0, 200, 150], "crop_1": [80, 60, 320, 240], "vote_for_0": 1, "vote_for_1": 4},
        {"crop_0": [100, 75, 200, 150], "crop_1": [0, 0, 200, 150], "vote_for_0": 5, "vote_for_1": 0},
    ]


def url(photo_id: int) -> str:
    return f"https://photos.example/{photo_id}/{file_of(photo_id)}"


def dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def edit(path: Path, change: Any) -> None:
    """Load a JSON file, let `change` alter the value in place, and write it back."""
    value = json.loads(path.read_text())
    change(value)
    dump(path, value)
