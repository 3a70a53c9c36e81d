"""Whether a model does what it is asked in a conversation: every intent apart, its own boxes apart from guarded ones.

Each held-out dialogue is asked through serving's own `prepare` and `read`, so that prompts, parsing and guards are
those that people meet. Earlier turns are the stored answers (teacher forcing): one turn at a time is measured.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.dialog_measures import DialogOutcome, Measure, balanced_accuracy, measures
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean
from crop_reasoning.files import written_whole
from crop_reasoning.geometry import Size
from crop_reasoning.images import load_recorded, plan_image
from crop_reasoning.log import progress, say
from crop_reasoning.reasoning.dialogs import Dialog
from crop_reasoning.reasoning.intents import Facts
from crop_reasoning.reasoning.rationale import Rationale
from crop_reasoning.reasoning.store import read_dialog_records, read_dialogs
from crop_reasoning.records import CropRecord, to_json
from crop_reasoning.serving.answer import CropAnswer, CropRequest, Prepared, Shown, Turn, prepare, read
from crop_reasoning.serving.wishes import aspect_after

FORMAT = "dialogs/1"
BATCH = 32
PROTOCOL = (
    "one greedy answer a dialogue, its earlier turns as stored (teacher forcing); raw is the model's own box, guarded "
    "the crop that serving gives; an answer without a box fails raw; intervals resample photos"
)


@dataclass(frozen=True, slots=True)
class DialogReport:
    """The measures of a model on one split's dialogues, and every outcome behind them.

    `problems` counts what stood in the way of a box: kinds of unreadable answers, and photos that cannot be read.
    """

    data: str
    split: str
    method: str
    n: int
    n_photos: int
    parsed: Interval
    measures: tuple[Measure, ...]
    problems: dict[str, int]
    protocol: str = PROTOCOL
    format: str = FORMAT
    outcomes: tuple[DialogOutcome, ...] = field(default=(), repr=False)


def select_dialogs(folder: Path, split: str, limit: int | None = None) -> tuple[dict[str, CropRecord], list[Dialog]]:
    """The records that a split's dialogues may speak of, by id, and its first `limit` dialogues; `DataError` if it has
    none."""
    dialogs = read_dialogs(folder, split)[:limit]
    if not dialogs:
        raise DataError(f"{folder}: no dialogues for split {split!r}; make them with `crop-reasoning data tasks`")
    return read_dialog_records(folder, split), dialogs


def evaluate_dialogs(
    engine: Engine, folder: Path, split: str, *, limit: int | None = None, batch_size: int = BATCH
) -> DialogReport:
    """Ask `engine` every dialogue of a split and measure the answers; `DataError` if there are none.

    A photo that cannot be read fails its dialogues, raw and guarded, and is said aloud.
    """
    records, dialogs = select_dialogs(folder, split, limit)
    batches = [dialogs[start : start + batch_size] for start in range(0, len(dialogs), batch_size)]
    outcomes: list[DialogOutcome] = []
    for batch in progress(batches, f"dialogues {engine.name}", len(batches)):
        outcomes += _ask(engine, folder, records, batch)
    return summarize(outcomes, folder.resolve().name, split, engine.name)


def request_for(dialog: Dialog) -> CropRequest:
    """The dialogue as serving is asked it: words and crops turn by turn, and what was given exactly at first."""
    first, *later = [*(exchange.ask for exchange in dialog.history), dialog.ask]
    words = [first.words, *(ask.words for ask in later)]
    history = tuple(
        Turn(said, answer if isinstance(answer, str) else Shown(answer.decision.box, answer))
        for said, answer in zip(words, (exchange.answer for exchange in dialog.history), strict=False)
    )
    return CropRequest(words[-1], first.aspect, history, id=dialog.record_id, subject=first.subject)


def facts_of(dialog: Dialog, wh: Size) -> Facts:
    """What an answer to a dialogue about a photo of `wh` px is checked against."""
    asked = request_for(dialog)
    last = dialog.history[-1].answer if dialog.history else None
    previous = last.decision.box if isinstance(last, Rationale) else None
    aspect = aspect_after([*(turn.words for turn in asked.history), asked.words], asked.aspect)
    return Facts(previous, asked.subject or dialog.answer.subject, aspect, wh)


def summarize(outcomes: Sequence[DialogOutcome], data: str, split: str, method: str) -> DialogReport:
    """The report of a list of outcomes."""
    photos = [one.photo for one in outcomes]
    balanced = balanced_accuracy(outcomes)
    return DialogReport(
        data=data,
        split=split,
        method=method,
        n=len(outcomes),
        n_photos=len(set(photos)),
        parsed=bootstrap_mean([float(one.raw is not None) for one in outcomes], photos),
        measures=(*measures(outcomes), *([balanced] if balanced else [])),
        problems=dict(Counter(one.problem for one in outcomes if one.problem).most_common()),
        outcomes=tuple(outcomes),
    )


def markdown_table(report: DialogReport) -> str:
    """A line a measure: the model's own boxes and the guarded crops, with 95 % intervals, and n."""
    lines = ["| asked | measured | n | raw | guarded |", "|---|---|---|---|---|"]
    for one in report.measures:
        lines.append(f"| {one.asked} | {one.measured} | {one.n} | {one.raw} | {one.guarded} |")
    return "\n".join(lines)


