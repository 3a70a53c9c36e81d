"""Run a model or a baseline over a split and keep every answer, one line an image.

Photos go the one way they go everywhere: upright, planned, resized, asked with the run's prompt. What the answers mean
is not this module's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crop_reasoning.engines.base import MAX_NEW_TOKENS, Engine, Request
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation import predictions as files
from crop_reasoning.evaluation.predictions import Header, Prediction
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_recorded, plan_image
from crop_reasoning.log import progress, say
from crop_reasoning.reasoning.dialogs import ask_for, messages
from crop_reasoning.reasoning.pictures import drawn_by, pictures
from crop_reasoning.reasoning.prompts import shows_guides
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.records import CropRecord

BATCH = 32
ENGINE_PACKAGES = ("pillow", "torch", "transformers", "peft")


def predict(
    engine: Engine,
    folder: Path,
    split: str,
    out: Path,
    *,
    limit: int | None = None,
    batch_size: int = BATCH,
    weights: str = "",
) -> int:
    """Ask `engine` for one greedy answer an image of `folder`'s split and append them to `out`; how many were new.

    Continues a file of the same header; errors as in `predictions.writing`. An image that cannot be read, or is not the
    recorded one, is answered with `finish_reason` `image` and its reason, and said aloud. Batches keep file order; each
    is on disk before the next one starts.
    """
    if batch_size < 1:
        raise RecipeError(f"batch size {batch_size}: expected at least 1")
    records = files.select_records(folder, split, limit)
    header = Header(
        method=engine.name,
        data=folder.resolve().name,
        data_sha256=files.data_sha256(folder),
        split=split,
        limit=limit,
        n=len(records),
        weights=weights,
        prompt_id=engine.prompt_id,
        grammar=GRAMMAR,
        max_new_tokens=MAX_NEW_TOKENS,
        decoding=engine.decoding,
        guides=drawn_by() if shows_guides(engine.prompt_id) else None,
        budget=engine.budget,
        versions=files.versions(*ENGINE_PACKAGES),
    )
    with files.writing(out, header) as done:
        left = [record for record in records if record.id not in done]
        if done:
            say(f"{out}: {len(done)} of {len(records)} are already answered, {len(left)} to go")
        for _ in progress(_answer(engine, folder, left, out, batch_size), f"predict {engine.name}", len(left)):
            pass
    return len(left)


def predict_constant(box: Box, name: str, folder: Path, split: str, out: Path, *, limit: int | None = None) -> int:
    """Write a baseline's box for each image of a split; how many were new. Images are not opened."""
    records = files.select_records(folder, split, limit)
    header = Header(
        method=name,
        data=folder.resolve().name,
        data_sha256=files.data_sha256(folder),
        split=split,
        limit=limit,
        n=len(records),
        versions=files.versions(),
    )
    with files.writing(out, header) as done:
        left = [record for record in records if record.id not in done]
        files.append(out, [Prediction(record.id, box=box) for record in left])
    return len(left)


def request_for(record: CropRecord, folder: Path, engine: Engine) -> Request:
    """The request that asks `engine` for a crop of a record's photo.

    `DataError` if the photo cannot be read, has an aspect no model of the line takes, or is not the recorded one.
    """
    image = load_recorded(folder / record.image.path, record.image.wh, record.image.sha256)
    plan = plan_image(image.size, engine.budget)
    asked = messages((), ask_for(record), engine.prompt_id, engine.family.codec, plan)
    return Request(record.id, pictures(image, plan, engine.prompt_id), asked)


def _answer(
    engine: Engine, folder: Path, records: list[CropRecord], out: Path, batch_size: int
) -> Iterator[Prediction]:
    for start in range(0, len(records), batch_size):
        batch = records[start : start + batch_size]
        answers: dict[str, Prediction] = {}
        requests = []
        for record in batch:
            try:
                requests.append(request_for(record, folder, engine))
            except DataError as problem:
                say(f"record {record.id} counts as a failure: {problem}")
                answers[record.id] = Prediction(record.id, finish_reason=files.IMAGE_FAILURE, problem=str(problem))
        generations = engine.generate(requests) if requests else []
        for request, made in zip(requests, generations, strict=True):
            answers[request.id] = Prediction(
                request.id, made.text, None, made.finish_reason, made.tokens, round(made.seconds, 4)
            )
        ordered = [answers[record.id] for record in batch]
        files.append(out, ordered)
        yield from ordered
