"""The files of answers in a built folder: which lines are written, which stay, and what a line says of its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.images import sha256_of
from crop_reasoning.json_fields import naming
from crop_reasoning.locks import held
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES, REFUSED
from crop_reasoning.records import CropRecord, Pair, read_jsonl, to_json, write_jsonl
from crop_reasoning.verification.verify import VERSION, Contradiction
from data_builders.manifest import MANIFEST, read_manifest, write_document

LOCK = "rationales.lock"
Line = dict[str, Any]
Lines = Callable[[int], Line | None]
"""From a record's or a pair's place in its file to its line; None where there is none to write."""


def provenance(author: str, seed: int, *, prompt_id: str = "", model: str = "") -> Line:
    """The fields of a stored line that say where its answer comes from."""
    return {"author": author, "prompt_id": prompt_id, "model": model, "seed": seed, "grammar": GRAMMAR}


def judged(claims: int, contradictions: Iterable[Contradiction]) -> Line:
    """The field `verified` of a stored line."""
    return {"version": VERSION, "claims": claims, "contradictions": [to_json(each) for each in contradictions]}


def write_lines(
    folder: Path,
    records: Sequence[CropRecord],
    pairs: Sequence[Pair],
    asked: Collection[str],
    line: Lines,
    pair_line: Lines,
    refused: Sequence[Line] = (),
    *,
    afresh: bool = False,
) -> dict[str, int]:
    """Write both files in the order of the records and pairs, and those `refused` beside them; how many lines each has.

    `line` and `pair_line` are called for the records (ids) that are `asked` for. Lines that nobody writes now stay as
    they are in the files, unless all are written `afresh`. The folder's manifest, if there is one, learns of it.
    `EnvironmentProblem` while another command, of whatever author, does the same here.
    """
    lock = folder / LOCK
    with held(lock, f"{folder}: another command is writing answers here; run this one again when it is done"):
        try:
            return _write_lines(folder, records, pairs, frozenset(asked), line, pair_line, refused, afresh)
        finally:
            lock.unlink()


def _write_lines(
    folder: Path,
    records: Sequence[CropRecord],
    pairs: Sequence[Pair],
    asked: frozenset[str],
    line: Lines,
    pair_line: Lines,
    refused: Sequence[Line],
    afresh: bool,
) -> dict[str, int]:
    names = [record.id for record in records]
    earlier = {} if afresh else _earlier(folder / RATIONALES, lambda value: str(value["record_id"]))
    counts = {"rationales": write_jsonl(folder / RATIONALES, _merged(names, names, asked, line, earlier))}
    if pairs:
        earlier = {} if afresh else _earlier(folder / PAIR_RATIONALES, lambda value: json.dumps(value["pair"]))
        keys = (json.dumps(to_json(pair)) for pair in pairs)
        merged = _merged([pair.record_id for pair in pairs], keys, asked, pair_line, earlier)
        counts["pair_rationales"] = write_jsonl(folder / PAIR_RATIONALES, merged)
    if refused:
        write_jsonl(folder / REFUSED, refused)
    else:
        (folder / REFUSED).unlink(missing_ok=True)
    _note(folder)
    return counts


def _merged(
    names: Sequence[str], keys: Iterable[str], asked: Collection[str], line: Lines, earlier: dict[str, Line]
) -> Iterator[Line]:
    for index, (name, key) in enumerate(zip(names, keys, strict=True)):
        found = (line(index) if name in asked else None) or earlier.get(key)
        if found:
            yield found


def _earlier(path: Path, key: Callable[[Line], str]) -> dict[str, Line]:
    """The lines of a file as they are, by `key`; none if there is no file."""
    found = {}
    if path.is_file():
        for number, value in enumerate(read_jsonl(path), 1):
            with naming(f"{path}, item {number}"):
                found[key(value)] = value
    return found


def _note(folder: Path) -> None:
    """Tell the folder's manifest, if there is one, of the files that were written."""
    manifest = read_manifest(folder)
    if manifest is None:
        return
    for name in (RATIONALES, PAIR_RATIONALES, REFUSED):
        manifest["files"].pop(name, None)
        if (folder / name).is_file():
            manifest["files"][name] = sha256_of(folder / name)
    manifest["files"] = dict(sorted(manifest["files"].items()))
    write_document(folder / MANIFEST, manifest)
