"""From a prediction file to a report: every image judged, every failure counted. Pure: no model, no image is opened.

This module owns what a report holds; how it looks is `report`'s business.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crop_reasoning.codecs import decode, encode
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.metrics import PROTOCOL, BoxScore, ground_truths, score_box
from crop_reasoning.evaluation.predictions import (
    Header,
    Prediction,
    data_sha256,
    read_answer,
    read_predictions,
    select_records,
    versions,
)
from crop_reasoning.evaluation.preference import Preference
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean, paired_difference
from crop_reasoning.geometry import Box, iou
from crop_reasoning.images import plan_image, sha256_of
from crop_reasoning.methods.baselines import best_constant, center_crop, whole_image
from crop_reasoning.reasoning.rationale import ParseFailure
from crop_reasoning.records import CropRecord, read_records

FORMAT = "report/1"
CENTER_SCALE = 0.9
STRICT, REPAIRED, GIVEN = "strict", "repaired", "given"
"""How a box was come by: parsed as it stands, after repairs, or given by a baseline. Any other kind is a failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image's result: how its box was come by (or why there is none, in `detail`) and what it is worth."""

    record_id: str
    kind: str
    box: Box | None
    iou: float
    disp: float
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.box is None


@dataclass(frozen=True, slots=True)
class Row:
    """One method in a table, over all its `iou.n` images; `parsed` is the share of answers that yielded a box.

    `preference` and `gain` (paired IoU difference to a named other run) are None where they were not measured.
    """

    name: str
    iou: Interval
    disp: Interval
    recall: Interval
    parsed: float | None = None
    preference: Interval | None = None
    gain: Interval | None = None
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A method on one split of one data set. `rows[0]` is the method, the others are the baselines beside it.

    `n` counts the scored images, failures included; `n_without_truth` those that no ground truth allows to score,
    by id in `without_truth`. `ceiling` is the mean IoU that the codec's grid allows (None for a baseline).
    """

    data: str
    split: str
    limit: int | None
    n: int
    n_without_truth: int
    n_strict: int
    n_repaired: int
    failures: dict[str, int]
    repairs: dict[str, int]
    rows: tuple[Row, ...]
    ceiling: float | None
    tokens: Interval | None
    seconds: Interval | None
    protocol: str
    header: Header
    predictions_sha256: str
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    preference: Preference | None = None
    against: str = ""
    without_truth: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = field(default=(), repr=False)
    format: str = FORMAT

    @property
    def n_failed(self) -> int:
        return sum(self.failures.values())


def score(folder: Path, predictions_path: Path, *, against: Path | None = None) -> Report:
    """Score a prediction file on the data it was made from; `against` is another run's `report.json`.

    `DataError` if the data changed since, if the file does not yet answer every image, or if `against` scores others.
    """
    header, predictions = read_predictions(predictions_path)
    records = _checked_records(folder, header, predictions, predictions_path)
    answers = {prediction.record_id: prediction for prediction in predictions}
    scored = [record for record in records if record.crops]
    if not scored:
        raise DataError(f"{folder}: no record of split {header.split!r} has a crop to score against")
    repairs: Counter[str] = Counter()
    outcomes = tuple(judge(answers[record.id], record, header, repairs) for record in scored)
    kinds = Counter(outcome.kind for outcome in outcomes)
    gain = _gain(outcomes, against) if against else None
    row = row_of(header.method, outcomes, gain=gain, baseline=header.budget is None)
    baselines, notes = _baseline_rows(folder, scored)
    asked = [answers[record.id] for record in scored if header.budget and answers[record.id].tokens]
    return Report(
        data=header.data,
        split=header.split,
        limit=header.limit,
        n=len(scored),
        n_without_truth=len(records) - len(scored),
        n_strict=kinds[STRICT],
        n_repaired=kinds[REPAIRED],
        failures={kind: count for kind, count in kinds.most_common() if kind not in (STRICT, REPAIRED, GIVEN)},
        repairs=dict(repairs.most_common()),
        rows=(row, *baselines),
        ceiling=_ceiling(scored, header),
        tokens=bootstrap_mean([answer.tokens for answer in asked]) if asked else None,
        seconds=bootstrap_mean([answer.seconds for answer in asked]) if asked else None,
        protocol=f"{header.data} {header.split}, n = {len(scored)}: {PROTOCOL}",
        header=header,
        predictions_sha256=sha256_of(predictions_path),
        versions=versions("numpy"),
        notes=notes,
        against=str(against or ""),
        without_truth=tuple(record.id for record in records if not record.crops),
        outcomes=outcomes,
    )


def with_preference(report: Report, preference: Preference) -> Report:
    """The report with preference figures, in its own row as well."""
    own, *others = report.rows
    rows = (replace(own, preference=preference.accuracy), *others)
    return replace(report, preference=preference, rows=rows)


def judge(prediction: Prediction, record: CropRecord, header: Header, repairs: Counter[str] | None = None) -> Outcome:
    """What one prediction is worth; what was overlooked to read it is added to `repairs`."""
    truths = ground_truths(record)
    box, kind, detail = prediction.box, GIVEN, ""
    if box is None:
        answer = read_answer(prediction, record, header)
        if isinstance(answer, ParseFailure):
            kind, detail = answer.kind, answer.detail
        else:
            box, kind, detail = answer.box, REPAIRED if answer.repairs else STRICT, "; ".join(answer.repairs)
            if repairs is not None:
                repairs.update(answer.repairs)
    result = score_box(box, truths)
    return Outcome(record.id, kind, box, result.iou, result.disp, detail)


def row_of(name: str, outcomes: Sequence[Outcome], *, gain: Interval | None = None, baseline: bool = False) -> Row:
    """The table row of a method from the outcomes of all its images."""
    scores = [BoxScore(outcome.iou, outcome.disp) for outcome in outcomes]
    parsed = None if baseline else sum(not outcome.failed for outcome in outcomes) / len(outcomes)
    return _row(name, scores, parsed=parsed, gain=gain, baseline=baseline)


def baseline_row(name: str, box: Box, records: Sequence[CropRecord]) -> Row:
    """The table row of one box given for every record."""
    return _row(name, [score_box(box, ground_truths(record)) for record in records], baseline=True)


def read_outcomes(report: Path) -> dict[str, float]:
    """Image id to IoU, from a `report.json`: what two runs are compared by."""
    try:
        value = json.loads(report.read_text(encoding="utf-8"))
        return {outcome["record_id"]: float(outcome["iou"]) for outcome in value["outcomes"]}
    except FileNotFoundError:
        raise DataError(f"{report}: no such report; write it with `crop-reasoning score`") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{report}: is no report.json ({type(problem).__name__}: {problem})") from None


def _row(
    name: str,
    scores: Sequence[BoxScore],
    *,
    parsed: float | None = None,
    gain: Interval | None = None,
    baseline: bool = False,
) -> Row:
    return Row(
        name=name,
        iou=bootstrap_mean([score.iou for score in scores]),
        disp=bootstrap_mean([score.disp for score in scores]),
        recall=bootstrap_mean([float(score.recalled) for score in scores]),
        parsed=parsed,
        gain=gain,
        baseline=baseline,
    )


def _checked_records(folder: Path, header: Header, predictions: Sequence[Prediction], path: Path) -> list[CropRecord]:
    found = data_sha256(folder)
    if found != header.data_sha256:
        raise DataError(
            f"{folder}: its records.jsonl has sha256 {found[:12]}…, the predictions in {path} were made from "
            f"{header.data_sha256[:12]}…; give the data they were made from, or predict anew"
        )
    records = select_records(folder, header.split, header.limit)
    missing = {record.id for record in records} - {prediction.record_id for prediction in predictions}
    if missing:
        raise DataError(
            f"{path}: {len(missing)} of {len(records)} images have no answer yet (for instance {min(missing)!r}); "
            "run the same `crop-reasoning predict` again, it continues"
        )
    return records


def _baseline_rows(folder: Path, records: Sequence[CropRecord]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    rows = [
        baseline_row("whole image", whole_image(), records),
        baseline_row(f"center crop {CENTER_SCALE:g}", center_crop(CENTER_SCALE), records),
    ]
    training = [record for record in read_records(folder, "train") if record.crops]
    if not training:
        return tuple(rows), ("No best-constant row: the data holds no training records to fit it on.",)
    box = best_constant(training)
    rows.append(baseline_row("best constant", box, records))
    edges = ", ".join(f"{edge:.3f}" for edge in box.xyxy)
    return tuple(rows), (f"The best constant crop is [{edges}], fitted on the {len(training)} training records.",)


def _ceiling(records: Sequence[CropRecord], header: Header) -> float | None:
    """Mean IoU of the gold box with itself after it went through the codec: no answer can be read better than this.

    A photo that no plan fits (it cannot be asked about) counts as 0, as its prediction does.
    """
    if header.codec is None or header.budget is None:
        return None
    total = 0.0
    for record in records:
        try:
            plan = plan_image(record.image.wh, header.budget)
        except DataError:
            continue
        total += iou(decode(encode(record.best, header.codec, plan), header.codec, plan), record.best)
    return total / len(records)


def _gain(outcomes: Sequence[Outcome], against: Path) -> Interval:
    return paired_difference({outcome.record_id: outcome.iou for outcome in outcomes}, read_outcomes(against))
