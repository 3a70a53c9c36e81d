"""Dialogues for a built data set: a given ratio, a given subject, photos to keep, and words that refine a crop.

Each record draws from a generator of its own for each task, so that the same folder and seed give the same bytes,
whatever the tasks and the split that are asked for. What a record cannot give is counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.authors.boxes import author_rationale
from crop_reasoning.authors.tasks import AUTHOR, PHRASES, task_answer
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import WHOLE, Box, inside, to_xyxy_px
from crop_reasoning.log import progress
from crop_reasoning.reasoning.dialogs import Ask, Dialog
from crop_reasoning.reasoning.intents import ASPECT, KEEP, SUBJECT, WHOLE_SUBJECT
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import DIALOGS, TASK_RECORDS, element_from_json
from crop_reasoning.records import CropRecord, read_records, to_json, write_jsonl
from data_builders import task_photos
from data_builders.refinements import refine
from data_builders.task_targets import ASPECTS, of_aspect, placed

REFINE = "refine"
TASKS = (ASPECT, SUBJECT, KEEP, REFINE)
Rng = np.random.Generator
_SECOND = 0.5  # share of drawn scenes that get a second subject for the task of a given one
_PRESENTED = 0.5  # share of photos of which a part is presented as a photo of its own
_SCENE_SCALE = 2.7  # a drawn scene's crop is this many subjects high (`scenes`)


@dataclass(slots=True)
class Made:
    """What a record gave for one task: dialogues, records of photos made for them, and reasons where it gave none."""

    dialogs: list[Dialog] = field(default_factory=list)
    records: list[CropRecord] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def write_dialogs(
    folder: Path, seed: int = 0, tasks: Sequence[str] = TASKS, split: str | None = None, workers: int = 1
) -> dict[str, Any]:
    """Write `dialogs.jsonl` and, of the photos made for them, `task_records.jsonl`; counts by split, task and reason.

    Records without a subject get a measured one, if one stands out (`workers` processes; measured once for all runs).
    `RecipeError` for an unknown task, `DataError` if nothing can be made.
    """
    folder = Path(folder)
    if unknown := [task for task in tasks if task not in TASKS]:
        raise RecipeError(f"task {unknown[0]!r}: expected some of {', '.join(TASKS)}")
    numbered = list(enumerate(read_records(folder)))
    chosen = [(index, record) for index, record in numbered if record.crops and split in (None, record.split)]
    skipped: Counter[str] = Counter()
    known = _with_measured_subjects(folder, [record for _, record in chosen], workers, skipped)
    dialogs: list[Dialog] = []
    records: list[CropRecord] = []
    counts: dict[str, Counter[str]] = {record.split: Counter() for _, record in chosen}
    for (index, _), record in progress(zip(chosen, known, strict=True), "dialogues", len(chosen)):
        for task in tasks:
            made = _MAKERS[task](record, folder, np.random.default_rng([seed, 2 + TASKS.index(task), index]))
            dialogs += made.dialogs
            records += made.records
            counts[record.split].update(dialog.task for dialog in made.dialogs)
            skipped.update(f"{task}: {reason}" for reason in made.skipped)
    if not dialogs:
        raise DataError(f"{folder}: no dialogue could be made ({dict(skipped) or 'it has no crops'})")
    task_photos.remove_others(folder, records)
    write_jsonl(folder / TASK_RECORDS, records)
    written_by = {"author": AUTHOR, "seed": seed, "grammar": GRAMMAR}
    return {
        "dialogs": write_jsonl(folder / DIALOGS, ({**to_json(dialog), **written_by} for dialog in dialogs)),
        "photos": len(records),
        "tasks": {name: dict(sorted(found.items())) for name, found in counts.items() if found},
        "skipped": dict(sorted(skipped.items())),
    }


def _with_measured_subjects(
    folder: Path, records: list[CropRecord], workers: int, skipped: Counter[str]
) -> list[CropRecord]:
    """The records, those that know neither a subject nor anything else of their photo with a measured one."""
    unknown = [record for record in records if record.subject is None and not record.scene]
    if not unknown:
        return records
    from crop_reasoning.composition.batch import analyse_all, cache_folder

    paths = list(dict.fromkeys(folder / record.image.path for record in unknown))
    found = analyse_all(paths, workers, cache_folder())
    skipped.update(f"measuring: {reason}" for reason in found.unreadable.values())
    measured = {path: analysis.subject for path, analysis in found.analyses.items()}
    names = {record.id for record in unknown}
    return [
        replace(record, subject=measured.get(folder / record.image.path)) if record.id in names else record
        for record in records
    ]


def _aspect(record: CropRecord, folder: Path, rng: Rng) -> Made:
    """The best crop of a ratio that is asked for; all proposals have it."""
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    try:
        target, *others = of_aspect(record, aspect)
    except DataError:
        return Made(skipped=["the photo cannot hold the ratio"])
    rivals = [others[index] for index in rng.permutation(len(others))]
    answer = task_answer(record.subject, _elements(record), target, rivals, rng, said=[PHRASES["ratio"]])
    return Made([Dialog(record.id, ASPECT, (), Ask(aspect=aspect), answer)])


def _subject(record: CropRecord, folder: Path, rng: Rng) -> Made:
    """A crop for the subject that is given; of drawn scenes half have two, and either may be the one."""
    if record.subject is None:
        return Made(skipped=["no subject stands out"])
    second = None
    if record.dataset == "toy" and record.scene.get("kind") in ("subject", "horizon") and rng.random() < _SECOND:
        second = task_photos.with_second_subject(record, folder, "two", rng)
    if second is None:
        target = _keeping(record, record.subject)
        if target is None:
            return Made(skipped=["no ranked crop keeps the subject"])
        return Made([_first(record, SUBJECT, target, rng, Ask(subject=record.subject))])
    made, other = second
    if rng.random() < 0.5:
        made = replace(made, subject=other)
        return Made([_first(made, SUBJECT, placed(other, _SCENE_SCALE), rng, Ask(subject=other))], [made])
    return Made([_first(made, SUBJECT, record.best, rng, Ask(subject=record.subject))], [made])


def _keeping(record: CropRecord, subject: Box) -> Box | None:
    """The best ranked crop that keeps the subject whole."""
    kept = [crop for crop in record.crops if inside(subject, crop.box) >= WHOLE_SUBJECT]
    return max(kept, key=lambda crop: crop.score).box if kept else None


def _keep(record: CropRecord, folder: Path, rng: Rng) -> Made:
    """A photo that is best as it is, and beside it one of the same size in pixels that is not."""
    best = record.best
    if best.is_whole:
        return Made([_first(record, KEEP, WHOLE, rng)])
    if rng.random() >= _PRESENTED:
        return Made()
    frame = task_photos.frame_around(best, rng)
    if frame is None or not task_photos.large_enough(best, record.image.wh):
        return Made(skipped=["the best crop is nearly the photo, or too small to be one"])
    x1, y1, x2, y2 = to_xyxy_px(best, record.image.wh)
    wh = (x2 - x1, y2 - y1)  # of both: the size in pixels must not tell which of them is to be kept
    kept = task_photos.cropped(record, folder, best, best, "keep", wh)
    loose = task_photos.cropped(record, folder, frame, best, "crop", wh)
    return Made([_first(one, KEEP, one.best, rng) for one in (kept, loose)], [kept, loose])


def _refine(record: CropRecord, folder: Path, rng: Rng) -> Made:
    """A conversation: a plain crop or one of a ratio, then one or two turns that change it."""
    dialogs = list(refine(record, _elements(record), rng))
    return Made(dialogs, skipped=[] if dialogs else ["nothing that was drawn can be asked of the crop"])


def _first(record: CropRecord, task: str, target: Box, rng: Rng, ask: Ask | None = None) -> Dialog:
    return Dialog(record.id, task, (), ask or Ask(), author_rationale(record, (target,), rng)[0])


def _elements(record: CropRecord) -> list[Any]:
    return [element_from_json(element) for element in record.scene.get("elements", ())]


_MAKERS: dict[str, Callable[[CropRecord, Path, Rng], Made]] = dict(
    zip(TASKS, (_aspect, _subject, _keep, _refine), strict=True)
)
