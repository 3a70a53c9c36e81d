"""Rationales for a built data set: one answer a record, and a matched pair of answers for every ranked pair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.reasoning.author import AUTHOR, author_rationale
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES
from crop_reasoning.records import CropRecord, Pair, read_pairs, read_records, write_jsonl


def write_rationales(folder: Path, seed: int = 0) -> dict[str, int]:
    """Write `rationales.jsonl` (one a record) and, if there are pairs, `pair_rationales.jsonl`; the counts of both.

    The same folder and seed give the same bytes: each record draws from a generator of its own.
    """
    folder = Path(folder)
    records = {record.id: record for record in read_records(folder)}
    pairs = read_pairs(folder) if (folder / "pairs.jsonl").is_file() else []
    counts = {"rationales": write_jsonl(folder / RATIONALES, _record_lines(records, seed))}
    if pairs:
        counts["pair_rationales"] = write_jsonl(folder / PAIR_RATIONALES, _pair_lines(records, pairs, seed))
    return counts


def _record_lines(records: dict[str, CropRecord], seed: int) -> Iterator[dict[str, Any]]:
    for index, record in enumerate(records.values()):
        if not record.crops:  # a photo with labels alone
            continue
        rng = np.random.default_rng([seed, 0, index])
        rationale = author_rationale(record, (record.best,), rng)[0]
        yield {"record_id": record.id, "author": AUTHOR, "grammar": GRAMMAR, "rationale": rationale}


def _pair_lines(records: dict[str, CropRecord], pairs: list[Pair], seed: int) -> Iterator[dict[str, Any]]:
    for index, pair in enumerate(pairs):
        rng = np.random.default_rng([seed, 1, index])
        chosen, rejected = author_rationale(records[pair.record_id], (pair.chosen, pair.rejected), rng)
        yield {"pair": pair, "author": AUTHOR, "grammar": GRAMMAR, "chosen": chosen, "rejected": rejected}
