"""Every fault of a built data set at once: broken lines, foreign ids, missing or changed photos, shared photos."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from crop_reasoning.errors import DataError
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.log import progress
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES, rationale_from_json
from crop_reasoning.records import CropRecord, Pair, pair_from_json, record_from_json
from data_builders.manifest import MANIFEST, read_manifest

RECORDS, PAIRS = "records.jsonl", "pairs.jsonl"
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

    records = _read(folder / RECORDS, parse_record, findings, CropRecord)
    _check_records(records, findings)
    if (folder / PAIRS).is_file():
        pairs = _read(folder / PAIRS, pair_from_json, findings, Pair)
        for where, pair in pairs:
            _check_pair(where, pair, members, findings)
    _check_rationales(folder, members, findings)
    _check_manifest(folder, findings)
    _check_photos(folder, records, deep, findings)
    return findings


def _read(
    path: Path, parse: Callable[[dict[str, Any]], Item], findings: Findings, kind: type | None = None
) -> list[tuple[str, Item]]:
    """The readable lines, each with its `file:line`; the others become problems. Fields that `kind` lacks, too."""
    known = {entry.name for entry in fields(kind)} if kind else set()
    items: list[tuple[str, Item]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path.name}:{number}"
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise DataError(f"got a {type(value).__name__}, expected an object")
                if kind and (unknown := sorted(value.keys() - known)):
                    findings.add(where, f"unknown field {', '.join(unknown)}; expected {', '.join(sorted(known))}")
                items.append((where, parse(value)))
            except DataError as problem:
                findings.add(where, str(problem))
            except (ValueError, TypeError, AttributeError) as problem:
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
        if not record.crops:
            findings.add(where, f"record {record.id}: has no crop, expected at least one")


def _check_pair(where: str, pair: Pair, members: set[str], findings: Findings) -> None:
    if pair.record_id not in members:
        findings.add(where, f"record {pair.record_id!r} is not in {RECORDS}")
    if pair.chosen == pair.rejected:
        findings.add(where, f"record {pair.record_id}: chosen and rejected are the same crop")
    if not 0 < pair.margin <= 1:
        findings.add(where, f"record {pair.record_id}: margin {pair.margin:g}, expected above 0 and up to 1")


def _check_rationales(folder: Path, members: set[str], findings: Findings) -> None:
    def one(value: dict[str, Any]) -> str:
        rationale_from_json(value["rationale"], "its answer")
        return str(value["record_id"])

    def two(value: dict[str, Any]) -> str:
        pair = pair_from_json(value["pair"])
        for side, box in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            if rationale_from_json(value[side], f"the {side} answer").decision.box != box:
                raise DataError(f"record {pair.record_id}: the {side} answer decides on another crop than the pair's")
        return pair.record_id

    for name, parse in ((RATIONALES, one), (PAIR_RATIONALES, two)):
        if not (folder / name).is_file():
            continue
        lines = _read(folder / name, _named_fields(parse), findings)
        for where, record_id in lines:
            if record_id not in members:
                findings.add(where, f"record {record_id!r} is not in {RECORDS}")
        if name == RATIONALES and (silent := sorted(members - {record_id for _, record_id in lines})):
            findings.add(name, f"{len(silent)} records have no rationale, {silent[0]} among them; write them anew")


def _named_fields(parse: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    def parse_or_name(value: dict[str, Any]) -> str:
        try:
            return parse(value)
        except KeyError as missing:
            raise DataError(f"field {missing} is missing") from None

    return parse_or_name


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
