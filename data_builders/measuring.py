"""Answers from measured photos, verified: several processes, a journal that a stopped run goes on from.

The journal belongs to one state of the folder, one seed, one version of everything that writes or judges an answer.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crop_reasoning.authors.facts import known
from crop_reasoning.authors.measured import AUTHOR, author_rationales
from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.composition.batch import one_thread, use_one_thread, version
from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_recorded, sha256_of
from crop_reasoning.locks import held
from crop_reasoning.log import progress
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.records import PAIRS, RECORDS, CropRecord, Pair, to_json
from crop_reasoning.verification.verify import VERSION as VERIFIER
from crop_reasoning.verification.verify import verify
from data_builders.rationale_files import judged, provenance

JOURNAL = "rationales.journal"
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A record to be answered for and its ranked pairs, each with its place in its file."""

    index: int
    record: CropRecord
    pairs: tuple[tuple[int, Pair], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: the record's line (None if it was refused), those of its pairs by their places, what was
    refused with its contradictions, or why the photo is `unreadable`."""

    record_id: str
    line: Line | None = None
    pairs: tuple[tuple[int, Line], ...] = ()
    refused: tuple[Line, ...] = ()
    unreadable: str = ""


@contextmanager
def measured_outcomes(folder: Path, asked: Sequence[Job], seed: int, workers: int) -> Iterator[dict[str, Outcome]]:
    """The outcomes of all jobs by record id, in their order; the journal is gone once they were put to use.

    `EnvironmentProblem` while another process writes here, `Interrupted` if stopped by hand.
    """
    path = folder / JOURNAL
    with held(path, f"{folder}: another run is writing rationales here; wait for it") as journal:
        try:
            found = _known(journal, _state(folder, seed))
            left = [job for job in asked if job.record.id not in found]
            for outcome in progress(_outcomes(left, folder, seed, workers), "rationales", len(left)):
                found[outcome.record_id] = outcome
                journal.write(json.dumps(to_json(outcome)).encode() + b"\n")
                journal.flush()
        except KeyboardInterrupt:
            raise Interrupted(f"{folder}: stopped by hand; the same command goes on where it stopped") from None
        yield {job.record.id: found[job.record.id] for job in asked}
        path.unlink()


def jobs(records: Sequence[CropRecord], pairs: Sequence[Pair], asked: Sequence[str]) -> list[Job]:
    """What is to be done for the records (ids) that are `asked` for."""
    places = {record.id: index for index, record in enumerate(records)}
    ranked: dict[str, list[tuple[int, Pair]]] = {record_id: [] for record_id in asked}
    for index, pair in enumerate(pairs):
        if pair.record_id in ranked:
            ranked[pair.record_id].append((index, pair))
    return [Job(places[name], records[places[name]], tuple(ranked[name])) for name in asked]


def summed(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """How many answers were verified and refused, contradictions by kind, and the photos that could not be read."""
    verified, refused, kinds, unreadable = 0, 0, Counter[str](), []
    for outcome in outcomes:
        verified += (outcome.line is not None) + len(outcome.pairs)
        refused += len(outcome.refused)
        kinds.update(each["kind"] for line in outcome.refused for each in line["verified"]["contradictions"])
        unreadable += [outcome.unreadable] if outcome.unreadable else []
    return {
        "verified": verified,
        "refused": refused,
        "contradictions": dict(kinds.most_common()),
        "unreadable": unreadable,
    }


def _state(folder: Path, seed: int) -> str:
    files = [sha256_of(folder / name) for name in (RECORDS, PAIRS) if (folder / name).is_file()]
    return hashlib.sha256(repr((AUTHOR, GRAMMAR, VERIFIER, version(), seed, files)).encode()).hexdigest()


def _known(journal: BinaryIO, state: str) -> dict[str, Outcome]:
    """The outcomes of an earlier run that was stopped, if it was in this very state; else the journal is begun anew."""
    journal.seek(0)
    first, *lines = journal.read().split(b"\n")
    if first.decode(errors="replace") != state:
        journal.truncate(0)
        journal.write(state.encode() + b"\n")
        return {}
    found = {}
    for line in lines[:-1]:  # the last one is empty, or was torn
        value = json.loads(line)
        value["pairs"] = tuple((index, pair) for index, pair in value["pairs"])
        if not value["unreadable"]:  # else it may have been mended since
            found[value["record_id"]] = Outcome(**{**value, "refused": tuple(value["refused"])})
    if lines and lines[-1]:
        journal.truncate(journal.tell() - len(lines[-1]))
    return found


def _outcomes(jobs: Sequence[Job], folder: Path, seed: int, workers: int) -> Iterator[Outcome]:
    work = partial(_outcome, folder=folder, seed=seed)
    if workers <= 1:
        yield from one_thread(map(work, jobs))
        return
    context = multiprocessing.get_context("spawn")  # OpenCV's threads do not survive a fork
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=use_one_thread)
    try:
        yield from pool.map(work, jobs, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(job: Job, folder: Path, seed: int) -> Outcome:
    record = job.record
    try:
        photo = load_recorded(folder / record.image.path, record.image.wh, record.image.sha256)
        measured = known(record, measure(photo))
    except (DataError, OSError) as problem:
        return Outcome(record.id, unreadable=str(problem))
    rng = np.random.default_rng([seed, 0, job.index])
    answer = _line({"record_id": record.id}, ("rationale",), record, (record.best,), measured, seed, rng)
    pairs = []
    for index, pair in job.pairs:
        rng, both = np.random.default_rng([seed, 1, index]), (pair.chosen, pair.rejected)
        pairs.append((index, _line({"pair": pair}, ("chosen", "rejected"), record, both, measured, seed, rng)))
    refused = [line for line in (answer, *(line for _, line in pairs)) if _is_refused(line)]
    return Outcome(
        record.id,
        None if _is_refused(answer) else answer,
        tuple((index, line) for index, line in pairs if not _is_refused(line)),
        tuple(refused),
    )


def _line(
    whose: Line,
    keys: Sequence[str],
    record: CropRecord,
    targets: tuple[Box, ...],
    measured: Measured,
    seed: int,
    rng: np.random.Generator,
) -> Line:
    """A stored line: the answer for each target under its key, and what the verifier says of them together."""
    answers = author_rationales(record, targets, measured, rng)
    verdicts = [verify(answer, measured, aspect=record.aspect) for answer in answers]
    contradictions = [each for verdict in verdicts for each in verdict.contradictions]
    found = judged(sum(verdict.claims for verdict in verdicts), contradictions)
    said = dict(zip(keys, answers, strict=True))
    return to_json({**whose, **provenance(AUTHOR, seed), "verified": found, **said})


def _is_refused(line: Line) -> bool:
    return bool(line["verified"]["contradictions"])
