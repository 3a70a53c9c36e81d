"""Canonical records: what every builder writes and every other room reads, as JSON lines.

A record is one upright photograph with its ranked or single crops. Boxes are [0,1] xyxy; the image is named by a path
relative to the record file's folder and by its sha256. This module owns reading, writing and validating records; it
must not decode images.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.geometry import Box, Size

SPLITS = ("train", "val", "test")
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

    `task` is `free` for plain cropping. `subject` and `aspect` (width, height) hold what the task gives, else None.
    `scene` holds measured or known composition facts (see `composition.elements`), empty if nothing is known.
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

    `margin` is in (0,1]: the vote margin over all votes, or the scaled difference of scores.
    """

    record_id: str
    chosen: Box
    rejected: Box
    margin: float


def record_from_json(value: dict[str, Any]) -> CropRecord:
    """The record that a line of `records.jsonl` holds; `DataError` says which field is wrong."""
    with _naming(f"record {value.get('id', '?')}"):
        unknown = sorted(value.keys() - CropRecord.__dataclass_fields__.keys())
        if unknown:
            raise DataError(f"unknown field {unknown[0]!r}, expected {', '.join(CropRecord.__dataclass_fields__)}")
        image = value["image"]
        return CropRecord(
            id=_text(value["id"], "id"),
            dataset=_text(value["dataset"], "dataset"),
            split=_split(value["split"]),
            image=ImageRef(_text(image["path"], "path"), _text(image["sha256"], "sha256"), _sides(image["wh"], "wh")),
            crops=tuple(
                ScoredCrop(_box(crop["box"]), _number(crop["score"], "score"), _text(crop["source"], "source"))
                for crop in value["crops"]
            ),
            task=_text(value.get("task", "free"), "task"),
            subject=None if value.get("subject") is None else _box(value["subject"]),
            aspect=None if value.get("aspect") is None else _sides(value["aspect"], "aspect"),
            licence=value.get("licence", "unknown"),
            provenance=value.get("provenance", ""),
            scene=dict(value.get("scene", {})),
        )


def pair_from_json(value: dict[str, Any]) -> Pair:
    """The pair that a line of `pairs.jsonl` holds; `DataError` says which field is wrong."""
    with _naming(f"pair of record {value.get('record_id', '?')}"):
        margin = _number(value["margin"], "margin")
        pair = Pair(_text(value["record_id"], "record_id"), _box(value["chosen"]), _box(value["rejected"]), margin)
        if not 0 < margin <= 1:
            raise DataError(f"margin {margin:g}, expected above 0 and at most 1")
        if pair.chosen == pair.rejected:
            raise DataError("chosen and rejected are the same box; nothing can be learnt from it, leave it out")
        return pair


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except KeyError as missing:
        raise DataError(f"{where}: field {missing} is missing") from None
    except (TypeError, ValueError, AttributeError, OverflowError, DataError) as problem:
        raise DataError(f"{where}: {problem}") from None


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise DataError(f"{name} is {value!r}, expected text")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(f"{name} is {value!r}, expected a finite number")
    return float(value)


def _box(values: Any) -> Box:
    if not isinstance(values, list) or len(values) != 4:
        raise DataError(f"box {values!r}: expected a list of four numbers, x1 y1 x2 y2 in [0,1]")
    return Box(*(_number(value, f"an edge of box {values!r}") for value in values))


def _sides(values: Any, name: str) -> tuple[int, int]:
    match values:
        case [int(width), int(height)] if width > 0 and height > 0:
            return (width, height)
    raise DataError(f"{name} is {values!r}, expected two positive whole numbers, width first")


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
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            for item in items:
                count += 1
                file.write(_line(item, f"{path}: item {count}"))
        os.replace(partial, path)
    except OSError as problem:
        raise EnvironmentProblem(f"{path}: not written ({problem}); check the disk's space and your rights") from None
    finally:
        if partial.is_file():
            partial.unlink()
    return count


def _line(item: Any, where: str) -> bytes:
    try:
        return (json.dumps(_plain(item), ensure_ascii=False, allow_nan=False) + "\n").encode()
    except ValueError as problem:
        raise DataError(f"{where}: cannot be stored as JSON ({problem})") from None


def _items(path: Path, convert: Callable[[dict[str, Any]], Item]) -> Iterator[Item]:
    for number, value in enumerate(read_jsonl(path), 1):
        with _naming(f"{path}, item {number}"):
            item = convert(value)
        yield item


def read_records(folder: Path | str, split: str | None = None) -> list[CropRecord]:
    """The records of a built data set (`folder/records.jsonl`), optionally of one split."""
    path = Path(folder) / "records.jsonl"
    if split is not None:
        _split(split)
    records = list(_items(path, record_from_json))
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise DataError(f"{path}: record id {record.id!r} stands twice; ids must be unique")
        seen.add(record.id)
    return [record for record in records if split is None or record.split == split]


def read_pairs(folder: Path | str, split: str | None = None) -> list[Pair]:
    """The pairs of a built data set (`folder/pairs.jsonl`), optionally of the records of one split."""
    path = Path(folder) / "pairs.jsonl"
    pairs = list(_items(path, pair_from_json))
    splits = {record.id: record.split for record in read_records(folder)}
    strays = [pair.record_id for pair in pairs if pair.record_id not in splits]
    if strays:
        raise DataError(f"{path}: {len(strays)} pairs of no known record, the first of {strays[0]!r}; rebuild the data")
    return [pair for pair in pairs if split is None or splits[pair.record_id] == _split(split)]
