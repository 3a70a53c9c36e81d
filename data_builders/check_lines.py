"""One part of a line file, read strictly: the faults of its lines, and the few facts that checks between lines need.

Parts are independent of each other, so that several processes read one file; what goes back is a fraction of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.metrics import ground_truths
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.json_fields import as_object, as_text
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES, rationale_from_json
from crop_reasoning.records import LABELS_ONLY, PAIRS, RECORDS, CropRecord, pair_from_json, record_from_json

PART_BYTES, DEEP_PART_BYTES = 1 << 18, 1 << 14
"""Records whose photos are decoded come in small parts, so that progress is seen and every core has some."""


class Part(NamedTuple):
    """Whole lines of a file, `start <= byte < end`; `deep` decodes the photos that records name."""

    path: Path
    start: int
    end: int
    deep: bool


class RecordFact(NamedTuple):
    """What is kept of a record: `truths` are its best crops, packed; `photo_bytes` is -1 where there is no photo."""

    id: str
    split: str
    photo: str
    digest: bytes
    photo_bytes: int
    truths: bytes


class Mention(NamedTuple):
    """The record that a line speaks of, and the box that its answer decides on: packed, empty if there is none."""

    record_id: str
    decision: bytes = b""


Fact = RecordFact | Mention
Problems = list[tuple[int, str]]


@dataclass(slots=True)
class Reading:
    """What came of a part. Lines are counted from 0 within it.

    `named` are the ids of records, and of records that are answered, in lines that could not be read.
    """

    lines: int = 0
    facts: list[tuple[int, Fact]] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    problems: Problems = field(default_factory=list)


def parts(path: Path, deep: bool) -> Iterator[Part]:
    """A file in parts of whole lines, in order."""
    size = DEEP_PART_BYTES if deep and path.name == RECORDS else PART_BYTES
    start, total = 0, path.stat().st_size
    with path.open("rb") as file:
        while start < total:
            file.seek(min(start + size, total) - 1)
            file.readline()
            yield Part(path, start, file.tell(), deep)
            start = file.tell()


def read_part(part: Part) -> Reading:
    """Parse the lines of a part as the file's own reader does; every fault becomes a sentence, none is raised."""
    read, name_field = _READERS[part.path.name]
    with part.path.open("rb") as file:
        file.seek(part.start)
        lines = file.read(part.end - part.start).split(b"\n")
    reading = Reading(len(lines) - 1)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        value: dict[str, Any] = {}
        try:
            value = as_object(json.loads(line), "line")
            reading.facts.append((number, read(value, number, part, reading.problems)))
            continue
        except KeyError as missing:
            reading.problems.append((number, f"field {missing} is missing"))
        except DataError as problem:
            reading.problems.append((number, str(problem)))
        except (ValueError, RecursionError) as problem:
            what = f"not a JSON object of the expected form ({problem}); was the file cut short?"
            reading.problems.append((number, what))
        if name_field in value:
            reading.named.append(str(value[name_field]))
    return reading


def _record(value: dict[str, Any], number: int, part: Part, problems: Problems) -> RecordFact:
    record = record_from_json(value)
    if not record.crops and record.task != LABELS_ONLY:
        problems.append((number, f"record {record.id}: has no crop, expected at least one"))
    if record.task == "subject" and record.subject is None:
        problems.append((number, f"record {record.id}: its task is a subject and it has none, expected a box"))
    path = os.path.join(part.path.parent, record.image.path)
    size = _file_size(path)
    if size < 0:
        problems.append((number, f"record {record.id}: photo {path} is missing; was it or the data set moved?"))
    elif part.deep and (fault := _photo_fault(record, path)):
        problems.append((number, fault))
    truths = b"".join(pack(box) for box in ground_truths(record))
    return RecordFact(record.id, record.split, path, photo_digest(record.image.sha256), size, truths)


def _pair(value: dict[str, Any], number: int, part: Part, problems: Problems) -> Mention:
    return Mention(pair_from_json(value).record_id)


def _rationale(value: dict[str, Any], number: int, part: Part, problems: Problems) -> Mention:
    record_id = as_text(value["record_id"], "record_id")
    return Mention(record_id, pack(rationale_from_json(value["rationale"], "its answer").decision.box))


def _pair_rationale(value: dict[str, Any], number: int, part: Part, problems: Problems) -> Mention:
    pair = pair_from_json(as_object(value["pair"], "pair"))
    for side, box in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        if rationale_from_json(value[side], f"the {side} answer").decision.box != box:
            raise DataError(f"record {pair.record_id}: the {side} answer decides on another crop than the pair's")
    return Mention(pair.record_id)


_READERS: dict[str, tuple[Callable[[dict[str, Any], int, Part, Problems], Fact], str]] = {
    RECORDS: (_record, "id"),
    PAIRS: (_pair, ""),
    RATIONALES: (_rationale, "record_id"),
    PAIR_RATIONALES: (_pair_rationale, ""),
}
LINE_FILES = tuple(_READERS)
"""The files of lines, records first: the others speak of them."""


def pack(box: Box) -> bytes:
    """A box in 32 bytes."""
    return struct.pack("4d", *box.xyxy)


def unpack(packed: bytes) -> list[Box]:
    """The boxes that were packed one behind the other."""
    return [Box(*edges) for edges in struct.iter_unpack("4d", packed)]


def photo_digest(sha256: str) -> bytes:
    """16 bytes that stand for a photo: a record's `sha256` is any text as long as nothing was compared with it."""
    return hashlib.blake2b(sha256.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _file_size(path: str) -> int:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1
    return found.st_size if S_ISREG(found.st_mode) else -1


def _photo_fault(record: CropRecord, path: str) -> str:
    """What hashing and decoding say against a photo; empty if nothing."""
    if sha256_of(path) != record.image.sha256:
        return f"record {record.id}: photo {path} is not the one recorded (sha256 differs)"
    try:
        wh = load_upright(path).size
    except DataError as problem:
        return f"record {record.id}: {problem}"
    if wh == record.image.wh:
        return ""
    expected = "x".join(str(side) for side in record.image.wh)
    return f"record {record.id}: photo {path} is {wh[0]}x{wh[1]} px upright, the record says {expected}"
