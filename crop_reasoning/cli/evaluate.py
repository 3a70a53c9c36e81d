"""The verbs `predict`, `score` and `evaluate`: thin; what they do lives in `crop_reasoning.evaluation`."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crop_reasoning.cli.options import BaseUrl, Model, Name, Run, model_source

if TYPE_CHECKING:
    from crop_reasoning.engines.base import Engine
    from crop_reasoning.evaluation.dialogs import DialogReport
    from crop_reasoning.evaluation.preference import Preference
    from crop_reasoning.evaluation.score import Report


class SplitName(StrEnum):
    """The splits of a data set."""

    train = "train"
    val = "val"
    test = "test"


Data = Annotated[Path, typer.Option("--data", help="A built data set (the folder that holds records.jsonl).")]
Split = Annotated[SplitName, typer.Option("--split", help="The part of the data.")]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="whole_image, center_crop:0.9 or best_constant (fitted on train).")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first n images of the split.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images an engine call.")]
Against = Annotated[
    Path | None, typer.Option("--against", help="Another run's report.json: adds the paired difference.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


def predict(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The prediction file; an unfinished one is continued.")],
    split: Split = SplitName.test,
    run: Run = None,
    model: Model = None,
    base_url: BaseUrl = None,
    name: Name = None,
    baseline: Baseline = None,
    limit: Limit = None,
    batch_size: BatchSize = 32,
    as_json: AsJson = False,
) -> None:
    """Ask a model (or a baseline) for a crop of every image of a split and keep the answers in one file.

    A run that was stopped loses at most one batch: the same command continues it.

    Example: crop-reasoning predict --data data/fcdb --run runs/sft --out runs/sft/eval/fcdb.jsonl
    """
    _, new = _predict(data, out, split.value, run, model, base_url, name, baseline, limit, batch_size)
    if as_json:
        typer.echo(json.dumps({"predictions": str(out), "new": new}))
    else:
        typer.echo(
            f"{out}: {new} new answers; score them with `crop-reasoning score --data {data} --predictions {out}`"
        )


def score(
    data: Data,
    predictions: Annotated[Path, typer.Option("--predictions", help="A file written by `predict`.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The report's folder; by default the file's name without its ending.")
    ] = None,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Score a prediction file: report.json, report.md and report.html. Needs neither torch nor a model.

    Example: crop-reasoning score --data data/fcdb --predictions runs/sft/eval/fcdb.jsonl
    """
    from crop_reasoning.evaluation.score import read_outcomes

    if against is not None:
        read_outcomes(against)  # a wrong path is refused before anything is scored
    _report(data, predictions, out or predictions.with_suffix(""), against, None, as_json)


def evaluate(
    data: Data,
    out: Annotated[
        Path | None, typer.Option("--out", help="The report's folder; by default RUN/eval/<data>-<split>.")
    ] = None,
    split: Split = SplitName.test,
    run: Run = None,
    model: Model = None,
    base_url: BaseUrl = None,
    name: Name = None,
    baseline: Baseline = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also measure preference accuracy on the split's pairs.")
    ] = False,
    dialogs: Annotated[
        bool, typer.Option("--dialogs", help="Also measure whether the split's dialogues get what they ask for.")
    ] = False,
    limit: Limit = None,
    batch_size: BatchSize = 32,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Predict and score in one go; --pairs adds preference accuracy (local models), --dialogs what is asked in turns.

    Example: crop-reasoning evaluate --data data/fcdb --run runs/dpo --pairs --dialogs
    """
    from crop_reasoning.errors import RecipeError

    if out is None and run is None:
        raise RecipeError("evaluate: --out is needed without --run; say where the report shall go")
    if pairs and (baseline is not None or base_url is not None):
        raise RecipeError("evaluate: --pairs needs a local model, which can score text; give --run or --model")
    if dialogs and baseline is not None:
        raise RecipeError("evaluate: --dialogs needs a model, which can be asked; give --run, --model or --base-url")
    if against is not None:
        _require_comparable(against, data, split.value, limit)
    if dialogs:
        from crop_reasoning.evaluation.dialogs import select_dialogs

        select_dialogs(data, split.value, limit)  # refused before the model's time is spent
    if pairs:
        from crop_reasoning.evaluation.preference import preference_accuracy, select_pairs

        select_pairs(data, split.value, limit)  # refused before the model's time is spent
    folder = out or Path(str(run)) / "eval" / f"{data.resolve().name}-{split.value}"
    predictions = folder / "predictions.jsonl"
    engine, _ = _predict(data, predictions, split.value, run, model, base_url, name, baseline, limit, batch_size)
    preference = None
    if pairs and engine is not None:
        preference = preference_accuracy(engine, data, split.value, limit=limit)
    asked = None
    if dialogs and engine is not None:
        from crop_reasoning.evaluation.dialogs import evaluate_dialogs

        asked = evaluate_dialogs(engine, data, split.value, limit=limit, batch_size=batch_size)
    _report(data, predictions, folder, against, preference, as_json, asked)
    if run is not None and out is None and (run / "recipe.yaml").is_file():
        from crop_reasoning.training.card import write_card

        write_card(run)  # it quotes the reports that lie in the run


def _require_comparable(against: Path, data: Path, split: str, limit: int | None) -> None:
    """Refuse a report that scores other images before the model's time is spent."""
    from crop_reasoning.evaluation.predictions import select_records
    from crop_reasoning.evaluation.score import read_outcomes
    from crop_reasoning.evaluation.statistics import paired_difference

    scored = {record.id: 0.0 for record in select_records(data, split, limit) if record.crops}
    paired_difference(scored, read_outcomes(against))


