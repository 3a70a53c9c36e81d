"""A changed copy of a data set's folder: fewer records, or other splits, with everything that belongs to them.

Photos stay where they are; the copy's records name them by paths relative to the copy. This module must not know why
records were chosen.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.files import path_from
from crop_reasoning.images import sha256_of
from crop_reasoning.json_fields import naming
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES
from crop_reasoning.records import PAIRS, RECORDS, CropRecord, read_jsonl, read_records, relinked, write_jsonl
from data_builders.dataset_card import CARD, write_card
from data_builders.manifest import MANIFEST, read_manifest, write_manifest
from data_builders.out_folder import is_free, refuse_file
from data_builders.parquet import FOLDER, write_parquet

Settings = dict[str, Any]


def write_subset(
    folder: Path,
    out: Path,
    records: Sequence[CropRecord],
    settings: Settings,
    note: dict[str, Any],
    add: Callable[[Path], object] = lambda place: None,
) -> dict[str, Any]:
    """Write `records` (of `folder`, perhaps of other splits) and all that belongs to them into `out`; the manifest.

    `settings` say what was done and how, `note` what the manifest tells of it. `add` is called with the unfinished
    folder, whose records, pairs and answers are there, and puts what else belongs into it. Everything is written
    beside `out` first, so that a run that is stopped leaves nothing. `DataError` as `refuse_out` says.
    """
    refuse_out(folder, out, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own beside `out`: relative paths hold in both, and nobody's folder is in the way.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
        partial = Path(name)
        _carry_over(folder, partial, records)
        add(partial)
        manifest = _seal(folder, partial, settings, note)
        for path in sorted(partial.rglob("*"), key=lambda path: (path.name == MANIFEST, path)):
            if path.is_file():
                target = out / path.relative_to(partial)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
    if (folder / CARD).is_file():
        write_card(out, manifest)
    return manifest


def refuse_out(folder: Path, out: Path, settings: Settings) -> None:
    """`DataError` unless `out` is free, or holds what the same `settings` made of the same `folder` before."""
    if out.resolve() == folder.resolve():
        raise DataError(f"{out}: is the folder that is read; a changed copy needs another --out")
    refuse_file(out)
    if is_free(out):
        return
    held = read_manifest(out)
    if held is None or held["settings"] != settings or held.get("made_from") != _made_from(folder, out):
        raise DataError(f"{out}: holds something else already; choose another --out or remove it")


def _made_from(folder: Path, out: Path) -> dict[str, Any]:
    """What the manifest in `out` says of the folder it was made from: where it lies and its line files' sha256."""
    files = {path.name: sha256_of(path) for path in sorted(folder.glob("*.jsonl"))}
    return {"folder": path_from(out, folder), "files": files}


def _carry_over(folder: Path, out: Path, records: Sequence[CropRecord]) -> None:
    """Write `records` and the pairs and answers of `folder` that belong to them into `out`, in their old order.

    `DataError` for a line that belongs to no record of `folder`.
    """
    members, known = {record.id for record in records}, {record.id for record in read_records(folder)}
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(out / RECORDS, (relinked(record, folder, out) for record in records))
    for name, inside in ((PAIRS, None), (RATIONALES, None), (PAIR_RATIONALES, "pair")):
        if (folder / name).is_file():
            write_jsonl(out / name, _lines_of(folder / name, inside, members, known))


def _seal(folder: Path, out: Path, settings: Settings, note: dict[str, Any]) -> dict[str, Any]:
    """Complete `out`, whose line files are written: Parquet if `folder` has it, and the manifest; that one."""
    records = read_records(out)
    if (folder / FOLDER).is_dir():
        write_parquet(out, records)
    licences = sorted({record.licence for record in records})
    source = read_manifest(folder)
    dataset = source["dataset"] if source else "+".join(sorted({record.dataset for record in records}))
    report = {"made_from": _made_from(folder, out), "licences": licences, **note}
    return write_manifest(out, dataset, settings, report)


def _lines_of(
    path: Path, inside: str | None, members: Collection[str], known: Collection[str]
) -> Iterator[dict[str, Any]]:
    """The lines of a file that belong to one of `members`; the id stands in the line or in its object `inside`."""
    for number, line in enumerate(read_jsonl(path), 1):
        with naming(f"{path}, item {number}"):
            record_id = (line[inside] if inside else line)["record_id"]
            if record_id not in known:
                raise DataError(f"record {record_id!r} is not in {RECORDS}; `crop-reasoning data check` finds all such")
        if record_id in members:
            yield line
