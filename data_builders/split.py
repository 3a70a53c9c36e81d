"""Train, val and test by photo: a photo's split follows from its own bytes, and look-alikes stand together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from crop_reasoning.errors import RecipeError
from crop_reasoning.records import CropRecord, read_records
from data_builders.decontaminate import recorded_thumbnails
from data_builders.perceptual import JOURNAL, RULE, same_pictures
from data_builders.subset import refuse_out, write_subset


def split_of(key: str, val: float, test: float, seed: int) -> str:
    """The split of a group of photos by its key: an even draw in [0,1) from `key` and `seed`, whatever else there is.

    Below `test` it is test, in the next `val` val, else train.

    >>> [split_of(key, 0.2, 0.2, 0) for key in "efgh"]
    ['train', 'val', 'val', 'test']
    """
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]) / 2**64
    return "test" if draw < test else "val" if draw < test + val else "train"


def look_alikes(photos: Iterable[str], alike: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The key of each photo's group: the smallest sha256 among all photos that pairs in `alike` link it with.

    >>> look_alikes("abcd", [("d", "b"), ("c", "d")])
    {'a': 'a', 'b': 'b', 'c': 'b', 'd': 'b'}
    """
    parent = {photo: photo for photo in photos}

    def root(photo: str) -> str:
        while parent[photo] != photo:
            parent[photo] = photo = parent[parent[photo]]
        return photo

    for first, second in alike:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return {photo: root(photo) for photo in parent}


def assign(
    records: Iterable[CropRecord], groups: dict[str, str], val: float, test: float, seed: int, everything: bool
) -> tuple[list[CropRecord], list[dict[str, str]]]:
    """The records with their new splits, in their order, and those left out with the reason.

    Unless `everything` is split anew, test records stay as they are, and records whose photo looks like one of theirs
    are left out: they can neither join the test photos nor be trained on.
    """
    records = list(records)
    held = {} if everything else {groups[one.image.sha256]: one for one in records if one.split == "test"}
    held_photos = {one.image.sha256 for one in records if one.split == "test"}
    kept, excluded = [], []
    for record in records:
        key = groups[record.image.sha256]
        if key not in held:
            kept.append(replace(record, split=split_of(key, val, test, seed)))
        elif record.split == "test":
            kept.append(record)
        else:
            same = "has the photo of" if record.image.sha256 in held_photos else "looks like"
            excluded.append({"item": record.id, "reason": f"{same} the test record {held[key].id}"})
    return kept, excluded


def split_folder(folder: Path, out: Path, *, val: float, test: float, seed: int, everything: bool) -> dict[str, Any]:
    """Write a copy of `folder` with new splits into `out`; the manifest.

    `RecipeError` for shares that cannot be meant, `DataError` for an `out` that is taken and for unreadable photos.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):  # NaN compares with nothing
        raise RecipeError(f"--val {val:g} and --test {test:g}: expected shares of at least 0 that leave some for train")
    settings = {"made_by": "data split", "val": val, "test": test, "seed": seed, "all": everything, **RULE}
    refuse_out(folder, out, settings)
    records = read_records(folder)
    official = sum(record.split == "test" for record in records)
    if official and test and not everything:
        raise RecipeError(
            f"{folder}: its {official} test records stay as they are, so --test {test:g} has no place; leave --test "
            "out, or give --all to split them anew as well"
        )
    if official and everything and not test:
        raise RecipeError(f"{folder}: --all would train on its {official} test records; say with --test how many stay")
    thumbnails = recorded_thumbnails(folder, records, folder / JOURNAL)
    alike = [pair for pair in same_pictures(thumbnails, thumbnails) if pair[0] < pair[1]]
    kept, excluded = assign(records, look_alikes(thumbnails, alike), val, test, seed, everything)
    note = {"look_alikes": [list(pair) for pair in alike], "excluded": excluded}
    return write_subset(folder, out, kept, settings, note)
