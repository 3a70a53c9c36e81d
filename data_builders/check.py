"""Every fault of a built data set at once: broken lines, foreign ids, missing or changed photos, shared photos.

Line files are streamed in parts (`check_lines`), by several processes where there is enough to read. Between parts only
ids, best crops and 16 bytes a photo are kept. Photos are hashed and decoded on demand alone (`deep`).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.geometry import Box
from crop_reasoning.images import sha256_of
from crop_reasoning.log import progress
from crop_reasoning.reasoning.store import RATIONALES
from crop_reasoning.records import RECORDS
from data_builders.check_lines import (
    LINE_FILES,
    Mention,
    Part,
    Reading,
    RecordFact,
    parts,
    photo_digest,
    read_part,
    unpack,
)
from data_builders.manifest import MANIFEST, read_manifest
from data_builders.photos import JOURNAL, journal_sizes

ROUNDING = 1e-6
"""Stored boxes have six decimals; the records of somebody else's data set may have more."""
_PARTS_INLINE, _MOST_PROCESSES = 8, 8
"""So little is read sooner than processes start; so many processes wait for the disk."""


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


@dataclass(slots=True)
class _Known:
    """What is kept of all lines read so far.

    `records` maps an id to its line and its packed best crops. `homes` maps a photo to the first split and record it
    stands in, `leaks` adds the others. `named` are ids of lines that could not be read, so that what speaks of them is
    not called foreign or silent as well.
    """

    sizes: dict[bytes, int]
    records: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    homes: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    leaks: dict[bytes, dict[str, str]] = field(default_factory=dict)


def check_folder(folder: Path, *, deep: bool = False) -> Findings:
    """All faults of a built folder; `deep` also hashes and decodes every photo and compares its upright size.

    Without `deep` a photo counts as changed only if its size in bytes is not the one that the builder's journal noted.
    `DataError` only if the folder holds no `records.jsonl` at all. Pairs, rationales and the manifest are optional.
    `Interrupted` if stopped by hand.
    """
    if not (folder / RECORDS).is_file():
        raise DataError(f"{folder / RECORDS}: no such file; build it first (`crop-reasoning data build --help`)")
    try:
        return _findings(folder, deep)
    except KeyboardInterrupt:
        raise Interrupted(f"{folder}: stopped by hand before all was checked; the same command starts anew") from None


def _findings(folder: Path, deep: bool) -> Findings:
    findings = Findings()
    names = [name for name in LINE_FILES if (folder / name).is_file()]
    findings.counts = dict.fromkeys(names, 0)
    jobs = [part for name in names for part in parts(folder / name, deep)]
    sizes = {} if deep else {photo_digest(sha256): size for sha256, size in journal_sizes(folder / JOURNAL)}
    known = _Known(sizes)
    line = 1
    with _readings(jobs) as readings:
        for part, reading in zip(jobs, progress(readings, "parts of line files", len(jobs)), strict=True):
            line = 1 if part.start == 0 else line
            _take(part.path.name, line, reading, known, findings)
            line += reading.lines
    _check_whole(names, known, findings)
    findings.counts["photos decoded" if deep else "photos looked up"] = findings.counts[RECORDS]
    _check_manifest(folder, deep, findings)
    return findings


