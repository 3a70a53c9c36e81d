"""The verb `data rationales`: thin; what it does lives in `data_builders.rationales` and `data_builders.teacher`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Author(StrEnum):
    MEASURED = "measured"
    BOXES = "boxes"
    TEACHER = "teacher"


def rationales(
    folder: Annotated[Path, typer.Argument(help="A built data set (the folder that holds records.jsonl).")],
    author: Annotated[Author, typer.Option(help="Who writes: from measures, from boxes alone, or a large model.")],
    split: Annotated[str | None, typer.Option(help="Only records of this split: train, val or test.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many records.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Places the crops among the proposals, and varies the words.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="measured: photos worked on at once.")] = 1,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="teacher: an OpenAI-compatible endpoint, ending in /v1.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="teacher: the model's name at the endpoint.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="teacher: requests under way at once.")] = 8,
    photo_only: Annotated[
        bool, typer.Option("--photo-only", help="teacher: send no drawn copy, for endpoints that take one image.")
    ] = False,
    batch_out: Annotated[
        Path | None, typer.Option("--batch-out", help="teacher: write the requests into this .jsonl file, ask nobody.")
    ] = None,
    batch_in: Annotated[
        list[Path] | None, typer.Option("--batch-in", help="teacher: read the results of a batch; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Write the answers to train on: analysis, proposals and decision for each record, and for both crops of each pair.

    Answers of measured and teacher are verified against the photo; what is not true of it is not written but listed in
    rationales_refused.jsonl. A teacher is sent photos and measures; its key is read from OPENAI_API_KEY. The same
    command goes on where a stopped one was: no answer is asked for twice. Exit code 1 if a teacher left answers open.

    Example: crop-reasoning data rationales data/fcdb --author measured --workers 2

    Example: crop-reasoning data rationales data/fcdb --author teacher --base-url http://gpu:8000/v1 --model NAME
    """
    from crop_reasoning.errors import EXIT_RUN

    _check_options(author, base_url, model, batch_out, batch_in, photo_only)
    if author is not Author.TEACHER:
        from data_builders.rationales import write_rationales

        found = write_rationales(folder, seed, author=author.value, split=split, limit=limit, workers=workers)
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _table(found))
        return
    found = _teacher(folder, split, limit, seed, base_url, str(model), concurrency, photo_only, batch_out, batch_in)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _table(found))
    if found.get("unanswered"):
        raise typer.Exit(EXIT_RUN)


def _teacher(
    folder: Path,
    split: str | None,
    limit: int | None,
    seed: int,
    base_url: str | None,
    model: str,
    concurrency: int,
    photo_only: bool,
    batch_out: Path | None,
    batch_in: list[Path] | None,
) -> dict[str, Any]:
    from crop_reasoning.authors.teacher import PHOTO_ONLY, TEACHER, Teacher

    teacher = Teacher(model, seed, PHOTO_ONLY if photo_only else TEACHER)
    if base_url:
        from data_builders.teacher import teach

        return teach(folder, teacher, base_url, split=split, limit=limit, concurrency=concurrency)
    from data_builders.teacher_batch import read_results, write_requests

    if batch_out:
        return write_requests(folder, teacher, batch_out, split=split, limit=limit)
    return read_results(folder, teacher, batch_in or [], split=split, limit=limit)


def _check_options(
    author: Author,
    base_url: str | None,
    model: str | None,
    batch_out: Path | None,
    batch_in: list[Path] | None,
    photo_only: bool,
) -> None:
    from crop_reasoning.errors import RecipeError

    ways = {"--base-url": base_url, "--batch-out": batch_out, "--batch-in": batch_in}
    given = [name for name, value in ways.items() if value]
    if author is not Author.TEACHER:
        strays = [*given, *(["--model"] if model else []), *(["--photo-only"] if photo_only else [])]
        if strays:
            raise RecipeError(f"{', '.join(strays)}: of --author teacher only; got --author {author}")
    elif len(given) != 1:
        got = f"got {' and '.join(given)}" if given else "got none"
        raise RecipeError(f"--author teacher: {got}, expected one of {', '.join(ways)}")
    elif not model:
        raise RecipeError("--author teacher: expected --model, the name of the model that is asked")


def _table(found: dict[str, Any]) -> str:
    """Figures a line each, those of a kind behind their name."""
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{kind} {_figure(count)}" for kind, count in value.items()) or "none"
        elif isinstance(value, list):
            value = "; ".join(map(str, value)) or "none"
        else:
            value = _figure(value)
        lines.append(f"{name.replace('_', ' ')}: {value}")
    return "\n".join(lines)


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
