"""Canonical records: what every builder writes and every other room reads, as JSON lines.

A record is one upright photograph with its ranked or single crops. Boxes are [0,1] xyxy; the image is named by a path
relative to the record file's folder and by its sha256. This module owns reading, writing and validating records; it
must not decode images.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from crop_reasoning.errors import DataError
from crop_reasoning.files import path_from, written_whole
from crop_reasoning.geometry import Box, Size
from crop_reasoning.json_fields import (
    as_box,
    as_element,
    as_list,
    as_number,
    as_object,
    as_sides,
    as_text,
    as_words,
    naming,
)

RECORDS, PAIRS = "records.jsonl", "pairs.jsonl"
SPLITS = ("train", "val", "test")
BUCKETS = ("hard", "medium", "easy")
"""How far apart two crops of a pair are, the nearest first (see `data_builders.pairs`)."""
LABELS_ONLY = "composition"
"""The task of records that hold labels of a photo and no crop."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A photograph on disk: path relative to the record file, sha256 of the bytes, size of the upright pixels.

    `wh` is the size of the stored file; boxes are fractions, so a resized copy needs no other change.
    """

    path: str
    sha256: str
    wh: Size


@dataclass(frozen=True, slots=True)
class ScoredCrop:
    """A crop and how good its source says it is (higher is better; the scale is the data set's own)."""

    box: Box
    score: float
    source: str


@dataclass(frozen=True, slots=True)
class CropRecord:
    """One photograph of a data set with its crops, best first.

    `task` is `free` for plain cropping; `LABELS_ONLY` allows that there is no crop. `subject` and `aspect` (width,
    height) hold what the task gives, else None. `scene` holds measured or known composition facts (see
    `composition.elements`), empty if nothing is known.
    """

    id: str
    dataset: str
    split: str
    image: ImageRef
    crops: tuple[ScoredCrop, ...]
    task: str = "free"
    subject: Box | None = None
    aspect: tuple[int, int] | None = None
    licence: str = "unknown"
    provenance: str = ""
    scene: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Box:
        """The crop of the highest score; the first one on ties. `DataError` for a record without crops."""
        if not self.crops:
            raise DataError(f"record {self.id}: has no crop, expected at least one; rebuild the data set")
        return max(self.crops, key=lambda crop: crop.score).box


@dataclass(frozen=True, slots=True)
class Pair:
    """Two crops of one record's photograph of which people (or a known rule) prefer `chosen`.

    `margin` is in (0,1]: the vote margin over all votes, or the scaled difference of scores. `votes` are the people who
    preferred each crop, in the order in which the source lists the two, None where nobody voted; `bucket` is one of
    `BUCKETS`, or empty.
    """

    record_id: str
    chosen: Box
    rejected: Box
    margin: float
    votes: tuple[int, int] | None = None
    bucket: str = ""


def record_from_json(value: dict[str, Any]) -> CropRecord:
    """The record that a line of `records.jsonl` holds; `DataError` says which field is wrong."""
    with naming(f"record {value.get('id', '?')}"):
        as_object(value, "record", CropRecord.__dataclass_fields__)
        return CropRecord(
            id=as_text(value["id"], "id"),
            dataset=as_text(value["dataset"], "dataset"),
            split=_split(value["split"]),
            image=_image(value["image"]),
            crops=tuple(_crop(crop) for crop in as_list(value["crops"], "crops")),
            task=as_text(value.get("task", "free"), "task"),
            subject=None if value.get("subject") is None else as_box(value["subject"]),
            aspect=None if value.get("aspect") is None else as_sides(value["aspect"], "aspect"),
            licence=as_words(value.get("licence", "unknown"), "licence"),
            provenance=as_words(value.get("provenance", ""), "provenance"),
            scene=_scene(value.get("scene", {})),
        )


def pair_from_json(value: dict[str, Any]) -> Pair:
    """The pair that a line of `pairs.jsonl` holds; `DataError` says which field is wrong."""
    with naming(f"pair of record {value.get('record_id', '?')}"):
        as_object(value, "pair", Pair.__dataclass_fields__)
        margin = as_number(value["margin"], "margin")
        pair = Pair(
            as_text(value["record_id"], "record_id"),
            as_box(value["chosen"]),
            as_box(value["rejected"]),
            margin,
            votes=None if value.get("votes") is None else _votes(value["votes"]),
            bucket=as_words(value.get("bucket", ""), "bucket"),
        )
        if not 0 < margin <= 1:
            raise DataError(f"margin {margin:g}, expected above 0 and at most 1")
        if pair.chosen == pair.rejected:
            raise DataError("chosen and rejected are the same box; nothing can be learnt from it, leave it out")
        if pair.bucket not in ("", *BUCKETS):
            raise DataError(f"bucket {pair.bucket!r}, expected one of {', '.join(BUCKETS)}")
        return pair


def _votes(values: Any) -> tuple[int, int]:
    match values:
        case [int(first), int(second)] if type(first) is type(second) is int and first >= 0 <= second != first:
            return (first, second)
    raise DataError(f"votes {values!r}, expected two whole numbers from 0 that are not equal")


def _image(value: Any) -> ImageRef:
    as_object(value, "image", ImageRef.__dataclass_fields__)
    return ImageRef(as_text(value["path"], "path"), as_text(value["sha256"], "sha256"), as_sides(value["wh"], "wh"))


def _crop(value: Any) -> ScoredCrop:
    as_object(value, "crop", ScoredCrop.__dataclass_fields__)
    return ScoredCrop(as_box(value["box"]), as_number(value["score"], "score"), as_text(value["source"], "source"))


def _scene(value: Any) -> dict[str, Any]:
    scene = dict(as_object(value, "scene"))
    if "elements" in scene:
        scene["elements"] = [
            _element(element, place) for place, element in enumerate(as_list(scene["elements"], "elements"), 1)
        ]
    return scene


def _element(value: Any, place: int) -> dict[str, Any]:
    with naming(f"element {place} of the scene"):
        return as_element(value)


def _split(value: Any) -> str:
    if value not in SPLITS:
        raise DataError(f"split {value!r}, expected one of {', '.join(SPLITS)}")
    return str(value)


def to_json(item: Any) -> dict[str, Any]:
    """A record, pair or any dataclass of this package as plain JSON values; boxes become lists of four floats."""
    plain: dict[str, Any] = _plain(item)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Box):
        return [round(edge, 6) for edge in value.xyxy]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def relinked(record: CropRecord, folder: Path, out: Path) -> CropRecord:
    """A record of `folder` as `out` must hold it: its photo, which stays where it is, named by the path from there."""
    return replace(record, image=replace(record.image, path=path_from(out, folder / record.image.path)))


