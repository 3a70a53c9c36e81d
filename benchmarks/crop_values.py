"""The measures of every crop of many pairs: in a few processes, kept in a file, so that a stopped run goes on.

The file is named by the version of detectors and formulas: another version of either never answers for this one. A line
holds one photo, named by the sha256 of its bytes and its crops.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import crop_measures
from benchmarks.crop_measures import Values, crop_values
from crop_reasoning.composition import batch
from crop_reasoning.composition.analysis import measure
from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_upright
from crop_reasoning.log import progress
from crop_reasoning.records import CropRecord, Pair

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """A photo and its crops, each once."""

    record_id: str
    photo: Path
    key: str
    crops: tuple[Box, ...]


Measurements = dict[str, dict[Box, Values]]
"""By record id and crop."""


def jobs_of(folder: Path, records: Mapping[str, CropRecord], pairs: Sequence[Pair]) -> list[Job]:
    """One job for each photo with pairs, in the order of the pairs."""
    crops: dict[str, dict[Box, None]] = {}
    for pair in pairs:
        crops.setdefault(pair.record_id, {}).update(dict.fromkeys((pair.chosen, pair.rejected)))
    jobs = []
    for record_id, boxes in crops.items():
        image = records[record_id].image
        text = json.dumps([image.sha256, *(box.xyxy for box in boxes)])
        key = hashlib.sha256(text.encode()).hexdigest()[:24]
        jobs.append(Job(record_id, folder / image.path, key, tuple(boxes)))
    return jobs


def measured_crops(jobs: Sequence[Job], cache: Path, workers: int) -> tuple[Measurements, dict[str, str]]:
    """The values of every crop, and the reasons why photos could not be read, by record id.

    What the file in the folder `cache` knows is not measured again. `Interrupted` if stopped by hand: what was measured
    until then is kept.
    """
    file = cache / f"crop_values.{_version()}.jsonl"
    known = _read(file)
    new = [job for job in jobs if job.key not in known]
    unreadable: dict[str, str] = {}
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("a", encoding="utf-8", buffering=1) as lines:
            lines.write("\n" if new else "")  # a killed run's last line may be cut short: the next begins on its own
            for job, answer in zip(new, progress(_answers(new, workers), "photos measured", len(new)), strict=True):
                if isinstance(answer, str):
                    unreadable[job.record_id] = answer
                    continue
                known[job.key] = answer
                lines.write(json.dumps({"key": job.key, "values": answer}) + "\n")
    except KeyboardInterrupt:
        kept = sum(job.key in known for job in jobs)
        raise Interrupted(f"{file}: stopped by hand; {kept} of {len(jobs)} photos are kept, run it again") from None
    names = (*crop_measures.RULES, *crop_measures.MEASURES)
    measurements = {
        job.record_id: {
            crop: dict(zip(names, values, strict=True)) for crop, values in zip(job.crops, known[job.key], strict=True)
        }
        for job in jobs
        if job.key in known
    }
    return measurements, unreadable


Answer = list[list[float | None]]
"""The values of each crop, in the order of the names."""


def _version() -> str:
    names = (crop_measures.VERSION, *crop_measures.RULES, *crop_measures.MEASURES)
    return hashlib.sha256("\n".join((batch.version(), *names)).encode()).hexdigest()[:16]


def _read(file: Path) -> dict[str, Answer]:
    """What the file knows; a line that was cut short is forgotten."""
    known = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            value = json.loads(line)
            known[value["key"]] = value["values"]
        except (ValueError, KeyError, TypeError):
            continue
    return known


def _answers(jobs: Sequence[Job], workers: int) -> Iterator[Answer | str]:
    if workers <= 1:
        yield from map(_answer, jobs)
        return
    context = multiprocessing.get_context("spawn")  # OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
        yield from pool.map(_answer, jobs)


def _start() -> None:
    """Each process takes one core; Ctrl-C is for the process that started it."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(job: Job) -> Answer | str:
    try:
        measured = measure(load_upright(job.photo))
    except (DataError, OSError) as problem:
        return str(problem)
    return [
        [None if value is None else round(value, _DIGITS) for value in crop_values(measured, crop).values()]
        for crop in job.crops
    ]