def _predict(
    data: Path,
    out: Path,
    split: str,
    run: Path | None,
    model: str | None,
    base_url: str | None,
    name: str | None,
    baseline: str | None,
    limit: int | None,
    batch_size: int,
) -> tuple[Engine | None, int]:
    """Open what was asked for and predict; the engine (None for a baseline) and the number of new answers."""
    from crop_reasoning.errors import Interrupted, RecipeError
    from crop_reasoning.evaluation import predict as predicting
    from crop_reasoning.evaluation.predictions import select_records, weights_of
    from crop_reasoning.methods.baselines import baseline as baseline_box
    from crop_reasoning.records import read_records

    given = {"--run": run, "--model": model, "--base-url": base_url, "--baseline": baseline}
    named = [flag for flag, value in given.items() if value is not None]
    if len(named) != 1:
        raise RecipeError(f"got {' and '.join(named) or 'no method'}, expected exactly one of {', '.join(given)}")
    try:
        if baseline is not None:
            box = baseline_box(baseline, read_records(data, "train"))
            return None, predicting.predict_constant(box, baseline, data, split, out, limit=limit)
        from crop_reasoning.engines.open import open_engine

        source = model_source(run, model)
        select_records(data, split, limit)  # data that cannot be asked about is refused before the weights are loaded
        weights = weights_of(source) if source else ""
        engine = open_engine(source, base_url, name)
        return engine, predicting.predict(engine, data, split, out, limit=limit, batch_size=batch_size, weights=weights)
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: stopped by hand; what was answered is kept, the same command continues it") from None


def _report(
    data: Path,
    predictions: Path,
    out: Path,
    against: Path | None,
    preference: Preference | None,
    as_json: bool,
    asked: DialogReport | None = None,
) -> None:
    from crop_reasoning.evaluation.dialogs import heading, write_dialog_report
    from crop_reasoning.evaluation.dialogs import markdown_table as dialog_table
    from crop_reasoning.evaluation.report import markdown_table, report_json, write_report
    from crop_reasoning.evaluation.score import score as score_file
    from crop_reasoning.evaluation.score import with_preference
    from crop_reasoning.records import to_json

    report: Report = score_file(data, predictions, against=against)
    if preference is not None:
        report = with_preference(report, preference)
    files = [*write_report(report, data, predictions, out), *(write_dialog_report(asked, out) if asked else ())]
    if as_json:
        value: dict[str, Any] = report_json(report)
        del value["outcomes"]
        if asked:
            value["dialogs"] = to_json(replace(asked, outcomes=()))
        typer.echo(json.dumps({**value, "files": [str(path) for path in files]}, ensure_ascii=False))
    else:
        tables = f"{report.protocol}\n\n{markdown_table(report.rows)}\n\n"
        tables += f"{heading(asked)}\n\n{dialog_table(asked)}\n\n" if asked else ""
        typer.echo(tables + "\n".join(map(str, files)))
