"""The verb `data tasks`: thin; what it does lives in `data_builders.tasks`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crop_reasoning.cli.evaluate import SplitName


class TaskName(StrEnum):
    """What dialogues practice."""

    aspect = "aspect"
    subject = "subject"
    keep = "keep"
    refine = "refine"


def tasks(
    folder: Annotated[Path, typer.Argument(help="A built data set (the folder that holds records.jsonl).")],
    only: Annotated[
        list[TaskName] | None, typer.Option("--only", help="One of the tasks, to be given again for others.")
    ] = None,
    split: Annotated[SplitName | None, typer.Option("--split", help="One part of the data; by default all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which ratios, words and turns are drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Photos measured at once, where subjects are not known.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Make dialogues from crops, subjects and boxes: a ratio, a given subject, photos to keep, words that refine.

    Writes dialogs.jsonl, photos that exist for dialogues alone, and their records (task_records.jsonl). Train on them
    with `data: {dialogs: true}`, measure with `evaluate --dialogs`. The same command gives the same bytes.

    Example: crop-reasoning data tasks data/fcdb
    """
    from data_builders.tasks import TASKS, write_dialogs

    chosen = [task for task in TASKS if only is None or task in only]
    counts = write_dialogs(folder, seed, chosen, split.value if split else None, workers)
    if as_json:
        typer.echo(json.dumps(counts))
        return
    for name, tasks_of in counts["tasks"].items():
        listed = ", ".join(f"{task} {count:,}" for task, count in tasks_of.items())
        typer.echo(f"{name}: {sum(tasks_of.values()):,} dialogues ({listed})")
    for reason, count in counts["skipped"].items():
        typer.echo(f"none from {count:,} records: {reason}")
    typer.echo(f"{folder / 'dialogs.jsonl'}; {counts['photos']:,} photos were made for them")
