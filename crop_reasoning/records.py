"""Canonical records: what every builder writes and every other room reads, as JSON lines.

A record is one upright photograph with its ranked or single crops. Boxes are [0,1] xyxy; the image is named by a path
relative to the record file's folder and by its sha256. This module owns reading, writing and validating records; it
must not decode images.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, Size

SPLITS = ("train", "val", "test")


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
    try:
        crops = tuple(ScoredCrop(Box(*crop["box"]), float(crop["score"]), crop["source"]) for crop in value["crops"])
        image = ImageRef(value["image"]["path"], value["image"]["sha256"], tuple(value["image"]["wh"]))
        record = CropRecord(
            id=value["id"],
            dataset=value["dataset"],
            split=value["split"],
            image=image,
            crops=crops,
            task=value.get("task", "free"),
            subject=Box(*value["subject"]) if value.get("subject") else None,
            aspect=tuple(value["aspect"]) if value.get("aspect") else None,
            licence=value.get("licence", "unknown"),
            provenance=value.get("provenance", ""),
            scene=value.get("scene", {}),
        )
    except KeyError as missing:
        raise DataError(f"record {value.get('id', '?')}: field {missing} is missing") from None
    except (TypeError, ValueError) as problem:
        raise DataError(f"record {value.get('id', '?')}: {problem}") from None
    if record.split not in SPLITS:
        raise DataError(f"record {record.id}: split {record.split!r}, expected one of {', '.join(SPLITS)}")
    return record


def pair_from_json(value: dict[str, Any]) -> Pair:
    """The pair that a line of `pairs.jsonl` holds."""
    try:
        return Pair(value["record_id"], Box(*value["chosen"]), Box(*value["rejected"]), float(value["margin"]))
    except KeyError as missing:
        raise DataError(f"pair of record {value.get('record_id', '?')}: field {missing} is missing") from None
    except (TypeError, ValueError) as problem:
        raise DataError(f"pair of record {value.get('record_id', '?')}: {problem}") from None


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
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as problem:
                raise DataError(f"{path}:{number}: not JSON ({problem}); was the file cut short?") from None
            if not isinstance(value, dict):
                raise DataError(f"{path}:{number}: got a {type(value).__name__}, expected an object")
            yield value


def write_jsonl(path: Path | str, items: Iterable[Any]) -> int:
    """Write one JSON object a line, whole or not at all (a temporary file takes the name at the end); the count."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            for item in items:
                file.write(json.dumps(_plain(item), ensure_ascii=False) + "\n")
                count += 1
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def read_records(folder: Path | str, split: str | None = None) -> list[CropRecord]:
    """The records of a built data set (`folder/records.jsonl`), optionally of one split."""
    path = Path(folder) / "records.jsonl"
    records = [record_from_json(value) for value in read_jsonl(path)]
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise DataError(f"{path}: record id {record.id!r} stands twice; ids must be unique")
        seen.add(record.id)
    return [record for record in records if split is None or record.split == split]


def read_pairs(folder: Path | str, split: str | None = None) -> list[Pair]:
    """The pairs of a built data set (`folder/pairs.jsonl`), optionally of the records of one split."""
    pairs = [pair_from_json(value) for value in read_jsonl(Path(folder) / "pairs.jsonl")]
    if split is None:
        return pairs
    members = {record.id for record in read_records(folder, split)}
    return [pair for pair in pairs if pair.record_id in members]

