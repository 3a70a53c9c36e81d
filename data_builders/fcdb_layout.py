"""Where FCDB's files lie and what its annotation files say, before any photo is opened.

Two layouts: the official one (the three JSON files at the root, photos in `data/`) and a resized copy (`official/` with
the same JSON files, photos in `images_512/`, the sizes of the originals in `manifest.jsonl`). Boxes stay here as they
are written, `x y w h` in pixels of the originals; this module must not convert them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from crop_reasoning.records import read_jsonl
from data_builders.importing import Four, Ranked

CROPPING = {"train": "cropping_training_set.json", "test": "cropping_testing_set.json"}
RANKING = "ranking_annotation.json"
OFFICIAL_COUNTS = {"train": 1369, "test": 345}
"""Photos that the released cropping files list."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one copy; `original_wh` is None where the photos are the originals themselves.

    `placeholders` names the photos of which the copy's owner says that they were placeholders and were left out.
    """

    kind: str
    annotations: Path
    photos: Path
    original_wh: dict[str, Size] | None = None
    placeholders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Photo:
    """One listed photo: its file name, official split, expert crop (`x y w h`, pixels of the original) and pairs."""

    file: str
    photo_id: int
    split: str
    url: str
    crop: Four
    ranked: tuple[Ranked, ...]


def find_layout(root: Path) -> Layout:
    """The layout of the copy at `root`; `DataError` names the first file or folder that is missing."""
    if (root / "official").is_dir():
        layout = Layout("resized", root / "official", root / "images_512")
        needed = root / "manifest.jsonl"
        if not needed.is_file():
            raise DataError(f"{needed}: missing; expected the originals' sizes, one {{file, w, h}} a line")
    else:
        layout = Layout("official", root, root / "data")
    for name in (*CROPPING.values(), RANKING):
        if not (layout.annotations / name).is_file():
            raise DataError(
                f"{layout.annotations / name}: missing; FCDB's three JSON files are expected in {layout.annotations} "
                f"and its photos in {layout.photos}"
            )
    if not layout.photos.is_dir():
        raise DataError(f"{layout.photos}: no such folder; expected FCDB's photos (*.jpg) there")
    if layout.kind == "official":
        return layout
    listed = root / "placeholders.json"
    placeholders = frozenset(entry["file"] for entry in _load(listed)) if listed.is_file() else frozenset()
    return Layout("resized", layout.annotations, layout.photos, _original_sizes(needed), placeholders)


def read_photos(layout: Layout) -> tuple[list[Photo], int]:
    """The listed photos in the files' order, train first; and how many ranked photos stand in neither cropping file.

    `DataError` names the file and the entry that cannot be read, and a photo that is listed twice.
    """
    ranked: dict[str, tuple[Ranked, ...]] = {}
    path = layout.annotations / RANKING
    for number, entry in enumerate(_load(path)):
        try:
            ranked[_file_name(entry["url"])] = tuple(
                Ranked(
                    (_four(pair["crop_0"]), _four(pair["crop_1"])), (int(pair["vote_for_0"]), int(pair["vote_for_1"]))
                )
                for pair in entry["crops"]
            )
        except (KeyError, TypeError, ValueError) as problem:
            expected = "{url, crops: [{crop_0, crop_1: [x, y, w, h], vote_for_0, vote_for_1}]}"
            raise DataError(_entry_sentence(path, number, entry, problem, expected)) from None
    photos: dict[str, Photo] = {}
    for split, name in CROPPING.items():
        path = layout.annotations / name
        for number, entry in enumerate(_load(path)):
            try:
                file = _file_name(entry["url"])
                crop, photo_id = _four(entry["crop"]), int(entry["flickr_photo_id"])
            except (KeyError, TypeError, ValueError) as problem:
                expected = "{url, flickr_photo_id, crop: [x, y, w, h]}"
                raise DataError(_entry_sentence(path, number, entry, problem, expected)) from None
            if file in photos:
                raise DataError(
                    f"{path}: entry {number}: {file} is listed twice (first in {photos[file].split}); "
                    "remove one, or a photo would stand in two splits"
                )
            photos[file] = Photo(file, photo_id, split, entry["url"], crop, ranked.get(file, ()))
    return list(photos.values()), len(ranked.keys() - photos.keys())


def _original_sizes(path: Path) -> dict[str, Size]:
    sizes = {}
    for number, line in enumerate(read_jsonl(path), 1):
        try:
            sizes[str(line["file"])] = (int(line["w"]), int(line["h"]))
        except (KeyError, TypeError, ValueError) as problem:
            raise DataError(_entry_sentence(path, number, line, problem, "{file, w, h}")) from None
    return sizes


def _load(path: Path) -> list[Any]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as problem:
        raise DataError(f"{path}: not JSON ({problem}); was the download cut short?") from None
    if not isinstance(value, list):
        raise DataError(f"{path}: holds a {type(value).__name__}, expected a list with one object a photo")
    return value


def _file_name(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).name


def _four(values: Any) -> Four:
    x, y, width, height = (float(value) for value in values)
    return (x, y, width, height)


def _entry_sentence(path: Path, number: int, entry: Any, problem: Exception, expected: str) -> str:
    reason = f"field {problem} is missing" if isinstance(problem, KeyError) else str(problem)
    return f"{path}: entry {number}: {reason}; got {repr(entry)[:120]}, expected {expected}"
