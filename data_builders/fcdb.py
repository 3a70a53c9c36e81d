"""FCDB (Flickr Cropping Dataset, Chen et al., WACV 2017): one expert crop a photo, and ranked pairs from five votes.

Crops are `x y w h` in pixels of the original photo. This module owns what becomes of each listed photo: a record, or a
line in `dropped`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import Box, Size, from_xyxy_px
from crop_reasoning.images import sha256_of
from crop_reasoning.records import CropRecord, ImageRef, Pair, ScoredCrop, write_jsonl
from data_builders.fcdb_layout import (
    CROPPING,
    OFFICIAL_COUNTS,
    RANKING,
    Layout,
    Photo,
    RankedPair,
    Xywh,
    find_layout,
    read_photos,
)
from data_builders.orders import SLACK_PX, refuse_wrong_order
from data_builders.photos import PhotoFile, copy_photo, inspect_photos

SIZE_SLACK_PX = 2.0
"""How far a resized copy may be off the original's aspect: both sides were rounded to whole pixels."""
ONE_IN_VAL = 10
LICENCE = "Flickr photo, research use only; annotation MIT"

Dropped = list[dict[str, str]]
Clipped = list[dict[str, Any]]


def build(root: Path | None, out: Path, *, copy: bool = False, workers: int = 1) -> dict[str, Any]:
    """Write `records.jsonl` and `pairs.jsonl` into `out` from the copy of FCDB at `root`; what the manifest must say.

    Official test photos are `test`; of the official train photos one in ten, drawn by a hash of the photo's id, is
    `val`. Photos stay where they are unless `copy`. Nothing is written before every file has been read.
    """
    if root is None:
        raise RecipeError("fcdb is built from your own copy: say where it lies with --root DIR")
    out = Path(out)
    layout = find_layout(Path(root))
    photos, without_split = read_photos(layout)
    files = inspect_photos([layout.photos / photo.file for photo in photos], workers)
    dropped: Dropped = []
    usable = list(_usable(photos, files, layout, dropped))
    _refuse_wrong_orders(usable, layout)
    clipped: Clipped = []
    records: list[CropRecord] = []
    pairs: list[Pair] = []
    for photo, file, original_wh in usable:
        try:
            _refuse_wrong_size(photo, original_wh)
            box = _box(photo.crop, original_wh, photo.file, clipped)
        except DataError as problem:
            dropped.append({"item": photo.file, "reason": str(problem)})
            continue
        path = f"images/{photo.file}" if copy else os.path.relpath(file.path.resolve(), out.resolve())
        if copy:
            copy_photo(file, out / path)
        record = _record(photo, ImageRef(Path(path).as_posix(), file.sha256, file.wh), box)
        records.append(record)
        pairs.extend(_pairs(record, photo, original_wh, dropped, clipped))
    if not records:
        raise DataError(
            f"{layout.photos}: not one of {len(photos)} listed photos can be used; "
            f"the first, {dropped[0]['item']}: {dropped[0]['reason']}"
        )
    write_jsonl(out / "records.jsonl", records)
    write_jsonl(out / "pairs.jsonl", pairs)
    return {
        "layout": layout.kind,
        "sources": {name: sha256_of(layout.annotations / name) for name in (*CROPPING.values(), RANKING)},
        "official": OFFICIAL_COUNTS,
        "listed": {split: sum(photo.split == split for photo in photos) for split in CROPPING},
        "ranked_photos_without_split": without_split,
        "dropped": dropped,
        "clipped": clipped,
    }


def split_of(official: str, photo_id: int) -> str:
    """Our split: `test` stays, one train photo in ten becomes `val`, by a hash that no other photo can change.

    >>> [split_of("train", photo_id) for photo_id in (4910188666, 18436750958)], split_of("test", 4910188666)
    (['train', 'train'], 'test')
    """
    draw = int(hashlib.sha256(str(photo_id).encode()).hexdigest(), 16)
    return "val" if official == "train" and draw % ONE_IN_VAL == 0 else official