def read_jsonl(path: Path | str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; `DataError` names the file and the line of anything else."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; build it first (`crop-reasoning data build --help`)")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError) as problem:
                raise DataError(f"{path}:{number}: not JSON ({problem}); was the file cut short?") from None
            if not isinstance(value, dict):
                raise DataError(f"{path}:{number}: got a {type(value).__name__}, expected an object")
            yield value


def write_jsonl(path: Path | str, items: Iterable[Any]) -> int:
    """Write one JSON object a line, whole or not at all (a temporary file takes the name at the end); the count.

    `DataError` names an item that holds NaN or half a surrogate pair, `EnvironmentProblem` a disk that refuses.
    """
    path = Path(path)
    count = 0
    with written_whole(path) as file:
        for item in items:
            count += 1
            file.write(_line(item, f"{path}: item {count}"))
    return count


def _line(item: Any, where: str) -> bytes:
    try:
        return (json.dumps(_plain(item), ensure_ascii=False, allow_nan=False) + "\n").encode()
    except ValueError as problem:
        raise DataError(f"{where}: cannot be stored as JSON ({problem})") from None


def _items(path: Path, convert: Callable[[dict[str, Any]], Item]) -> Iterator[Item]:
    for number, value in enumerate(read_jsonl(path), 1):
        with naming(f"{path}, item {number}"):
            item = convert(value)
        yield item


def read_records(folder: Path | str, split: str | None = None) -> list[CropRecord]:
    """The records of a built data set (`folder/records.jsonl`), optionally of one split.

    A file that did not change since is not parsed again.
    """
    path = Path(folder) / RECORDS
    if split is not None:
        _split(split)
    found = path.stat() if path.is_file() else None
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if found else ()
    return [record for record in _parsed(path, stamp) if split is None or record.split == split]


@functools.lru_cache(maxsize=2)
def _parsed(path: Path, stamp: tuple[int, ...]) -> tuple[CropRecord, ...]:
    """The records of a file; `stamp` changes when the file does."""
    records = tuple(_items(path, record_from_json))
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise DataError(f"{path}: record id {record.id!r} stands twice; ids must be unique")
        seen.add(record.id)
    return records


def read_pairs(folder: Path | str, split: str | None = None) -> list[Pair]:
    """The pairs of a built data set (`folder/pairs.jsonl`), optionally of the records of one split."""
    path = Path(folder) / PAIRS
    pairs = list(_items(path, pair_from_json))
    splits = {record.id: record.split for record in read_records(folder)}
    strays = [pair.record_id for pair in pairs if pair.record_id not in splits]
    if strays:
        raise DataError(f"{path}: {len(strays)} pairs of no known record, the first of {strays[0]!r}; rebuild the data")
    return [pair for pair in pairs if split is None or splits[pair.record_id] == _split(split)]
