"""Do the measures mean anything? Whether the crop that people prefer has more of them than the one they reject.

    crop-reasoning data build fcdb --root FCDB --out data/fcdb
    nice python benchmarks/preferences.py data/fcdb > preferences.md

DATA is a built data set with ranked pairs. Every measure of `crop_measures` is compared between the two crops of each
pair; a logistic regression over all of them is fitted on the train and val photos and judged on the test photos. Prints
Markdown. A photo takes about half a second; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.crop_measures import MEASURES, RULES
from benchmarks.crop_values import Measurements, jobs_of, measured_crops
from benchmarks.preference_fit import Array, accuracy, fit, outcomes
from crop_reasoning.composition.analysis import VERSION
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.subject import detectors
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.evaluation.pairs import EQUAL_SIZE, is_equal_size
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean
from crop_reasoning.geometry import iou
from crop_reasoning.log import say
from crop_reasoning.records import CropRecord, Pair, read_pairs, read_records

NAMES = (*RULES, *MEASURES)
SUMS = {
    "the rules": tuple(RULES),
    "the ten elements": tuple(ELEMENTS),
    "the other measures": tuple(name for name in MEASURES if name not in ELEMENTS),
    "all measures": tuple(MEASURES),
    "all measures and the rules": NAMES,
}
CLEAR = 0.5
"""Pairs of a greater margin: at least four of five votes agree."""
ORACLE = "IoU with the expert's crop"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of some photos: differences `chosen - rejected` (n, NAMES), NaN without a value; the photo of each; whether
    the votes are clear; and the difference of the IoU with the photo's best crop (n), NaN where there is none."""

    differences: Array
    photos: tuple[str, ...]
    clear: np.ndarray[tuple[int], np.dtype[np.bool_]]
    oracle: Array

    def of(self, name: str) -> Array:
        return np.asarray(self.differences[:, NAMES.index(name)])

    def columns(self, names: Sequence[str]) -> Array:
        return np.asarray(self.differences[:, [NAMES.index(name) for name in names]])


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"), help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error("--workers must be 1 or more")
    try:
        print(preferences(options.folder, options.cache, options.workers))
    except CropReasoningError as problem:
        say(f"preferences: {problem}")
        sys.exit(problem.exit_code)


def preferences(folder: Path, cache: Path, workers: int) -> str:
    """The whole document. `DataError` without pairs of train and of test photos."""
    records = {record.id: record for record in read_records(folder)}
    pairs = read_pairs(folder)
    measurements, unreadable = measured_crops(jobs_of(folder, records, pairs), cache, workers)
    for record_id, reason in unreadable.items():
        say(f"record {record_id} left out with its pairs: {reason}")
    pairs = [pair for pair in pairs if pair.record_id in measurements]
    test = [pair for pair in pairs if records[pair.record_id].split == "test"]
    train = [pair for pair in pairs if records[pair.record_id].split != "test"]
    if not test or not train:
        raise DataError(f"{folder}: {len(train)} pairs of train and val photos, {len(test)} of test; expected both")
    equal_size = f"Pairs of equal size (areas within {EQUAL_SIZE:.0%})"
    kinds: dict[str, Callable[[Pair], bool]] = {equal_size: is_equal_size, "All pairs": lambda _: True}
    parts = [f"{len(records)} photos, {len(unreadable)} unreadable; detectors: {VERSION}, {detectors()}."]
    for title, belongs in kinds.items():
        fitted, judged = (
            compared([pair for pair in part if belongs(pair)], records, measurements) for part in (train, test)
        )
        parts += [f"### {title}", _measures_table(fitted, judged), _sums_table(fitted, judged)]
    return "\n\n".join([*parts, "### The measures", _formulas()])


def compared(pairs: Sequence[Pair], records: Mapping[str, CropRecord], measurements: Measurements) -> Pairs:
    """The differences of pairs whose crops were measured."""
    rows, oracle = [], []
    for pair in pairs:
        crops, record = measurements[pair.record_id], records[pair.record_id]
        chosen, rejected = crops[pair.chosen], crops[pair.rejected]
        rows.append([_difference(chosen[name], rejected[name]) for name in NAMES])
        gold = record.best if record.crops else None
        oracle.append(iou(pair.chosen, gold) - iou(pair.rejected, gold) if gold else np.nan)
    return Pairs(
        np.array(rows, np.float64).reshape(-1, len(NAMES)),
        tuple(pair.record_id for pair in pairs),
        np.array([pair.margin > CLEAR for pair in pairs], np.bool_),
        np.array(oracle, np.float64),
    )


def _difference(chosen: float | None, rejected: float | None) -> float:
    return np.nan if chosen is None or rejected is None else chosen - rejected


def _measures_table(train: Pairs, test: Pairs) -> str:
    """Each measure alone, the surest on the train photos first: the order owes nothing to the test photos."""
    scored = {name: (accuracy(train.of(name), train.photos), accuracy(test.of(name), test.photos)) for name in NAMES}
    scored[ORACLE] = (accuracy(train.oracle, train.photos), accuracy(test.oracle, test.photos))
    rows = []
    for name, (first, second) in sorted(scored.items(), key=lambda item: -item[1][0].share.mean):
        decided = _share(second.decided) if second.decided else "–"
        rows.append([name, _share(first.share), _share(second.share), f"{100 * second.ties:.0f} %", decided])
    head = ["preferred has more of", _n("train and val", train), _n("test", test), "ties, test", "test without ties"]
    return _table(head, rows)


def _formulas() -> str:
    others = {name: formula for name, formula in (RULES | MEASURES).items() if name not in ELEMENTS}
    return _table(["measure", "formula"], [["each of the ten elements", "its strength"], *map(list, others.items())])


def _sums_table(train: Pairs, test: Pairs) -> str:
    """Weighted sums fitted on train: what they reach on test, on clear votes, and beyond the rules alone."""
    rows, base = [], None
    for title, names in SUMS.items():
        fitted = fit(train.columns(names), train.photos)
        margins = fitted.margins(test.columns(names))
        reached = accuracy(margins, test.photos)
        clear = [photo for photo, sure in zip(test.photos, test.clear, strict=True) if sure]
        base = margins if base is None else base
        gain = bootstrap_mean((outcomes(margins) - outcomes(base)).tolist(), test.photos)
        beyond = "–" if base is margins else f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
        cells = [_share(reached.share), _share(accuracy(margins[test.clear], clear).share), beyond]
        rows.append([title, str(len(names)), *cells, f"{fitted.penalty:.2g}"])
    head = ["weighted sum of", "terms", _n("test", test), f"of these {int(test.clear.sum())} with 4 or 5 of 5 votes"]
    return _table([*head, "beyond the rules", "penalty"], rows)


def _n(split: str, pairs: Pairs) -> str:
    return f"{split}: {len(pairs.photos)} pairs of {len(set(pairs.photos))} photos"


def _share(share: Interval) -> str:
    sure = "**" if share.low > 0.5 or share.high < 0.5 else ""
    return f"{sure}{share.mean:.3f}{sure} [{share.low:.3f}, {share.high:.3f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
