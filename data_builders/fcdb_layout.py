"""Where FCDB's files lie and what its annotation files say, before any photo is opened.

Two layouts: the official one (the three JSON files at the root, photos in `data/`) and a resized copy (`official/` with
the same JSON files, photos in `images_512/`, the sizes of the originals in `manifest.jsonl`). Boxes stay here as they
are written, `x y w h` in pixels of the originals; this module must not convert them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from crop_reasoning.json_fields import as_list, as_sides, as_text
from crop_reasoning.records import read_jsonl
from data_builders.importing import Four, Ranked
from data_builders.sources import four, read_json, whole

CROPPING = {"train": "cropping_training_set.json", "test": "cropping_testing_set.json"}
RANKING = "ranking_annotation.json"
OFFICIAL_COUNTS = {"train": 1369, "test": 345}
"""Photos that the released cropping files list."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one copy; `original_wh` is None where the photos are the originals themselves.

    `sizes` are the files that tell the originals' sizes. `placeholders` names the photos of which the copy's owner says
    that they were placeholders and were left out.
    """

    kind: str
    annotations: Path
    photos: Path
    original_wh: dict[str, Size] | None = None
    placeholders: frozenset[str] = frozenset()
    sizes: tuple[Path, ...] = ()


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
    placeholders = set()
    for number, entry in enumerate(_load(listed) if listed.is_file() else []):
        with _reading(listed, number, entry, "{file}"):
            placeholders.add(as_text(entry["file"], "file"))
    return Layout(
        "resized", layout.annotations, layout.photos, _original_sizes(needed), frozenset(placeholders), (needed,)
    )


def read_photos(layout: Layout) -> tuple[list[Photo], int]:
    """The listed photos in the files' order, train first; and how many ranked photos stand in neither cropping file.

    `DataError` names the file and the entry that cannot be read, and a photo that is listed twice.
    """
    ranked = read_ranking(layout)
    photos: dict[str, Photo] = {}
    for split, name in CROPPING.items():
        path = layout.annotations / name
        for number, entry in enumerate(_load(path)):
            with _reading(path, number, entry, "{url, flickr_photo_id, crop: [x, y, w, h]}"):
                file = _file_name(entry["url"])
                crop, photo_id = four(entry["crop"], "crop"), whole(entry["flickr_photo_id"], "flickr_photo_id")
            first = f" (first in {photos[file].split})" if file in photos else ""
            _refuse_twin(file in photos, path, number, file + first, "a photo would stand in two splits")
            photos[file] = Photo(file, photo_id, split, entry["url"], crop, ranked.get(file, ()))
    return list(photos.values()), len(ranked.keys() - photos.keys())


def read_ranking(layout: Layout) -> dict[str, tuple[Ranked, ...]]:
    """The ranked pairs of every photo in the ranking file, by the photo's file name, whether or not it has a split."""
    path = layout.annotations / RANKING
    ranked: dict[str, tuple[Ranked, ...]] = {}
    for number, entry in enumerate(_load(path)):
        with _reading(path, number, entry, "{url, crops: [{crop_0, crop_1: [x, y, w, h], vote_for_0, vote_for_1}]}"):
            file = _file_name(entry["url"])
            pairs = tuple(_ranked(pair) for pair in as_list(entry["crops"], "crops"))
        _refuse_twin(file in ranked, path, number, file, "its pairs would hide each other")
        ranked[file] = pairs
    return ranked


def _ranked(pair: Any) -> Ranked:
    crops = (four(pair["crop_0"], "crop_0"), four(pair["crop_1"], "crop_1"))
    return Ranked(crops, (whole(pair["vote_for_0"], "vote_for_0"), whole(pair["vote_for_1"], "vote_for_1")))


def _original_sizes(path: Path) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for number, line in enumerate(read_jsonl(path)):
        with _reading(path, number, line, "{file, w, h}"):
            file, size = as_text(line["file"], "file"), as_sides([line["w"], line["h"]], "w, h")
        _refuse_twin(file in sizes, path, number, file, "its size would not be known")
        sizes[file] = size
    return sizes


def _load(path: Path) -> list[Any]:
    value = read_json(path)
    if not isinstance(value, list):
        raise DataError(f"{path}: holds a {type(value).__name__}, expected a list with one object a photo")
    return value


def _file_name(url: Any) -> str:
    return PurePosixPath(urlsplit(as_text(url, "url")).path).name


def _refuse_twin(is_twin: bool, path: Path, number: int, file: str, otherwise: str) -> None:
    if is_twin:
        raise DataError(f"{path}: entry {number}: {file} is listed twice; remove one, or {otherwise}")


@contextmanager
def _reading(path: Path, number: int, entry: Any, expected: str) -> Iterator[None]:
    """Name the file and the entry (counted from 0), and what was expected there, if anything in it is wrong."""
    try:
        yield
    except (KeyError, TypeError, ValueError, DataError) as problem:
        reason = f"field {problem} is missing" if isinstance(problem, KeyError) else str(problem)
        got = f"got {repr(entry)[:120]}, expected {expected}"
        raise DataError(f"{path}: entry {number}: {reason}; {got}") from None
