"""The prediction file: a header line that says what was run on what, then one JSON line an image, append-only.

This module owns the file's form, who may write it, how it grows and how a killed run continues it. It must not know
engines or metrics.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from crop_reasoning.codecs import Codec
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan, VisionBudget, plan_image, sha256_of
from crop_reasoning.locks import held
from crop_reasoning.models.families import family_named
from crop_reasoning.models.loading import resolve
from crop_reasoning.reasoning.rationale import Parsed, ParseFailure, parse
from crop_reasoning.records import CropRecord, read_jsonl, read_records, to_json

FORMAT = "predictions/1"
IMAGE_FAILURE = "image"
"""The failure kind of a photo that could not be read; the other kinds are those of `rationale.FAILURES`."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """What a prediction file holds: everything that must be equal for two runs to write into one file.

    `weights` is what `weights_of` says of a local model. `budget` (with the family's name), `prompt_id`, `grammar`,
    `max_new_tokens` and `decoding` (how the engine writes coordinates) are None for a baseline, whose boxes need no
    reading. `guides` says what drew them, None where the prompt shows none. `n` counts the records asked for.
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
    decoding: str | None = None
    guides: str | None = None
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


def weights_of(source: str) -> str:
    """A fingerprint of every weight file that a run, model or adapter folder stands for: adapter and base.

    "" for a hub id; of an adapter on a hub id it covers the adapter and that id. Where the folders lie does not count.
    `ModelError` as in `resolve`.
    """
    found = resolve(source)
    if found.adapter is None and not Path(found.base).is_dir():
        return ""
    digest = hashlib.sha256()
    for role, place in (("adapter", found.adapter), ("base", found.base)):
        if place is not None:
            local = Path(place).is_dir()
            digest.update(f"{role} {_fingerprint(Path(place)) if local else place}\n".encode())
    return digest.hexdigest()


@contextmanager
def writing(path: Path, header: Header) -> Iterator[set[str]]:
    """Hold a prediction file for this process, ready to be continued; yields the ids it already answers.

    A new file gets its header. A torn last line (a killed run) is cut off, to be done again. `EnvironmentProblem` while
    another process holds the file; `DataError`, and the file left as it is, if it is no prediction file or was written
    under another header, naming what differs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path, f"{path}: another process is writing this file; wait for it, or choose another --out"):
        yield _resume(path, header)


def append(path: Path, predictions: Sequence[Prediction]) -> None:
    """Add one batch to a file held by `writing`, onto the disk: a killed run loses the batch it was at, no more."""
    _append_lines(path, predictions)


def read_predictions(path: Path) -> tuple[Header, list[Prediction]]:
    """The header and the predictions of a file; `DataError` names a broken line, a foreign file, a double id."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; write it with `crop-reasoning predict`")
    lines = read_jsonl(path)
    head = next(lines, {})
    if head.get("format") != FORMAT:
        raise DataError(
            f"{path}: is no prediction file (its first line has format {head.get('format')!r}, expected {FORMAT!r}); "
            "write one with `crop-reasoning predict`"
        )
    header = _header_from_json(head, path)
    try:
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


def _fingerprint(folder: Path) -> str:
    """A sha256 over name, size, first and last MiB of each weight file in a folder.

    Cheap for large models, and enough to notice that one was trained anew under the same name.
    """
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_MIB))
            file.seek(max(0, size - _MIB))
            digest.update(file.read(_MIB))
    return digest.hexdigest()


def _resume(path: Path, header: Header) -> set[str]:
    """Begin or continue the held file; the ids it answers. Nothing is cut before the file is known to be ours."""
    with path.open("rb") as file:
        first = file.readline(_MIB)
    if not first.endswith(b"\n") and _line(header).startswith(first):
        os.truncate(path, 0)  # new, empty, or of a run that was killed while it wrote this very header
        _append_lines(path, [header])
        return set()
    before, now = to_json(_header_in(first, path)), to_json(header)
    differing = [key for key in now if before[key] != now[key]]
    if differing:
        listed = "; ".join(f"{key} was {before[key]!r}, is now {now[key]!r}" for key in differing)
        raise DataError(f"{path}: was written by another run ({listed}); write to another file or delete this one")
    _cut_torn_line(path)
    return {prediction.record_id for prediction in read_predictions(path)[1]}


def _header_in(first: bytes, path: Path) -> Header:
    """The header that a first line holds; `DataError` if this is somebody else's file."""
    try:
        head = json.loads(first)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT or not first.endswith(b"\n"):
        raise DataError(
            f"{path}: exists and is no prediction file (its first line is no header of format {FORMAT!r}); "
            "it was left as it is, write to another file or delete this one"
        )
    return _header_from_json(head, path)


def _header_from_json(head: dict[str, Any], path: Path) -> Header:
    try:
        budget = VisionBudget(**head["budget"]) if head["budget"] else None
        return Header(**head | {"budget": budget})
    except (KeyError, TypeError) as problem:
        raise DataError(f"{path}: its header lacks or misnames a field ({problem}); predict anew") from None


def _prediction_from_json(value: dict[str, Any]) -> Prediction:
    box = value.pop("box")
    return Prediction(box=Box(*box) if box else None, **value)


def _cut_torn_line(path: Path) -> None:
    """Cut a last line that lacks its end or is no JSON: what a killed run or a full disk leaves behind."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    try:
        json.loads(content[last:end])
    except ValueError:
        end = last
    if end < len(content):
        os.truncate(path, end)


def _line(item: Header | Prediction) -> bytes:
    return (json.dumps(to_json(item), ensure_ascii=False) + "\n").encode()


def _append_lines(path: Path, items: Sequence[Header] | Sequence[Prediction]) -> None:
    try:
        with path.open("ab") as file:
            file.write(b"".join(map(_line, items)))
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise EnvironmentProblem(
            f"{path}: cannot be written ({problem.strerror}); free space or choose another --out, then run the same "
            "command again: it continues where this one stopped"
        ) from None
