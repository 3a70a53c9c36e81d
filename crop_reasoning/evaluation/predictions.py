"""The prediction file: a header line that says what was run on what, then one JSON line an image, append-only.

This module owns the file's form, how it grows and how a killed run continues it. It must not know engines or metrics.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from crop_reasoning.codecs import Codec
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan, VisionBudget, plan_image, sha256_of
from crop_reasoning.models.families import family_named
from crop_reasoning.reasoning.rationale import Parsed, ParseFailure, parse
from crop_reasoning.records import CropRecord, read_jsonl, read_records, to_json

FORMAT = "predictions/1"
IMAGE_FAILURE = "image"
"""The failure kind of a photo that could not be read; the other kinds are those of `rationale.FAILURES`."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """What a prediction file holds: everything that must be equal for two runs to write into one file.

    `weights` is the fingerprint of a local model; `budget` (with the family's name), `prompt_id`, `grammar` and
    `max_new_tokens` are None for a baseline, whose boxes need no reading. `n` counts the records asked for.
    """

    method: str
    data: str
    data_sha256: str
    split: str
    limit: int | None
    n: int
    weights: str = ""
    prompt_id: str | None = None
    grammar: str | None = None
    max_new_tokens: int | None = None
    budget: VisionBudget | None = None
    versions: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT

    @property
    def codec(self) -> Codec | None:
        """The grid of the integers in the answers; None for a baseline."""
        return family_named(self.budget.family).codec if self.budget else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image's answer: `text` of a model or `box` of a baseline.

    `finish_reason` is `stop`, `length`, or `image` for a photo that could not be read, with the reason in `problem`.
    """

    record_id: str
    text: str = ""
    box: Box | None = None
    finish_reason: str = "stop"
    tokens: int = 0
    seconds: float = 0.0
    problem: str = ""


def select_records(folder: Path, split: str, limit: int | None) -> list[CropRecord]:
    """The first `limit` records of a split, in file order; `DataError` if there are none."""
    records = read_records(folder, split)[:limit]
    if not records:
        raise DataError(f"{folder}: no record of split {split!r}; see `crop-reasoning data stats {folder}`")
    return records


def data_sha256(folder: Path) -> str:
    """The sha256 of a data set's `records.jsonl`, which in turn names every image's."""
    return sha256_of(folder / "records.jsonl")


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of this package and of those named; a package that is not installed is left out."""
    found = {}
    for package in ("crop-reasoning", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def fingerprint(folder: Path) -> str:
    """A sha256 over name, size, first and last MiB of each weight file under a folder, checkpoints aside.

    Cheap for large models, and enough to notice that a run was trained anew under the same name.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        if "checkpoints" in path.relative_to(folder).parts:
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_MIB))
            file.seek(max(0, size - _MIB))
            digest.update(file.read(_MIB))
    return digest.hexdigest()


def resume(path: Path, header: Header) -> set[str]:
    """Make `path` ready to be continued; the ids it already answers.

    A new file gets its header. A torn last line (a killed run) is cut off, to be done again. `DataError` if
    the file was written under another header, naming what differs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _cut_torn_line(path)
    if not path.is_file() or path.stat().st_size == 0:
        _append_lines(path, [header])
        return set()
    old, predictions = read_predictions(path)
    before, now = to_json(old), to_json(header)
    differing = [key for key in now if before[key] != now[key]]
    if differing:
        listed = "; ".join(f"{key} was {before[key]!r}, is now {now[key]!r}" for key in differing)
        raise DataError(f"{path}: was written by another run ({listed}); write to another file or delete this one")
    return {prediction.record_id for prediction in predictions}


def append(path: Path, predictions: Sequence[Prediction]) -> None:
    """Add one batch and see it onto the disk: a killed run loses the batch it was at, no more."""
    _append_lines(path, predictions)


def read_predictions(path: Path) -> tuple[Header, list[Prediction]]:
    """The header and the predictions of a file; `DataError` names a broken line, a foreign file, a double id."""
    lines = read_jsonl(path)
    head = next(lines, {})
    if head.get("format") != FORMAT:
        raise DataError(
            f"{path}: is no prediction file (its first line has format {head.get('format')!r}, expected {FORMAT!r}); "
            "write one with `crop-reasoning predict`"
        )
    try:
        budget = VisionBudget(**head.pop("budget")) if head["budget"] else head.pop("budget")
        header = Header(budget=budget, **head)
        predictions = [_prediction_from_json(value) for value in lines]
    except (KeyError, TypeError) as problem:
        raise DataError(f"{path}: a line lacks or misnames a field ({problem}); predict anew") from None
    ids: set[str] = set()
    for prediction in predictions:
        if prediction.record_id in ids:
            raise DataError(
                f"{path}: record {prediction.record_id!r} is answered twice; did two runs write this file? "
                "Delete it and predict anew"
            )
        ids.add(prediction.record_id)
    return header, predictions


def read_answer(prediction: Prediction, record: CropRecord, header: Header) -> Parsed | ParseFailure:
    """A model's answer read with the codec and the plan it was asked under; an unreadable photo is a failure too."""
    if prediction.finish_reason == IMAGE_FAILURE:
        return ParseFailure(IMAGE_FAILURE, prediction.problem)
    if header.codec is None or header.budget is None:
        raise DataError(f"record {record.id}: predictions of {header.method!r} hold boxes, not answers to read")
    plan: ImagePlan = plan_image(record.image.wh, header.budget)
    return parse(prediction.text, header.codec, plan, cut=prediction.finish_reason == "length")


def _prediction_from_json(value: dict[str, Any]) -> Prediction:
    box = value.pop("box")
    return Prediction(box=Box(*box) if box else None, **value)


def _cut_torn_line(path: Path) -> None:
    """Cut a last line that lacks its end or is no JSON: what a killed run or a full disk leaves behind."""
    if not path.is_file():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    try:
        json.loads(content[last:end] or b"{}")
    except ValueError:
        end = last
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)


def _append_lines(path: Path, items: Sequence[Header] | Sequence[Prediction]) -> None:
    text = "".join(json.dumps(to_json(item), ensure_ascii=False) + "\n" for item in items)
    try:
        with path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise EnvironmentProblem(
            f"{path}: cannot be written ({problem.strerror}); free space or choose another --out, then run the same "
            "command again: it continues where this one stopped"
        ) from None
