"""`manifest.json`: what a built folder holds, what it was built from, and what did not get in.

The sha256 of every line file stands in it, so that a later change, or a build that was cut short, is seen.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.files import written_whole
from crop_reasoning.images import sha256_of
from crop_reasoning.records import SPLITS, read_pairs, read_records

MANIFEST = "manifest.json"


def write_manifest(folder: Path, dataset: str, settings: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of a folder whose line files are complete; what was written.

    `report` is what the builder says of its source (for instance `dropped`); counts and hashes come from the files.
    """
    records = read_records(folder)
    split_of = {record.id: record.split for record in records}
    has_pairs = (folder / "pairs.jsonl").is_file()
    counts = {
        "records": Counter(split_of.values()),
        "pairs": Counter(split_of[pair.record_id] for pair in read_pairs(folder)) if has_pairs else Counter(),
    }
    files = [*sorted(folder.glob("*.jsonl")), *sorted(folder.glob("parquet/*.parquet"))]
    manifest = {
        "dataset": dataset,
        "settings": settings,
        "counts": {name: {split: count[split] for split in SPLITS} for name, count in counts.items()},
        "files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
        **report,
    }
    write_document(folder / MANIFEST, manifest)
    return manifest


def write_document(path: Path, value: dict[str, Any]) -> None:
    """Write one JSON document for programs and people, whole or not at all."""
    with written_whole(path) as file:
        file.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The folder's manifest, None if there is none; `DataError` if it cannot be read."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_bytes())
        dataset, settings, files = str(manifest["dataset"]), dict(manifest["settings"]), dict(manifest["files"])
        return {**manifest, "dataset": dataset, "settings": settings, "files": files}
    except (ValueError, TypeError, KeyError) as problem:
        raise DataError(
            f"{path}: no manifest of a built data set ({type(problem).__name__}: {problem}); build it anew"
        ) from None