def _usable(
    photos: Sequence[Photo], files: Sequence[PhotoFile], layout: Layout, dropped: Dropped
) -> Iterator[tuple[Photo, PhotoFile, Size]]:
    """The photos that can be read, each with the size its boxes refer to; the others go to `dropped`."""
    for photo, file in zip(photos, files, strict=True):
        reason, original_wh = file.reason, file.wh
        if photo.file in layout.placeholders:
            reason = "Flickr's placeholder for a removed photo (placeholders.json)"
        elif not reason and layout.original_wh is not None:
            if photo.file not in layout.original_wh:
                reason = "not in manifest.jsonl: the size of the original is unknown"
            else:
                original_wh = layout.original_wh[photo.file]
                if not _same_aspect(file.wh, original_wh):
                    reason = f"wrong size: {_px(file.wh)} is no resized copy of the original's {_px(original_wh)}"
        if reason:
            dropped.append({"item": photo.file, "reason": reason})
        else:
            yield photo, file, original_wh


def _same_aspect(wh: Size, original_wh: Size) -> bool:
    across = abs(wh[0] * original_wh[1] - wh[1] * original_wh[0])
    return across <= SIZE_SLACK_PX * max(original_wh)


def _refuse_wrong_orders(usable: Sequence[tuple[Photo, PhotoFile, Size]], layout: Layout) -> None:
    crops = [(photo.crop, wh) for photo, _, wh in usable]
    ranked = [(crop, wh) for photo, _, wh in usable for pair in photo.ranked for crop in pair.crops]
    for samples, name in ((crops, " and ".join(CROPPING.values())), (ranked, RANKING)):
        fits = [_overflow(crop, wh) <= SLACK_PX for crop, wh in samples]
        refuse_wrong_order(samples, fits, "x y w h", f"{layout.annotations}: {name}")


def _overflow(crop: Xywh, wh: Size) -> float:
    """By how many pixels an `x y w h` crop stands out of a photo of size `wh`; 0 if it lies inside."""
    x, y, width, height = crop
    return max(0.0, -x, -y, x + width - wh[0], y + height - wh[1])


def _refuse_wrong_size(photo: Photo, wh: Size) -> None:
    crops = [photo.crop, *(crop for pair in photo.ranked for crop in pair.crops)]
    worst = max(crops, key=lambda crop: _overflow(crop, wh))
    if (over := _overflow(worst, wh)) > SLACK_PX:
        raise DataError(
            f"wrong size: crop {_list(worst)} (x y w h) stands {over:g} px out of {_px(wh)}; not the original photo?"
        )


def _box(crop: Xywh, wh: Size, item: str, clipped: Clipped) -> Box:
    """The crop as a box; an overflow, known to be small, is clipped and listed. `DataError` if nothing is left."""
    over = _overflow(crop, wh)
    x, y, width, height = crop
    if min(width, height) <= 0:
        raise DataError(f"empty crop: {_list(crop)} (x y w h)")
    if over:
        clipped.append({"item": item, "overflow_px": int(over) if over == int(over) else over})
    return from_xyxy_px((max(x, 0), max(y, 0), min(x + width, wh[0]), min(y + height, wh[1])), wh)


def _record(photo: Photo, image: ImageRef, box: Box) -> CropRecord:
    return CropRecord(
        id=f"fcdb-{photo.photo_id}",
        dataset="fcdb",
        split=split_of(photo.split, photo.photo_id),
        image=image,
        crops=(ScoredCrop(box, 1.0, "expert"),),
        licence=LICENCE,
        provenance=photo.url,
    )


def _pairs(record: CropRecord, photo: Photo, wh: Size, dropped: Dropped, clipped: Clipped) -> Iterator[Pair]:
    for number, pair in enumerate(photo.ranked):
        item = f"{photo.file} pair {number}"
        try:
            first, second = (_box(crop, wh, item, clipped) for crop in pair.crops)
            yield _pair(record.id, pair, first, second)
        except DataError as problem:
            dropped.append({"item": item, "reason": str(problem)})


def _pair(record_id: str, pair: RankedPair, first: Box, second: Box) -> Pair:
    votes = pair.votes
    if min(votes) < 0 or votes[0] == votes[1] or first == second:
        raise DataError(f"no winner: votes {votes[0]}-{votes[1]}, crops {_list(pair.crops[0])}, {_list(pair.crops[1])}")
    chosen, rejected = (first, second) if votes[0] > votes[1] else (second, first)
    return Pair(record_id, chosen, rejected, abs(votes[0] - votes[1]) / sum(votes))


def _px(wh: Size) -> str:
    return f"{wh[0]}x{wh[1]} px"


def _list(crop: Xywh) -> str:
    return "[" + ", ".join(f"{value:g}" for value in crop) + "]"