@contextmanager
def _readings(jobs: list[Part]) -> Iterator[Iterable[Reading]]:
    """What came of each part, in order; read by several processes if there are many."""
    if len(jobs) < _PARTS_INLINE:
        yield map(read_part, jobs)
        return
    count = min(os.cpu_count() or 1, _MOST_PROCESSES)
    pool = ProcessPoolExecutor(count, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool.map(read_part, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _take(name: str, first_line: int, reading: Reading, known: _Known, findings: Findings) -> None:
    """Add what came of one part that begins at `first_line`."""
    findings.counts[name] += len(reading.facts)
    for number, what in reading.problems:
        findings.add(f"{name}:{first_line + number}", what)
    (known.answered if name == RATIONALES else known.named).update(reading.named)
    for number, fact in reading.facts:
        line = first_line + number
        if isinstance(fact, RecordFact):
            _take_record(line, fact, known, findings)
            continue
        if fact.record_id not in known.records and fact.record_id not in known.named:
            findings.add(f"{name}:{line}", f"record {fact.record_id!r} is not in {RECORDS}")
        if name == RATIONALES:
            _take_answer(f"{name}:{line}", fact, known, findings)


def _take_record(line: int, fact: RecordFact, known: _Known, findings: Findings) -> None:
    where = f"{RECORDS}:{line}"
    first, _ = known.records.setdefault(fact.id, (line, fact.truths))
    if first != line:
        findings.add(where, f"record id {fact.id!r} stands in {RECORDS}:{first} already; ids must be unique")
    split, _ = home = known.homes.setdefault(fact.digest, (fact.split, fact.id))
    if split != fact.split:
        known.leaks.setdefault(fact.digest, dict([home])).setdefault(fact.split, fact.id)
    size = known.sizes.get(fact.digest, fact.photo_bytes)
    if -1 < fact.photo_bytes != size:
        findings.add(
            where,
            f"record {fact.id}: photo {fact.photo} is not the one recorded: it has {fact.photo_bytes:,} bytes, the one "
            f"that was read had {size:,}; bring it back or build anew",
        )


def _take_answer(where: str, fact: Mention, known: _Known, findings: Findings) -> None:
    known.answered.add(fact.record_id)
    _, packed = known.records.get(fact.record_id, (0, b""))
    if not packed or packed.startswith(fact.decision):  # the very bytes: the common case
        return
    [box], truths = unpack(fact.decision), unpack(packed)
    if not any(_is_same(box, best) for best in truths):
        findings.add(
            where,
            f"record {fact.record_id}: the answer decides on {_edges(box)}, expected a crop of the record's highest "
            f"score, {_edges(truths[0])}; write the rationales anew",
        )


def _check_whole(names: list[str], known: _Known, findings: Findings) -> None:
    """What only all lines together show."""
    if not known.records:
        findings.add(RECORDS, "holds no record that can be read")
    for homes in known.leaks.values():
        shared = ", ".join(f"{record_id} ({split})" for split, record_id in homes.items())
        findings.add(RECORDS, f"the same photo stands in several splits: {shared}")
    if RATIONALES in names:
        expected = {record_id for record_id, (_, truths) in known.records.items() if truths} | known.named
        if silent := sorted(expected - known.answered):
            findings.add(
                RATIONALES, f"{len(silent)} records have no rationale, {silent[0]} among them; write them anew"
            )


def _is_same(box: Box, other: Box) -> bool:
    return all(abs(a - b) <= ROUNDING for a, b in zip(box.xyxy, other.xyxy, strict=True))


def _edges(box: Box) -> str:
    return "[" + ", ".join(f"{edge:g}" for edge in box.xyxy) + "]"


def _check_manifest(folder: Path, deep: bool, findings: Findings) -> None:
    """Line files are those the manifest was written for; Parquet files hold the photos, so only `deep` hashes them."""
    try:
        manifest = read_manifest(folder)
    except DataError as problem:
        findings.add(MANIFEST, str(problem))
        return
    for name, expected in (manifest["files"] if manifest else {}).items():
        path = folder / name
        if not path.is_file():
            findings.add(name, f"is missing, but {MANIFEST} lists it; build the data set anew")
        elif path.suffix == ".parquet" and not deep:
            if not _ends_as_parquet(path):
                findings.add(name, "does not end as a Parquet file does; was it cut short? build the data set anew")
        elif sha256_of(path) != expected:
            findings.add(name, f"was changed since {MANIFEST} was written (sha256 differs); build the data set anew")


def _ends_as_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return file.read() == b"PAR1"


def summary(findings: Findings) -> str:
    """What was checked and how many faults there are, in one line."""
    checked = ", ".join(f"{name} {count:,}" for name, count in findings.counts.items())
    files = Counter(problem.where.partition(":")[0] for problem in findings.problems)
    faults = ", ".join(f"{count} in {name}" for name, count in files.items())
    return f"checked {checked}: " + (f"{len(findings.problems)} problems ({faults})" if files else "no problem")