def heading(report: DialogReport) -> str:
    """What was measured, how, and how many answers could be read."""
    return (
        f"{report.data} {report.split}, n = {report.n} dialogues of {report.n_photos} photos: {report.protocol}. "
        f"Answers with a box: {report.parsed}."
    )


def write_dialog_report(report: DialogReport, out: Path) -> tuple[Path, Path]:
    """Write `dialogs.json` (every outcome) and `dialogs.md` (the table) into the folder `out`."""
    problems = [f"- {count} times no box: {problem}" for problem, count in report.problems.items()]
    text = [f"# {report.method} in the dialogues of {report.data} {report.split}", "", heading(report), ""]
    text += [markdown_table(report), *(["", *problems] if problems else [])]
    contents = {
        "dialogs.json": json.dumps(to_json(report), ensure_ascii=False, indent=1),
        "dialogs.md": "\n".join(text),
    }
    for name, content in contents.items():
        with written_whole(out / name) as file:
            file.write(f"{content}\n".encode())
    return (out / "dialogs.json", out / "dialogs.md")


def _ask(engine: Engine, folder: Path, records: dict[str, CropRecord], batch: Sequence[Dialog]) -> list[DialogOutcome]:
    prepared: list[Prepared | str] = []
    for dialog in batch:
        record = records[dialog.record_id]
        try:
            load_recorded(folder / record.image.path, record.image.wh, record.image.sha256)
            prepared.append(prepare(engine, folder / record.image.path, request_for(dialog)))
        except DataError as problem:
            say(f"a dialogue of {dialog.record_id} counts as a failure: {problem}")
            prepared.append(str(problem))
    asked = [one.request for one in prepared if isinstance(one, Prepared)]
    made = iter(engine.generate(asked) if asked else [])
    answers = [one if isinstance(one, str) else read(one, next(made)) for one in prepared]
    return [
        _outcome(dialog, records[dialog.record_id].image.wh, answer, engine)
        for dialog, answer in zip(batch, answers, strict=True)
    ]


def _outcome(dialog: Dialog, wh: Size, answer: CropAnswer | str, engine: Engine) -> DialogOutcome:
    """What came of one dialogue: an answer, or why its photo could not be asked about."""
    made = answer if isinstance(answer, CropAnswer) else None
    return DialogOutcome(
        record_id=dialog.record_id,
        task=dialog.task,
        words=dialog.ask.words,
        raw=made.provenance.model_box if made else None,
        guarded=made.box if made else None,
        target=dialog.answer.decision.box,
        facts=facts_of(dialog, wh),
        grid=engine.family.codec(plan_image(wh, engine.budget)) if made else wh,
        problem=answer if isinstance(answer, str) else answer.failure.kind if answer.failure else "",
    )
