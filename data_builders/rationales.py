"""Rationales for a built data set: one answer a record, and a matched pair of answers for every ranked pair.

Who writes them is chosen by name: `boxes` claims only what boxes prove and opens no photo, `measured` speaks of what
was measured in the photo and has every answer verified (`data_builders.measuring`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.authors.boxes import AUTHOR, author_rationale
from crop_reasoning.authors.diversity import diversity
from crop_reasoning.errors import RecipeError
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import rationale_from_json
from crop_reasoning.records import PAIRS, CropRecord, Pair, read_pairs, read_records
from data_builders.measuring import jobs, measured_outcomes, summed
from data_builders.rationale_files import Line, Lines, write_lines

AUTHORS = ("boxes", "measured")


def write_rationales(
    folder: Path,
    seed: int = 0,
    author: str = "boxes",
    split: str | None = None,
    limit: int | None = None,
    workers: int = 1,
) -> dict[str, Any]:
    """Write `rationales.jsonl` (one a record) and, if there are pairs, `pair_rationales.jsonl`; the counts of both.

    `split` and `limit` ask for the records of one split and for the first so many of them. The same folder and seed
    give the same bytes, whatever the number of workers: each record draws from a generator of its own. Lines of records
    that are not asked for, and of those whose answer is refused or whose photo cannot be read, stay as they were.
    `measured` also counts what was refused, by kind of contradiction (listed in `rationales_refused.jsonl`), and says
    how varied its answers are. `RecipeError` for an unknown author, `DataError` for an
    unknown split.
    """
    folder = Path(folder)
    if author not in AUTHORS:
        raise RecipeError(f"author {author!r}: expected one of {', '.join(AUTHORS)}")
    records = read_records(folder)
    pairs = read_pairs(folder) if (folder / PAIRS).is_file() else []
    asked = [record.id for record in read_records(folder, split) if record.crops][:limit]
    if author == "boxes":
        line, pair_line = _of_boxes(records, pairs, seed)
        everything = len(asked) == sum(bool(record.crops) for record in records)
        return write_lines(folder, records, pairs, asked, line, pair_line, afresh=everything)
    with measured_outcomes(folder, jobs(records, pairs, asked), seed, workers) as outcomes:
        pair_lines = {index: line for outcome in outcomes.values() for index, line in outcome.pairs}
        refused = [line for outcome in outcomes.values() for line in outcome.refused]
        counts = write_lines(
            folder, records, pairs, asked, lambda index: outcomes[records[index].id].line, pair_lines.get, refused
        )
    lines = [outcome.line for outcome in outcomes.values() if outcome.line]
    written = [rationale_from_json(line["rationale"], line["record_id"]) for line in lines]
    return {**counts, **summed(outcomes.values()), "diversity": diversity(written)}


def _of_boxes(records: Sequence[CropRecord], pairs: Sequence[Pair], seed: int) -> tuple[Lines, Lines]:
    """The lines that the author `boxes` writes, by a record's or a pair's place in its file."""
    named = {record.id: record for record in records}

    def line(index: int) -> Line:
        record = records[index]
        rationale = author_rationale(record, (record.best,), np.random.default_rng([seed, 0, index]))[0]
        return {"record_id": record.id, "author": AUTHOR, "grammar": GRAMMAR, "rationale": rationale}

    def pair_line(index: int) -> Line:
        pair = pairs[index]
        rng = np.random.default_rng([seed, 1, index])
        chosen, rejected = author_rationale(named[pair.record_id], (pair.chosen, pair.rejected), rng)
        return {"pair": pair, "author": AUTHOR, "grammar": GRAMMAR, "chosen": chosen, "rejected": rejected}

    return line, pair_line
