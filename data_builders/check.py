"""Every fault of a built data set at once: broken lines, foreign ids, missing or changed photos, shared photos."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.metrics import ground_truths
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.json_fields import as_object, as_text
from crop_reasoning.log import progress
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES, rationale_from_json
from crop_reasoning.records import LABELS_ONLY, CropRecord, pair_from_json, record_from_json
from data_builders.manifest import MANIFEST, read_manifest

RECORDS, PAIRS = "records.jsonl", "pairs.jsonl"
ROUNDING = 1e-6
"""Stored boxes have six decimals; the records of somebody else's data set may have more."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the file and line (or the photo) it is in, and a sentence."""

    where: str
    what: str


@dataclass(slots=True)
class Findings:
    """What was looked at, how many of each, and every fault found."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))


def check_folder(folder: Path, *, deep: bool = False) -> Findings:
    """All faults of a built folder; `deep` also decodes every photo and compares its upright size.

    `DataError` only if the folder holds no `records.jsonl` at all. Pairs, rationales and the manifest are optional.
    """
    if not (folder / RECORDS).is_file():
        raise DataError(f"{folder / RECORDS}: no such file; build it first (`crop-reasoning data build --help`)")
    findings = Findings()
    members: set[str] = set()  # broken records among them, so that their pairs are not all called foreign

    def parse_record(value: dict[str, Any]) -> CropRecord:
        members.add(str(value.get("id")))
        return record_from_json(value)

    records = _read(folder / RECORDS, parse_record, findings)
    _check_records(records, findings)
    if (folder / PAIRS).is_file():
        for where, pair in _read(folder / PAIRS, pair_from_json, findings):
            _check_member(where, pair.record_id, members, findings)
    _check_rationales(folder, {record.id: record for _, record in records}, members, findings)
    _check_pair_rationales(folder, members, findings)
    _check_manifest(folder, findings)
    _check_photos(folder, records, deep, findings)
    return findings


def _read(path: Path, parse: Callable[[dict[str, Any]], Item], findings: Findings) -> list[tuple[str, Item]]:
    """The readable lines, each with its `file:line`; the others become problems."""
    items: list[tuple[str, Item]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path.name}:{number}"
            if not line.strip():
                continue
            try:
                items.append((where, parse(as_object(json.loads(line), "line"))))
            except KeyError as missing:
                findings.add(where, f"field {missing} is missing")
            except DataError as problem:
                findings.add(where, str(problem))
            except (ValueError, RecursionError) as problem:
                findings.add(where, f"not a JSON object of the expected form ({problem}); was the file cut short?")
    findings.counts[path.name] = len(items)
    return items


def _check_records(records: Sequence[tuple[str, CropRecord]], findings: Findings) -> None:
    if not records:
        findings.add(RECORDS, "holds no record that can be read")
    first: dict[str, str] = {}
    for where, record in records:
        if record.id in first:
            findings.add(where, f"record id {record.id!r} stands in {first[record.id]} already; ids must be unique")
        first.setdefault(record.id, where)
        if not record.crops and record.task != LABELS_ONLY:
            findings.add(where, f"record {record.id}: has no crop, expected at least one")


def _check_member(where: str, record_id: str, members: set[str], findings: Findings) -> None:
    if record_id not in members:
        findings.add(where, f"record {record_id!r} is not in {RECORDS}")


def _check_rationales(folder: Path, records: dict[str, CropRecord], members: set[str], findings: Findings) -> None:
    if not (folder / RATIONALES).is_file():
        return
    answered: set[str] = set()  # by broken answers, too, so that their records are not called silent as well

    def parse(value: dict[str, Any]) -> tuple[str, Box]:
        record_id = as_text(value["record_id"], "record_id")
        answered.add(record_id)
        return record_id, rationale_from_json(value["rationale"], "its answer").decision.box

    for where, (record_id, box) in _read(folder / RATIONALES, parse, findings):
        _check_member(where, record_id, members, findings)
        record = records.get(record_id)
        if record and record.crops and not any(_is_same(box, best) for best in ground_truths(record)):
            findings.add(
                where,
                f"record {record_id}: the answer decides on {_edges(box)}, expected a crop of the record's highest "
                f"score, {_edges(record.best)}; write the rationales anew",
            )
    wordless = {record.id for record in records.values() if not record.crops}
    if silent := sorted(members - answered - wordless):
        findings.add(RATIONALES, f"{len(silent)} records have no rationale, {silent[0]} among them; write them anew")


def _check_pair_rationales(folder: Path, members: set[str], findings: Findings) -> None:
    if not (folder / PAIR_RATIONALES).is_file():
        return

    def parse(value: dict[str, Any]) -> str:
        pair = pair_from_json(as_object(value["pair"], "pair"))
        for side, box in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            if rationale_from_json(value[side], f"the {side} answer").decision.box != box:
                raise DataError(f"record {pair.record_id}: the {side} answer decides on another crop than the pair's")
        return pair.record_id

    for where, record_id in _read(folder / PAIR_RATIONALES, parse, findings):
        _check_member(where, record_id, members, findings)


def _is_same(box: Box, other: Box) -> bool:
    return all(abs(a - b) <= ROUNDING for a, b in zip(box.xyxy, other.xyxy, strict=True))


def _edges(box: Box) -> str:
    return "[" + ", ".join(f"{edge:g}" for edge in box.xyxy) + "]"


def _check_manifest(folder: Path, findings: Findings) -> None:
    try:
        manifest = read_manifest(folder)
    except DataError as problem:
        findings.add(MANIFEST, str(problem))
        return
    for name, expected in (manifest["files"] if manifest else {}).items():
        if not (folder / name).is_file():
            findings.add(name, f"is missing, but {MANIFEST} lists it; build the data set anew")
        elif sha256_of(folder / name) != expected:
            findings.add(name, f"was changed since {MANIFEST} was written (sha256 differs); build the data set anew")


def _check_photos(folder: Path, records: Sequence[tuple[str, CropRecord]], deep: bool, findings: Findings) -> None:
    splits: dict[str, dict[str, str]] = defaultdict(dict)  # sha256 -> split -> the first record there
    label = "photos decoded" if deep else "photos hashed"
    for where, record in progress(records, label, len(records)):
        splits[record.image.sha256].setdefault(record.split, record.id)
        path = folder / record.image.path
        if not path.is_file():
            findings.add(where, f"record {record.id}: photo {path} is missing; was it or the data set moved?")
        elif sha256_of(path) != record.image.sha256:
            findings.add(where, f"record {record.id}: photo {path} is not the one recorded (sha256 differs)")
        elif deep:
            _check_pixels(where, record, path, findings)
    findings.counts[label] = len(records)
    for homes in splits.values():
        if len(homes) > 1:
            shared = ", ".join(f"{record_id} ({split})" for split, record_id in homes.items())
            findings.add(RECORDS, f"the same photo stands in several splits: {shared}")


def _check_pixels(where: str, record: CropRecord, path: Path, findings: Findings) -> None:
    try:
        wh = load_upright(path).size
    except DataError as problem:
        findings.add(where, f"record {record.id}: {problem}")
        return
    if wh != record.image.wh:
        expected = "x".join(str(side) for side in record.image.wh)
        findings.add(
            where, f"record {record.id}: photo {path} is {wh[0]}x{wh[1]} px upright, the record says {expected}"
        )


def summary(findings: Findings) -> str:
    """What was checked and how many faults there are, in one line."""
    checked = ", ".join(f"{name} {count:,}" for name, count in findings.counts.items())
    files = Counter(problem.where.partition(":")[0] for problem in findings.problems)
    faults = ", ".join(f"{count} in {name}" for name, count in files.items())
    return f"checked {checked}: " + (f"{len(findings.problems)} problems ({faults})" if files else "no problem")
