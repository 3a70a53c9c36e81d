"""Photos of a training set that a benchmark holds, too: found, listed, and left out of a copy."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.images import PHOTO_ENDINGS, sha256_of
from crop_reasoning.log import progress
from crop_reasoning.records import RECORDS, CropRecord, read_records
from data_builders.manifest import write_document
from data_builders.perceptual import JOURNAL, RULE, SAME_FILE, Likeness, Thumbnails, read_thumbnails, same_pictures
from data_builders.subset import refuse_out, write_subset

EXCLUSIONS = "exclusions.json"


@dataclass(slots=True)
class Benchmark:
    """The photos that nothing may be trained on, by sha256: the test photos of a built folder, or all of any other.

    Paths are relative to `folder`. `unreadable` holds photos and folders that could not be read, with the reason,
    `others` the files whose ending is no photo's; neither was compared.
    """

    folder: Path
    kind: str
    paths: dict[str, str]
    thumbnails: dict[str, Thumbnails] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def decontaminate(folder: Path, against: Sequence[Path], out: Path | None) -> dict[str, Any]:
    """Compare the train and val photos of `folder` with every benchmark photo; the report.

    With `out`, also write a copy of `folder` without the records found, and the report as `exclusions.json` in it.
    `DataError` if a folder has no photo to compare, if a recorded photo cannot be read, if nothing would be left.
    """
    records = read_records(folder)
    settings = {"made_by": "data decontaminate", "against": [str(path) for path in against], **RULE}
    if out is not None:
        refuse_out(folder, out, settings)
    trained = [record for record in records if record.split != "test"]
    ours = recorded_thumbnails(folder, trained, folder / JOURNAL)
    benchmarks = [_read_benchmark(path, folder / JOURNAL) for path in against]
    report = _report(folder, trained, ours, benchmarks)
    if out is not None:
        gone = {entry["id"] for entry in report["excluded"]}
        if gone and len(gone) == len(trained):
            raise DataError(f"{folder}: all {len(gone)} train and val records would be left out; is --against right?")
        short = [{"item": entry["id"], "reason": _reason(entry["copies"][0])} for entry in report["excluded"]]
        kept = [record for record in records if record.id not in gone]
        write_subset(
            folder, out, kept, settings, {"excluded": short}, lambda place: write_document(place / EXCLUSIONS, report)
        )
    return report


def recorded_thumbnails(folder: Path, records: Sequence[CropRecord], journal: Path) -> dict[str, Thumbnails]:
    """The thumbnails of all photos of some records; `DataError` if one is missing, broken or not the one recorded."""
    paths = {record.image.sha256: folder / record.image.path for record in records}
    found, reasons = read_thumbnails(paths, journal)
    if reasons:
        sha256, reason = next(iter(reasons.items()))
        raise DataError(
            f"{paths[sha256]}: {reason}; {len(reasons)} of {len(paths)} photos of {folder} cannot be compared "
            "(`crop-reasoning data check --deep` lists them); rebuild the data set"
        )
    return found


def _read_benchmark(folder: Path, journal: Path) -> Benchmark:
    if (folder / RECORDS).is_file():
        records = read_records(folder, "test")
        if not records:
            raise DataError(f"{folder}: has no test record; give the folder of its photos if all of them count")
        tested = {record.image.sha256: record.image.path for record in records}
        return Benchmark(folder, "test photos", tested, recorded_thumbnails(folder, records, journal))
    files, unreadable = _files_below(folder)
    photos = [path for path in files if Path(path).suffix.lower() in PHOTO_ENDINGS]
    others = [path for path in files if Path(path).suffix.lower() not in PHOTO_ENDINGS]
    paths: dict[str, str] = {}
    for path in progress(photos, f"{folder.name} hashed", len(photos)):
        try:
            paths.setdefault(sha256_of(folder / path), path)
        except OSError as problem:
            unreadable[path] = problem.strerror or str(problem)
    found, reasons = read_thumbnails({sha256: folder / path for sha256, path in paths.items()}, journal)
    unreadable |= {paths[sha256]: reason for sha256, reason in reasons.items()}
    if not found:
        raise DataError(
            f"{folder}: holds neither {RECORDS} nor a readable photo, but {len(others)} other files and "
            f"{len(unreadable)} that cannot be read; expected a benchmark's folder"
        )
    return Benchmark(folder, "all photos", paths, found, unreadable, others)


def _files_below(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The files of a folder and the folders in it, by path, and the folders that cannot be read, with the reason.

    Links to folders are followed, each folder is entered once; one that `folder` itself lies in is not.
    """
    found: list[str] = []
    unreadable: dict[str, str] = {}

    def note(problem: OSError) -> None:
        unreadable[os.path.relpath(str(problem.filename), folder)] = problem.strerror or str(problem)

    whole = Path(os.path.realpath(folder))
    entered = {whole, *whole.parents}
    for place, inner, names in os.walk(folder, onerror=note, followlinks=True):
        found += [Path(place, name).relative_to(folder).as_posix() for name in names]
        inner.sort()
        for name in inner[:]:
            true = Path(os.path.realpath(Path(place, name)))
            if true in entered:
                inner.remove(name)
            entered.add(true)
    return sorted(found), unreadable


def _report(
    folder: Path, trained: Sequence[CropRecord], ours: dict[str, Thumbnails], benchmarks: Sequence[Benchmark]
) -> dict[str, Any]:
    copies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for benchmark in benchmarks:
        for (sha256, other), likeness in same_pictures(ours, benchmark.thumbnails).items():
            copies[sha256].append(_copy(benchmark, other, likeness))
    for found in copies.values():
        found.sort(key=lambda copy: (not copy["same_file"], -copy["correlation"]))
    excluded = [
        {"id": record.id, "split": record.split, "photo": record.image.path, "copies": copies[record.image.sha256]}
        for record in trained
        if record.image.sha256 in copies
    ]
    return {
        "folder": str(folder),
        "compared": {"train and val photos": len(ours), **{str(one.folder): len(one.thumbnails) for one in benchmarks}},
        "against": [
            {"folder": str(one.folder), "photos": one.kind, "unreadable": one.unreadable, "not_photos": one.others}
            for one in benchmarks
        ],
        "rule": {"hashes": "gradients and cosine waves of 32x32 grey, 64 bits each, also mirrored", **RULE},
        "counts": {
            "photos": len(copies),
            "records": dict(Counter(entry["split"] for entry in excluded)),
        },
        "excluded": excluded,
        "shared_by_benchmarks": [
            {"photo": f"{one.folder}/{one.paths[sha256]}", **_copy(other, twin, likeness)}
            for one, other in combinations(benchmarks, 2)
            for (sha256, twin), likeness in same_pictures(one.thumbnails, other.thumbnails).items()
        ],
    }


def _copy(benchmark: Benchmark, sha256: str, likeness: Likeness) -> dict[str, Any]:
    place = {"benchmark": str(benchmark.folder), "benchmark_photo": benchmark.paths[sha256]}
    return {**place, "same_file": likeness is SAME_FILE, **asdict(likeness)}


def _reason(copy: dict[str, Any]) -> str:
    how = "the same file as" if copy["same_file"] else "shows, mirrored, what" if copy["mirrored"] else "shows what"
    return f"{how} {copy['benchmark_photo']} of {copy['benchmark']}" + ("" if copy["same_file"] else " shows")
