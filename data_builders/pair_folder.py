"""From a built folder to a folder of selected pairs that training uses as it is: line files, manifest, page."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, Interrupted, RecipeError
from crop_reasoning.images import sha256_of
from crop_reasoning.reasoning.store import PAIR_RATIONALES
from crop_reasoning.records import (
    BUCKETS,
    PAIRS,
    RECORDS,
    SPLITS,
    CropRecord,
    Pair,
    read_jsonl,
    read_pairs,
    read_records,
    relinked,
    write_jsonl,
)
from data_builders.manifest import MANIFEST, read_manifest, write_manifest
from data_builders.out_folder import differing_settings, is_free
from data_builders.pair_page import PAGE, write_page
from data_builders.pairs import REASONS, Rules, Selection, select
from data_builders.rationales import write_rationales
from data_builders.shortcuts import Share, first_proposal, shortcuts

VOTED = frozenset({"fcdb"})
"""Data sets whose pairs people voted on; the votes stand in them."""
FIRST_PROPOSAL = "first proposal wins"
Members = Callable[[CropRecord], bool]
SHOWN: dict[str, Members] = {"train": lambda record: record.split == "train", "all splits": lambda record: True}


def write_pairs(folder: Path, out: Path, rules: Rules) -> dict[str, Any]:
    """Select pairs of a built folder and write a folder `out` that holds them and every record; the manifest.

    Nothing is written before everything is made. `DataError` if the folder has neither ranked pairs nor scored crops,
    if no train pair is left, or if `out` holds something else; `RecipeError` if `out` is the folder itself.
    """
    folder, out = Path(folder), Path(out)
    if out.resolve() == folder.resolve():
        raise RecipeError(f"--out {out}: is the folder that the pairs are made from; choose another")
    settings = asdict(rules)
    records = read_records(folder)
    made_from = {name: sha256_of(folder / name) for name in (RECORDS, PAIRS) if (folder / name).is_file()}
    _refuse_other_content(out, settings, made_from)
    try:
        selection = _select(folder, records, rules)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
            stage = Path(name)
            write_jsonl(stage / RECORDS, (relinked(record, folder, out) for record in records))
            write_jsonl(stage / PAIRS, selection.after)
            write_rationales(stage, rules.seed)
            report = {
                "made_from": made_from,
                "pairs": _counts(records, selection),
                "shortcuts": {
                    "before": _measure(records, selection.before, folder / PAIR_RATIONALES),
                    "after": _measure(records, selection.after, stage / PAIR_RATIONALES),
                },
            }
            dataset = (read_manifest(folder) or {}).get("dataset", records[0].dataset)
            manifest = write_manifest(stage, dataset, settings, report)
            write_page(stage / PAGE, manifest, folder, records, selection)
            out.mkdir(exist_ok=True)
            for path in sorted(stage.iterdir(), key=lambda path: path.name == MANIFEST):  # the manifest comes last
                os.replace(path, out / path.name)
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: stopped by hand and not written; the same command makes it") from None
    return manifest


def _select(folder: Path, records: Sequence[CropRecord], rules: Rules) -> Selection:
    """The selection of a folder's ranked pairs, or of its scored crops; `DataError` if no train pair is left."""
    ranked = read_pairs(folder) if (folder / PAIRS).is_file() else None
    _refuse_lost_votes(folder, records, ranked or ())
    try:
        selection = select(records, ranked, rules)
    except DataError as problem:
        raise DataError(f"{folder}: {problem}") from None
    train = {record.id for record in records if record.split == "train"}
    if not any(pair.record_id in train for pair in selection.after):
        reasons = ", ".join(f"{count:,} {name}" for name, count in selection.dropped["train"].items() if count)
        raise DataError(
            f"{folder}: no train pair is left of {selection.given['train']:,}{f' ({reasons})' if reasons else ''}; "
            "lower --least-margin, use more train photos, or give --keep-shortcuts"
        )
    return selection


def _refuse_other_content(out: Path, settings: dict[str, Any], made_from: dict[str, str]) -> None:
    """`DataError` unless `out` is missing, empty, or holds the pairs of the same data and settings."""
    if is_free(out):
        return
    manifest = read_manifest(out) if out.is_dir() else None
    if manifest is None or "made_from" not in manifest:
        raise DataError(f"{out}: holds something else, expected no such folder or an empty one; choose another --out")
    if manifest["made_from"] != made_from:
        raise DataError(f"{out}: holds pairs made from other data; choose another --out or remove it")
    if differing := differing_settings(manifest["settings"], settings):
        raise DataError(f"{out}: holds pairs of {differing}; choose another --out or remove it")


def _refuse_lost_votes(folder: Path, records: Sequence[CropRecord], pairs: Sequence[Pair]) -> None:
    """`DataError` for pairs whose votes are not told: margins of votes would be sorted by the bounds of scores."""
    voted = {record.id for record in records if record.dataset in VOTED}
    if lost := sum(pair.votes is None and pair.record_id in voted for pair in pairs):
        raise DataError(
            f"{folder / PAIRS}: {lost:,} of {len(pairs):,} pairs do not tell their votes, which say how hard they are; "
            "an older version built the folder: build the data set anew (`crop-reasoning data build --help`)"
        )


def _counts(records: Sequence[CropRecord], selection: Selection) -> dict[str, Any]:
    """By split: pairs there were (the sum of what follows), those kept by bucket, those dropped by reason."""
    split_of = {record.id: record.split for record in records}
    kept = Counter((split_of[pair.record_id], pair.bucket) for pair in selection.after)
    return {
        split: {
            "given": selection.given[split],
            "kept": {bucket: kept[split, bucket] for bucket in BUCKETS},
            "dropped": {reason: selection.dropped[split][reason] for reason in REASONS},
        }
        for split in SPLITS
    }


def _measure(records: Sequence[CropRecord], pairs: Sequence[Pair], answers: Path) -> dict[str, dict[str, Share]]:
    """What rules that see no picture score on the train pairs and on all; `answers` are those written for the pairs."""
    found = {}
    for name, belongs in SHOWN.items():
        members = {record.id for record in records if belongs(record)}
        found[name] = shortcuts([pair for pair in pairs if pair.record_id in members])
        lines = read_jsonl(answers) if answers.is_file() else iter(())
        found[name][FIRST_PROPOSAL] = first_proposal(lines, members)
    return found
