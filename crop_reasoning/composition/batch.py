"""Analyses of many photos: several processes, a cache keyed by content, progress, and no photo lost silently.

A cached analysis is a JSON file named by the photo's sha256 in a folder named by the detectors' version, so that a
photo that is copied or renamed is found again and another version of the detectors never answers for this one.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from crop_reasoning.composition.analysis import VERSION, Analysis, Evidence, analyse
from crop_reasoning.composition.subject import Subject, detectors
from crop_reasoning.composition.weight import Balance
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.files import written_whole
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.log import progress, say

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Batch:
    """The analyses of photos by path, why the others could not be read, and how many came from the cache."""

    analyses: dict[Path, Analysis] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)
    cached: int = 0


def analyse_all(paths: Sequence[Path | str], workers: int = 1, cache: Path | str | None = None) -> Batch:
    """Analyse photos in `workers` processes; what `cache` (a folder, made if need be) knows is not analysed again.

    The same photos give the same analyses whatever the number of workers. Unreadable photos are listed, not raised.
    """
    batch, cached = Batch(), 0
    for path, answer, known in progress(analyse_each(paths, workers, cache), "analysing", len(paths)):
        cached += known
        if isinstance(answer, str):
            batch.unreadable[path] = answer
        else:
            batch.analyses[path] = answer
    return dataclasses.replace(batch, cached=cached)


def analyse_each(
    paths: Sequence[Path | str], workers: int = 1, cache: Path | str | None = None
) -> Iterator[tuple[Path, Analysis | str, bool]]:
    """What `analyse_all` does, as soon as it is known: path, analysis (or why there is none), whether it was cached."""
    photos = [Path(path) for path in paths]
    folder = _made(Path(cache) / version()) if cache else None
    for path, answer, known in _answers(photos, workers, folder):
        yield path, answer if isinstance(answer, str) else from_json(answer), known


def cache_folder() -> Path:
    """Where analyses of photos are kept for the programs that need them again: the user's cache. `EnvironmentProblem`
    for a user without a home, as containers have them."""
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise EnvironmentProblem("this user has no home folder to keep analyses in; set XDG_CACHE_HOME") from None
    return caches / "crop-reasoning" / "analyses"


def known_analysis(path: Path) -> Analysis:
    """The analysis of one photo, from the user's cache or made and kept there; `DataError` if it is unreadable."""
    _, answer, _ = _answer(path, _made(cache_folder() / version()))
    if isinstance(answer, str):
        raise DataError(answer)
    return from_json(answer)


@functools.cache
def _made(folder: Path) -> Path:
    """The folder, made if need be; where nothing can be written, that is said once: analyses are made anew then."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable, why = os.access(folder, os.W_OK), "no right to write"
    except OSError as problem:
        writable, why = False, str(problem.strerror)
    if not writable:
        say(f"{folder}: analyses are not kept there ({why}) but made anew each time; set XDG_CACHE_HOME to keep them")
    return folder


def version() -> str:
    """A folder name for this version of the detectors, with the networks that are installed here."""
    return hashlib.sha256(f"{VERSION}, {detectors()}".encode()).hexdigest()[:16]


def to_json(analysis: Analysis) -> dict[str, Any]:
    """An analysis as JSON values; `from_json` reads it back unchanged."""
    value = dataclasses.asdict(analysis)
    assert isinstance(value, dict)
    return value


def from_json(value: dict[str, Any]) -> Analysis:
    """The analysis that `to_json` wrote; `KeyError` or `TypeError` for anything else."""
    balance = value["balance"]
    return Analysis(
        wh=(value["wh"][0], value["wh"][1]),
        elements=tuple(
            Evidence(**{name: _tuples(name, part) for name, part in each.items()}) for each in value["elements"]
        ),
        strengths=dict(value["strengths"]),
        subjects=tuple(Subject(Box(**each["box"]), each["score"], each["kind"]) for each in value["subjects"]),
        subject=Box(**value["subject"]) if value["subject"] else None,
        balance=Balance((balance["centroid"][0], balance["centroid"][1]), balance["left"], balance["top"]),
        negative_space=value["negative_space"],
        tilt=value["tilt"],
    )


def _tuples(name: str, value: Any) -> Any:
    if name == "box":
        return Box(**value) if value else None
    return tuple(_tuples("", each) for each in value) if isinstance(value, list | tuple) else value


Answer = tuple[Path, dict[str, Any] | str, bool]


def _answers(photos: list[Path], workers: int, folder: Path | None) -> Iterator[Answer]:
    work = partial(_answer, folder=folder)
    if workers <= 1:
        yield from one_thread(map(work, photos))
        return
    context = multiprocessing.get_context("spawn")  # OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context, initializer=use_one_thread) as pool:
        yield from pool.map(work, photos, chunksize=4)


def _answer(path: Path, folder: Path | None) -> Answer:
    """(path, analysis as JSON values or the reason why there is none, whether it was cached)."""
    try:
        digest = sha256_of(path) if folder else ""
        file = folder / f"{digest}.json" if folder else None
        if file and (known := _read(file)) is not None:
            return path, known, True
        value = json.loads(json.dumps(to_json(analyse(load_upright(path)))))
    except FileNotFoundError:
        return path, f"{path}: no such file; check the path", False
    except OSError as problem:
        return path, f"{path}: cannot be read ({problem.strerror or problem}); check the path", False
    except DataError as problem:
        return path, str(problem), False
    if file:
        _keep(file, value)
    return path, value, False


def _keep(file: Path, value: dict[str, Any]) -> None:
    """Keep an analysis; on a full disk it is not kept, and that stops nobody."""
    with suppress(OSError, EnvironmentProblem), written_whole(file) as out:
        out.write(json.dumps(value).encode())


def _read(file: Path) -> dict[str, Any] | None:
    """A cached analysis; None if there is none or the file is broken, which is then written anew."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        from_json(value)
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return dict(value)


def use_one_thread() -> None:
    """Let OpenCV work in one thread: there are as many processes as cores."""
    import cv2

    cv2.setNumThreads(1)


def one_thread(answers: Iterable[Item]) -> Iterator[Item]:
    """Pass items through while OpenCV works in one thread; then as before."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield from answers
    finally:
        cv2.setNumThreads(before)
